select seq, at, v, actor_kind, actor_id, cause, repo, task, run, step, data
from events where task = ? and task <> 0 and seq > ? order by seq limit ?
