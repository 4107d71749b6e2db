insert into tasks (
  id, state, repo, issue, run, parent, priority, queued, source, created_at, body
)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do update set
  state = excluded.state, repo = excluded.repo, issue = excluded.issue, run = excluded.run,
  parent = excluded.parent, priority = excluded.priority, queued = excluded.queued,
  body = excluded.body
