select body from runs where task = ? and task <> 0 order by n
