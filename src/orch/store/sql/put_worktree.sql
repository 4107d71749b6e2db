insert into worktrees (repo, name, path, run, recorded_seq, body)
values (?, ?, ?, ?, (select coalesce(max(seq), 0) from events), ?)
on conflict (repo, name) do update set
  path = excluded.path, run = excluded.run, body = excluded.body
