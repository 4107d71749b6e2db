insert into deliveries (source, id, event, hints, received_at, digest, body, state, error, tries)
select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
where not exists (
  select 1 from deliveries where source = ?1 and digest = ?6 and digest <> '' and received_at < ?11
)
on conflict do nothing
