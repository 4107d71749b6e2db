create table jobs (id text primary key, body text not null) strict, without rowid;

-- The key is what makes a slot unique, whoever fires it.
create table job_slots (
  job text not null,
  slot integer not null,
  body text not null,
  primary key (job, slot)
) strict, without rowid;
