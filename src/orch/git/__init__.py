"""The only room that runs git.

Invariant: nothing that an agent can write (its worktree, its `.git` pointer, the repository's
configuration, attributes, hooks, the index) makes the service run anything. Every command works
through a pinned view of the repository (`pinned`), with full ref names, with text on stdin, and
with an environment that is ours.

`cli.GitCli` fits `orch.ports.Git` with the real program, `memory.MemoryGit` without one.
"""
