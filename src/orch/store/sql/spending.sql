select
  case :by
    when 'task' then cast(r.task as text) when 'agent' then a.agent when 'model' then a.model
    when 'repo' then r.repo when 'day' then strftime('%Y-%m-%d', a.started_at, 'unixepoch')
    else '' end as name,
  count(*), sum(a.tokens_in), sum(a.tokens_out), sum(a.usd),
  sum(a.usd is null), sum(a.tokens_in is null and a.tokens_out is null),
  sum(max(0, case when a.ended_at > 0 then a.ended_at else :now end - a.started_at)),
  sum(a.status in ('starting', 'running'))
from attempts a join runs r on r.id = a.run
where a.agent <> '' and a.started_at >= :since
  and (:run = '' or a.run = :run) and (:task = 0 or r.task = :task)
group by name order by name
