create table sessions (id integer primary key, last_seq integer not null, body text not null) strict;
create unique index sessions_open on sessions (last_seq) where last_seq = 0;
