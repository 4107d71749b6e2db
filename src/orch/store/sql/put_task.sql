insert into tasks (id, state, repo, issue, run, body) values (?, ?, ?, ?, ?, ?)
on conflict (id) do update set
  state = excluded.state, repo = excluded.repo, issue = excluded.issue, run = excluded.run,
  body = excluded.body
