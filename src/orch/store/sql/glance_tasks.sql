select id, state || ', ' || json_extract(body, '$.title') from tasks order by id desc limit 100
