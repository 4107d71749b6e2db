select id from jobs order by id
