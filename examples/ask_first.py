"""An agent works, a person looks, and only then there is a pull request.

    orch run examples/ask_first.py --issue ISSUE-001
    orch gate approve @        (or: orch gate answer @ "what should be different")
    orch resume @

An answer in words goes back to the agent, at most `rounds` times; a rejection ends the run.
"""

from orch import CreatePR, CreateWorktree, Gate, GateRejected, RunAgent, do


@do
def ask_first(issue, rounds=3):
    """Show the work to a person before anybody else sees it."""
    env = yield CreateWorktree(issue=issue)
    prompt = issue.body
    for number in range(1, rounds + 1):
        yield RunAgent(env=env, prompt=prompt, name=f"work-{number}")
        answer = yield Gate(f"Is the work in {env.path} right?", name=f"look-{number}")
        if answer.decision == "approve":
            return (yield CreatePR(env=env, title=issue.title))
        prompt = f"{issue.body}\n\nA person has looked at your work and says:\n\n{answer.text}"
    raise GateRejected(f"not approved in {rounds} rounds")
