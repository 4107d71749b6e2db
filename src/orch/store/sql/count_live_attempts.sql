select count(*) from attempts where status in ('starting', 'running')
