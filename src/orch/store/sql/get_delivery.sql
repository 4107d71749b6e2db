select source, id, event, hints, received_at, digest, body, state, error, tries
from deliveries where source = ? and id = ?
