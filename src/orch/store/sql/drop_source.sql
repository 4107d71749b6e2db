delete from ticket_sources where name = ?;
