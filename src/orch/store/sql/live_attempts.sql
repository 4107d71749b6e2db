select body from attempts where status in ('starting', 'running') order by rowid
