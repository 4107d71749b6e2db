insert into pulls (repo, number, run, recorded_seq, body)
values (?, ?, ?, (select coalesce(max(seq), 0) from events), ?)
on conflict (repo, number) do update set body = excluded.body,
    run = iif(run = '', excluded.run, run)
