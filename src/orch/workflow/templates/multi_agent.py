"""Two agents in parallel worktrees, implementation and tests, merged into one pull request."""

from orch import CreatePR, CreateWorktree, Gather, Log, MergeBranches, RunAgent, RunCommand, do


@do
def multi_agent(  # type: ignore[no-untyped-def]
    issue,
    impl_agent: str | None = None,
    test_agent: str | None = None,
    test_command: str | list[str] | None = None,
    strategy="merge",
    base_branch: str | None = None,
):
    """Implementation and tests are written side by side, then merged.

    `impl_agent` and `test_agent` name the agents (default: the run's). With `test_command` (words or
    a list) the merged work must pass it, or there is no pull request.
    """
    impl, tests = yield Gather(
        [
            CreateWorktree(issue=issue, suffix="impl", base_branch=base_branch),
            CreateWorktree(issue=issue, suffix="tests", base_branch=base_branch),
        ]
    )
    task = f"{issue.title}\n\n{issue.body}"
    yield Gather(
        [
            RunAgent(env=impl, prompt=task, agent=impl_agent, name="impl"),
            RunAgent(env=tests, prompt=f"Write tests for: {task}", agent=test_agent, name="tests"),
        ]
    )
    merged = yield MergeBranches([impl, tests], strategy=strategy)
    if test_command:
        yield RunCommand(env=merged, command=test_command, name="test", check=True)
        yield Log("the tests pass on the merged work")
    return (yield CreatePR(env=merged, title=issue.title, body=f"Implements {issue.id}."))
