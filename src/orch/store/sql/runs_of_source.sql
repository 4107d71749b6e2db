select count(*) from tasks join runs on runs.task = tasks.id
where tasks.source = ? and tasks.created_at >= ?
