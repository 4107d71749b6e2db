select body from jobs order by id
