insert into runs (id, status, repo, workflow, stop, updated_at, task, body)
values (?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do update set
  status = excluded.status, stop = excluded.stop, updated_at = excluded.updated_at,
  body = excluded.body
