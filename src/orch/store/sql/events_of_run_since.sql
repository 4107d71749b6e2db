select seq, at, v, actor_kind, actor_id, cause, repo, task, run, step, data
from events where run = ? and seq > ? order by seq limit ?
