select id, workflow || ', ' || status from runs where id >= ? and id < ? order by n desc limit 100
