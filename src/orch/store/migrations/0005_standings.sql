create table standings (subject text primary key, body text not null) strict, without rowid;
