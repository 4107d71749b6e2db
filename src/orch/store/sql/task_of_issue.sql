select body from tasks where issue = ? order by id desc limit 1;
