insert into events (at, kind, v, actor_kind, actor_id, cause, repo, task, run, step, data)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
