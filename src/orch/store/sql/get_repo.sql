select body from repos where slug = ?
