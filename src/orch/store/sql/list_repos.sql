select body from repos order by slug
