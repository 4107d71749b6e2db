"""A greeting for each ticket: `orch run greeting --issue ISSUE-001`."""

from orch import CreatePR, CreateWorktree, RunAgent, do
from orch_greeting.words import PROMPT


@do
def greeting(issue):
    """Let the agent write a greeting, and open a pull request with it."""
    env = yield CreateWorktree(issue=issue)
    yield RunAgent(env=env, prompt=PROMPT.format(body=issue.body))
    return (yield CreatePR(env=env, title=f"Greeting: {issue.title}"))
