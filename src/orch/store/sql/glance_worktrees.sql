select name, repo from worktrees where ? in ('', repo) order by recorded_seq desc limit 100
