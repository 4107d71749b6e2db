delete from jobs where id = ?
