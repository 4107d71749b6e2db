delete from repos where slug = ?
