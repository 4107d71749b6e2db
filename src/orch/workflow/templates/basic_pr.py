"""From an issue to a pull request: worktree, agent, commit, push, PR."""

from orch import CreatePR, CreateWorktree, RunAgent, do


@do
def basic_pr(  # type: ignore[no-untyped-def]
    issue, base_branch: str | None = None, prompt: str | None = None
):
    """Have one agent work on the issue and open a pull request with what it did.

    `prompt` replaces the issue's text as the agent's task.
    """
    env = yield CreateWorktree(issue=issue, base_branch=base_branch)
    yield RunAgent(env=env, prompt=prompt or f"{issue.title}\n\n{issue.body}")
    return (yield CreatePR(env=env, title=issue.title, body=f"Implements {issue.id}."))
