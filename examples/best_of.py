"""Several agents solve the same issue side by side; the first whose work passes the tests wins.

    orch run examples/best_of.py --issue ISSUE-001 --params @best_of.json

with `{"agents": ["claude", "codex"], "test_command": "pytest -q"}` in best_of.json.
"""

from orch import (
    AgentFailed,
    CommandFailed,
    CreatePR,
    CreateWorktree,
    Gather,
    Log,
    RunAgent,
    RunCommand,
    do,
)


@do
def best_of(issue, agents, test_command):
    """One pull request from the best of several attempts."""
    tries = yield Gather([attempt(issue, agent, test_command) for agent in agents])
    winners = [(agent, env) for agent, env in zip(agents, tries, strict=True) if env is not None]
    if not winners:
        raise CommandFailed("no attempt passes the tests", code="tests_failed")
    agent, env = winners[0]
    yield Log(f"{len(winners)} of {len(agents)} pass the tests; {agent}'s work is taken")
    return (yield CreatePR(env=env, title=issue.title, body=f"Implements {issue.id}, by {agent}."))


@do
def attempt(issue, agent, test_command):
    """A worktree whose tests pass, or None: one agent that fails does not stop the others."""
    env = yield CreateWorktree(issue=issue, suffix=agent)
    try:
        yield RunAgent(env=env, prompt=issue.body, agent=agent, name=agent)
    except AgentFailed as error:
        yield Log(f"{agent}: {error.message}", level="warning")
        return None
    tests = yield RunCommand(env=env, command=test_command, name=f"test-{agent}")
    return env if tests.ok else None
