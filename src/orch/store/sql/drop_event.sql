delete from events where seq = ?
