select body from tasks where state = ? order by id desc limit ?
