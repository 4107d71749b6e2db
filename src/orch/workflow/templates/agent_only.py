"""One agent in an empty folder: for work that needs no repository."""

from orch import OpenFolder, RunAgent, do


@do
def agent_only(issue, prompt=None):  # type: ignore[no-untyped-def]
    """Have one agent do what the issue says; its answer is the result.

    `prompt` replaces the issue's text as the agent's task.
    """
    env = yield OpenFolder()
    return (yield RunAgent(env=env, prompt=prompt or f"{issue.title}\n\n{issue.body}"))
