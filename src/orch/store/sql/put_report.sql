insert into reports (task, body) values (?, ?)
on conflict (task) do update set body = excluded.body;
