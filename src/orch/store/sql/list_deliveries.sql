select source, id, event, hints, received_at, digest, null, state, error, tries
from deliveries
where (?1 = '' or source = ?1) and received_at >= ?2 and (not ?3 or error <> '')
order by seq desc limit ?4
