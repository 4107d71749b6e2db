insert into attempts (id, run, path, n, status, started_at, body) values (?, ?, ?, ?, ?, ?, ?)
on conflict (id) do update set status = excluded.status, body = excluded.body
