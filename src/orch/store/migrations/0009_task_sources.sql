alter table tasks add column source text not null default '';
alter table tasks add column created_at real not null default 0;
create index tasks_by_source on tasks (source, created_at) where source <> '';
