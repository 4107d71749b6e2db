insert into steps (run, path, kind, status, attempt, looks, request, outcome, answer, planned_seq,
  settled_seq, planned_at, intended_at, settled_at)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (run, path) do update set
  status = excluded.status, attempt = excluded.attempt, looks = excluded.looks,
  outcome = excluded.outcome, answer = excluded.answer, settled_seq = excluded.settled_seq,
  intended_at = excluded.intended_at, settled_at = excluded.settled_at
