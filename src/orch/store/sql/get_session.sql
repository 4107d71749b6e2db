select body from sessions where id = ?
