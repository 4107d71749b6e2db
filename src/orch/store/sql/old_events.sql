select e.seq from events e join runs r on r.id = e.run
where e.seq > ? and e.seq <= ? and e.at < ? and e.kind not in ('TaskCreated', 'TaskMoved')
  and r.status in ('done', 'error', 'aborted') and r.updated_at < ?
  and not exists (
    select 1 from tasks t where t.id = r.task and t.state not in ('done', 'cancelled')
  )
order by e.seq
