select source, id, event, hints, received_at, digest, null, state, error, tries
from deliveries where state <> 'done' and source = ? order by seq limit ?
