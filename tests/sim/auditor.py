"""The auditor: looks at the doubles from outside and says what is not as promised.

Invariants of RELIABILITY §5: each key at most one effect, each confirmed step has its effect, no
attempt ran twice, live terminals are running attempts, nothing crossed between branches, and what
has ended leaves nothing behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from orch.model.run import TERMINAL
from tests.sim.universe import Universe


def complaints(universe: Universe, runs: list[str]) -> list[str]:
    """Everything that is wrong, one sentence each."""
    return [text for run in runs for text in _of_run(universe, run)] + list(_of_world(universe))


def _of_run(universe: Universe, identifier: str) -> Iterator[str]:
    store = universe.store
    run = store.run(identifier)
    assert run is not None
    if run.status not in TERMINAL:
        yield f"run {identifier} is {run.status}"
    for step in store.steps(identifier):
        if run.status == "done" and step.status not in ("confirmed", "refused"):
            yield f"step {step.path} ({step.kind}) is {step.status} in a run that is done"
    for attempt in store.attempts(identifier):
        if attempt.status in ("starting", "running") and run.status in TERMINAL:
            yield f"attempt {attempt.id} is {attempt.status} in a run that has ended"
    confirmed = [s for s in store.steps(identifier) if s.status == "confirmed"]
    made = sum(1 for s in confirmed if s.kind == "AddWorktree/1")
    recorded = [w for w in store.worktrees() if w.run == identifier]
    if made != len(recorded):
        yield f"{made} worktrees confirmed, {len(recorded)} recorded"
    if len({w.branch for w in recorded}) != len(recorded):
        yield "two worktrees share a branch"
    pulls = sum(1 for s in confirmed if s.kind == "OpenPR/1")
    if pulls != len(store.pulls(identifier)):
        yield f"{pulls} PRs confirmed, {len(store.pulls(identifier))} recorded"
    if run.status == "done":
        yield from _result(universe.flow, run.result)


def _result(flow: str, result: Any) -> Iterator[str]:
    if flow == "chain" and result["said"] != "answer to one":
        yield f"the answer was lost or crossed: {result}"
    if flow == "parallel":
        if result["said"] != [f"answer to work {n}" for n in "abcd"]:
            yield f"answers crossed between branches: {result['said']}"
        if result["checked"] != [f"answer to {n}" for n in "abcd"]:
            yield f"commands crossed between branches: {result['checked']}"
    if flow == "gated" and (result["said"], result["answer"]) != ("answer to work g", "yes"):
        yield f"the gate or the answer was lost: {result}"
    cared = {
        "same": [True, ["work-one.txt"]], "news": "asked", "checks": ["unit"],
        "found": ["open", "merged"],
    }  # fmt: skip
    if flow == "cared" and result != cared:
        yield f"the pull request was not seen through: {result}"
    expected = ["caught exit_nonzero", "caught exit_nonzero", "fast exit_nonzero"]
    if flow == "careful" and result != expected:
        yield f"errors crossed or were lost: {result}"


def _of_world(universe: Universe) -> Iterator[str]:
    twice = [a for a, count in universe.terminals.starts.items() if count > 1]
    if twice:
        yield f"attempts that ran twice: {twice}"
    effects = [a for a, count in universe.done_prompts.items() if count > 1]
    if effects:
        yield f"attempts that took effect twice: {effects}"
    alive = list(universe.terminals.names())
    if alive:
        yield f"terminals left over: {alive}"
    heads = Counter(pull.head for pull in universe.forge.list_prs())
    for head, count in heads.items():
        if count > 1:
            yield f"{count} PRs for {head}"
    known = {w.branch for w in universe.store.worktrees()}
    for _, branch in universe.git.worktrees(universe.repo):
        if branch.startswith("orch/") and branch not in known:
            ended = all(
                run.status in TERMINAL and run.status != "done" for run in universe.store.runs()
            )
            if not ended:
                yield f"the worktree of {branch} is nobody's"
    keys = Counter(universe.commit_keys())
    for key, count in keys.items():
        if count > 1:
            yield f"{count} commits with the key {key}"
