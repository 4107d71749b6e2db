select body from runs where id = ?
