select
  json_extract(body, '$.agent'), json_extract(body, '$.role'), status, count(*),
  sum(max(0.0, iif(
    json_extract(body, '$.ended_at') > 0, json_extract(body, '$.ended_at') - started_at, 0.0
  ))),
  sum(coalesce(json_extract(body, '$.usage.input_tokens'), 0)),
  sum(coalesce(json_extract(body, '$.usage.output_tokens'), 0)),
  sum(coalesce(json_extract(body, '$.usage.usd'), 0.0))
from attempts group by 1, 2, 3 order by 1, 2, 3
