insert into delivery_refusals (source, reason, count, last_at) values (?, ?, ?, ?)
on conflict do update set count = count + excluded.count, last_at = excluded.last_at
