select body from attempts where run = ? order by rowid
