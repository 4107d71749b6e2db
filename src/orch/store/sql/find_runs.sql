select body from runs where id >= ? and id < ? order by n desc limit 20
