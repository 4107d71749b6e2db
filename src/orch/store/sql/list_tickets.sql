select body from tickets where ?1 in ('', source)
order by source, number desc, source_id limit ?2;
