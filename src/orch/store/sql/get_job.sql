select body from jobs where id = ?
