select body from worktrees where repo = ? and name = ?
