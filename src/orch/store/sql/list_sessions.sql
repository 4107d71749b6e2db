select body from sessions order by id desc
