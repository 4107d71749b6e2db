insert into tickets (source, source_id, number, updated, stamp, decided, body, raw)
values (?, ?, ?, ?, ?, ?, ?, ?)
on conflict (source, source_id) do update set updated = excluded.updated, stamp = excluded.stamp,
  decided = excluded.decided, body = excluded.body, raw = excluded.raw;
