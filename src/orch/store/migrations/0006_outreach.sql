create table notifications (
  hook text not null,
  event text not null,
  entity text not null,
  seq integer not null,
  state text not null,
  due real not null,
  body text not null,
  primary key (hook, event, entity)
) strict;
create index notifications_open on notifications (due, seq) where state in ('waiting', 'sending');
create index notifications_by_event on notifications (seq);
insert into meta (key, value) select 'cursor:', coalesce(max(seq), 0) from events;
