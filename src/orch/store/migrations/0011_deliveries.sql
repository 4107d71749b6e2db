create table deliveries (
  seq integer primary key autoincrement,
  source text not null,
  id text not null,
  event text not null,
  hints text not null,
  received_at real not null,
  digest text not null,
  body blob,
  state text not null,
  error text not null,
  tries integer not null,
  unique (source, id)
) strict;
create index deliveries_waiting on deliveries (source, seq) where state <> 'done';
create index deliveries_by_digest on deliveries (source, digest, received_at);
create index deliveries_by_time on deliveries (source, received_at);
create index deliveries_with_body on deliveries (received_at) where body is not null;
create table delivery_refusals (
  source text not null,
  reason text not null,
  count integer not null,
  last_at real not null,
  primary key (source, reason)
) strict;
