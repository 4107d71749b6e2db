create table heard (
  source text not null,
  remark text not null,
  body text not null,
  answered integer not null default 0,
  primary key (source, remark)
) strict, without rowid;
