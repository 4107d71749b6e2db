select body from ticket_sources order by name;
