select count(*) from tasks
where created_at >= ? and source <> '' and source not like 'person:%'
  and source not like 'ticket:%'
