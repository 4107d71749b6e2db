select source, reason, count, last_at from delivery_refusals
where ?1 = '' or source = ?1 order by source, reason
