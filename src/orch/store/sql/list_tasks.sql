select body from tasks order by id desc limit ?
