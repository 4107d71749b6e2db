create index attempts_by_start on attempts (started_at);
