select agent, count(*),
  sum(status = 'succeeded'), sum(status in ('failed', 'lost')), sum(status in ('starting', 'running')),
  avg(case when ended_at > 0 then max(0, ended_at - started_at) end),
  sum(tokens_in), sum(tokens_out), sum(usd),
  sum(ended_at > 0 and usd is null), sum(ended_at > 0 and tokens_in is null and tokens_out is null)
from attempts
where agent <> '' and started_at >= ?
group by agent order by agent
