"""The two Quick Start programs of the design that workflows come from, with only their imports
changed."""

from orch import CreatePR, CreateWorktree, Gather, MergeBranches, RunAgent, do


@do
def basic_pr(issue):
    # Create isolated worktree for the issue
    env = yield CreateWorktree(issue=issue)

    # Run agent to implement the issue
    yield RunAgent(env=env, prompt=issue.body)

    # Create PR with changes
    pr = yield CreatePR(env=env, title=issue.title)
    return pr


@do
def multi_agent_pr(issue):
    # Create parallel worktrees
    impl_env, test_env = yield Gather([
        CreateWorktree(issue=issue, suffix="impl"),
        CreateWorktree(issue=issue, suffix="tests"),
    ])  # fmt: skip

    # Run agents in parallel
    yield Gather([
        RunAgent(env=impl_env, prompt=issue.body),
        RunAgent(env=test_env, prompt=f"Write tests for: {issue.body}"),
    ])  # fmt: skip

    # Merge branches
    merged_env = yield MergeBranches([impl_env, test_env])

    # Review and create PR
    yield RunAgent(env=merged_env, prompt="Review and create PR")
