alter table attempts add column agent text not null default '';
alter table attempts add column model text not null default '';
alter table attempts add column ended_at real not null default 0;
alter table attempts add column tokens_in integer;
alter table attempts add column tokens_out integer;
alter table attempts add column usd real;
update attempts set
  agent = coalesce(json_extract(body, '$.agent'), ''),
  ended_at = coalesce(json_extract(body, '$.ended_at'), 0),
  tokens_in = case json_type(body, '$.usage.input_tokens')
    when 'integer' then json_extract(body, '$.usage.input_tokens') end,
  tokens_out = case json_type(body, '$.usage.output_tokens')
    when 'integer' then json_extract(body, '$.usage.output_tokens') end,
  usd = case when json_type(body, '$.usage.cost_usd') in ('integer', 'real')
    then json_extract(body, '$.usage.cost_usd') end
where json_valid(body);
create index attempts_spent on attempts
  (started_at, agent, model, run, status, ended_at, tokens_in, tokens_out, usd);
