-- where those at work keep their files.
select json_extract(body, '$.directory') from attempts
where status in ('starting', 'running') order by rowid
