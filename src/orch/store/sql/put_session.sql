insert into sessions (id, last_seq, body) values (?, ?, ?)
  on conflict (id) do update set last_seq = excluded.last_seq, body = excluded.body
