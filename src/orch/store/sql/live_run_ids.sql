select id from runs where repo = ? and status in ('pending', 'running', 'blocked') order by n
