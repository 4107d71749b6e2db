select attempts.body, runs.repo from attempts join runs on runs.id = attempts.run
where attempts.started_at >= ? order by attempts.started_at
