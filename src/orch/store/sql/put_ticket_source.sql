insert into ticket_sources (name, body) values (?, ?)
on conflict (name) do update set body = excluded.body;
