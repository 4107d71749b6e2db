select body from attempts where status in ('starting', 'running') order by started_at, id
