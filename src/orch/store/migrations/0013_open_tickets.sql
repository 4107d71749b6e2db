create index tickets_open on tickets (source)
where coalesce(json_extract(body, '$.gone'), 0) = 0
  and coalesce(json_extract(body, '$.ticket.state'), '') <> 'closed';
