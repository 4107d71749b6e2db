select max(received_at) from deliveries where source = ?
