select body from attempts where run = ? order by started_at, path, n
