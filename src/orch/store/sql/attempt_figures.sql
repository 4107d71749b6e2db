select
  agent, json_extract(body, '$.role'), status, count(*),
  sum(case when ended_at > 0 then max(0.0, ended_at - started_at) else 0.0 end),
  sum(tokens_in), sum(tokens_out), sum(usd),
  sum(agent <> '' and ended_at > 0 and usd is null),
  sum(agent <> '' and ended_at > 0 and tokens_in is null and tokens_out is null)
from attempts group by 1, 2, 3 order by 1, 2, 3
