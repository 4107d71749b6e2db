select body from attempts where id = ?
