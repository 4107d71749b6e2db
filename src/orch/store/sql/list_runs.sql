select body from runs order by n desc
