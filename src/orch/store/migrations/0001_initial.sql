create table meta (key text primary key, value text not null) strict;

create table events (
  seq integer primary key autoincrement,
  at real not null,
  kind text not null,
  v integer not null,
  actor_kind text not null,
  actor_id text not null,
  cause integer not null,
  repo text not null,
  task integer not null,
  run text not null,
  step text not null,
  data text not null
) strict;
create index events_of_run on events (run, seq) where run <> '';

create table repos (slug text primary key, common_dir text not null, body text not null) strict;

create table tasks (
  id integer primary key,
  state text not null,
  repo text not null,
  issue text not null,
  run text not null,
  body text not null
) strict;

create table runs (
  n integer primary key autoincrement,
  id text not null unique,
  status text not null,
  repo text not null,
  workflow text not null,
  stop text not null,
  updated_at real not null,
  body text not null
) strict;
create index runs_by_status on runs (status);

create table sources (
  digest text not null,
  module text not null,
  filename text not null,
  text text not null,
  primary key (digest, module, filename)
) strict, without rowid;

create table run_sources (
  run text not null,
  position integer not null,
  digest text not null,
  module text not null,
  filename text not null,
  primary key (run, position)
) strict, without rowid;

create table steps (
  run text not null,
  path text not null,
  kind text not null,
  status text not null,
  attempt integer not null,
  looks integer not null,
  request blob not null,
  outcome text,
  answer text,
  planned_seq integer not null,
  settled_seq integer not null,
  planned_at real not null,
  intended_at real not null,
  settled_at real not null,
  primary key (run, path)
) strict, without rowid;
create index steps_open on steps (kind, run) where status in ('planned', 'intended');

create table attempts (
  id text primary key,
  run text not null,
  path text not null,
  n integer not null,
  status text not null,
  started_at real not null,
  body text not null
) strict;
create index attempts_of_run on attempts (run, started_at);
create index attempts_live on attempts (status) where status in ('starting', 'running');

create table worktrees (
  repo text not null,
  name text not null,
  path text not null,
  run text not null,
  recorded_seq integer not null,
  body text not null,
  primary key (repo, name)
) strict, without rowid;

create table pulls (
  repo text not null,
  number integer not null,
  run text not null,
  recorded_seq integer not null,
  body text not null,
  primary key (repo, number)
) strict, without rowid;
create index pulls_of_run on pulls (run);
