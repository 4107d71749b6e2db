select name from worktrees where repo = ? order by name
