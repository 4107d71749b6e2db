insert into standings (subject, body) values (?, ?) on conflict (subject) do update set body = excluded.body
