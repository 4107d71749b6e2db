create table tickets (
  source text not null,
  source_id text not null,
  number integer not null,
  updated text not null,
  stamp text not null,
  decided text not null,
  body text not null,
  raw text not null,
  primary key (source, source_id)
) strict;
create index tickets_by_source_id on tickets (source_id);
create index tickets_undecided on tickets (source, number) where decided <> stamp;
create table ticket_sources (name text primary key, body text not null) strict;
create table reports (task integer primary key, body text not null) strict;
create index tasks_by_issue on tasks (issue, id) where issue <> '';
