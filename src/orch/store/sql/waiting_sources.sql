select distinct source from deliveries where state <> 'done' order by source
