select body from tickets
where source = ? and coalesce(json_extract(body, '$.gone'), 0) = 0
  and coalesce(json_extract(body, '$.ticket.state'), '') <> 'closed'
order by number desc, source_id
