select body from (
  select body, priority, id, row_number() over (partition by repo order by priority desc, id) as n
  from tasks where state = 'new' and queued = 1
) where n <= ? order by priority desc, id
