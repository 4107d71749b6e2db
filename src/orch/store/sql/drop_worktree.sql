delete from worktrees where repo = ? and name = ?
