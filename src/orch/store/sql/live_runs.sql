select body from runs where status in ('pending', 'running', 'blocked') order by n
