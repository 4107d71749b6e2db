select body from standings order by subject
