insert into repos (slug, common_dir, body) values (?, ?, ?)
on conflict (slug) do update set common_dir = excluded.common_dir, body = excluded.body
