insert into attempts (id, run, path, n, status, started_at, agent, model, ended_at, tokens_in, tokens_out,
  usd, body)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do update set
  status = excluded.status, agent = excluded.agent, model = excluded.model,
  ended_at = excluded.ended_at, tokens_in = excluded.tokens_in, tokens_out = excluded.tokens_out,
  usd = excluded.usd, body = excluded.body
