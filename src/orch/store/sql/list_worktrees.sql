select body from worktrees order by recorded_seq desc, name
