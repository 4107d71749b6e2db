select coalesce(sum(json_array_length(body, '$.unresolved')), 0)
from runs where status in ('done', 'error', 'aborted')
