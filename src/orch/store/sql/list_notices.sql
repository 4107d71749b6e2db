select body from notifications order by seq desc, hook limit ?
