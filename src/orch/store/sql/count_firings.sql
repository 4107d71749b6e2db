select json_extract(body, '$.outcome'), count(*) from job_slots group by 1 order by 1
