select body from tasks where parent = ? and parent <> 0 order by id
