select coalesce(min(json_extract(body, '$.created_at')), 0.0)
from tasks where state = 'new' and queued = 1
