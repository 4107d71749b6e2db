select slug from repos order by slug
