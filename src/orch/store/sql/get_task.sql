select body from tasks where id = ?
