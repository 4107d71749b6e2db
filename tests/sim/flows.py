"""Workflows that the simulation plays; each is text, as a run would have stored it.

Each is made so that a result that lands in the wrong branch, is lost, or comes twice, shows in the
value it returns.
"""

CHAIN = """
from orch import CreateWorktree, RunAgent, Commit, CreatePR, Log, Now, Random, do

@do
def workflow(issue):
    before = yield Now()
    env = yield CreateWorktree(issue=issue)
    said = yield RunAgent(env=env, prompt="one", agent="text")
    number = yield Random()
    yield Log(f"drew {number}")
    yield Commit(env=env, message="by hand")
    pull = yield CreatePR(env=env, title=issue.title)
    return {"said": said, "head": pull.head, "number": number, "before": str(before)}
"""

PARALLEL = """
from orch import CreateWorktree, Gather, MergeBranches, RunAgent, RunCommand, CreatePR, do

@do
def branch(issue, name):
    env = yield CreateWorktree(issue=issue, suffix=name)
    said = yield RunAgent(env=env, prompt=f"work {name}", agent="text", name=name)
    checked = yield RunCommand(env=env, command=["check", name])
    return (env, said, checked.stdout)

@do
def workflow(issue):
    names = ["a", "b", "c", "d"]
    results = yield Gather([branch(issue, name) for name in names])
    merged = yield MergeBranches([env for env, _, _ in results])
    pull = yield CreatePR(env=merged, title=issue.title)
    return {"said": [said for _, said, _ in results], "checked": [c for _, _, c in results],
            "head": pull.head}
"""

CAREFUL = """
from orch import CreateWorktree, Gather, RunAgent, RunCommand, AgentFailed, Cancelled, Log, do

@do
def risky(env, name):
    try:
        return (yield RunAgent(env=env, prompt=f"fail {name}", agent="text", name=name))
    except AgentFailed as error:
        return f"caught {error.code}"
    finally:
        yield RunCommand(env=env, command=["clean", name])

@do
def slow(env):
    try:
        return (yield RunAgent(env=env, prompt="slow", agent="text"))
    finally:
        yield Log("slow ended")

@do
def workflow(issue):
    one = yield CreateWorktree(issue=issue, suffix="one")
    two = yield CreateWorktree(issue=issue, suffix="two")
    first = yield Gather([risky(one, "x"), risky(two, "y")])
    try:
        yield Gather([RunAgent(env=one, prompt="fail z", agent="text"), slow(two)], fail_fast=True)
    except AgentFailed as error:
        first.append(f"fast {error.code}")
    return first
"""

GATED = """
from orch import CreateWorktree, Gate, Gather, RunAgent, CreatePR, do

@do
async def workflow(issue):
    env = await CreateWorktree(issue=issue)
    said, answer = await Gather([
        RunAgent(env=env, prompt="work g", agent="text"),
        Gate(question="Ship it?"),
    ])
    pull = await CreatePR(env=env, title=issue.title)
    return {"said": said, "answer": str(answer), "head": pull.head}
"""

CARED = """
from orch import (
    Commit, CreatePR, CreateWorktree, FindWork, LookAtPR, MergePR, Push, Rebase, RunAgent, SetCheck,
    WaitForPR, do,
)

@do
def workflow(issue):
    one = yield CreateWorktree(issue=issue, suffix="one")
    two = yield CreateWorktree(issue=issue, suffix="two")
    yield RunAgent(env=one, prompt="work one", agent="text")
    yield RunAgent(env=two, prompt="work two", agent="text")
    pull = yield CreatePR(env=one, title="one")
    other = yield CreatePR(env=two, title="two")
    yield MergePR(other, strategy="squash", delete_branch=False)
    seen = yield LookAtPR(pull)
    tip = yield Rebase(env=one, onto=seen.base_tip)
    pushed = yield Push(env=one, force=True)
    seen = yield LookAtPR(pull)
    yield SetCheck(seen.pull, "unit", "success", "fine")
    news = yield WaitForPR(seen.pull, until="person", why="have a look")
    found = yield FindWork()
    again = yield LookAtPR(news.pull)
    return {
        "same": [tip == pushed == again.pull.head_sha, sorted(again.files)],
        "news": news.what, "checks": [check.name for check in again.checks],
        "found": [work.pull.state for work in found],
    }
"""

STOPPABLE = """
from orch import (
    AgentFailed, CommandFailed, CreateWorktree, Gather, Retry, RunAgent, RunCommand, SpawnAgent,
    WaitForStatus, do,
)

@do
def guarded(env, prompt, name):
    try:
        retry = Retry(attempts=3, base_s=0.5)
        return (yield RunAgent(env=env, prompt=prompt, agent="text", name=name, retry=retry))
    except AgentFailed as error:
        return error.code

@do
def failing(env):
    try:
        retry = Retry(attempts=4, base_s=0.5)
        yield RunCommand(env=env, command=["t", "fail d"], name="d", check=True, retry=retry)
    except CommandFailed as error:
        return error.code

@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    ref = yield SpawnAgent(env=env, prompt="work c", agent="text", name="c")
    a, b, d = yield Gather(
        [guarded(env, "work a", "a"), guarded(env, "slow", "b"), failing(env)]
    )
    ended = yield WaitForStatus(ref)
    return [a, b, ended.value if ended.ok else ended.code, d]
"""
"""Played by the test that stops single agents; `b` never ends unless somebody stops it."""

FLOWS = {"chain": CHAIN, "parallel": PARALLEL, "careful": CAREFUL, "gated": GATED, "cared": CARED}
