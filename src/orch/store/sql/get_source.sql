select body from ticket_sources where name = ?;
