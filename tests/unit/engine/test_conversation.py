"""What of a conversation's tokens is an attempt's own."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from orch.engine.conversation import GONE, had_before, onward, own
from orch.model.attempt import Attempt


def attempt(**usage: Any) -> Attempt:
    return Attempt(
        id="a", run="r", path="1", n=1, role="work", agent="codex", status="failed", terminal="t",
        directory="/d", usage=usage, message="it was killed",
    )  # fmt: skip


def test_earlier_attempts_of_the_conversation_are_taken_off() -> None:
    before = [
        attempt(session_id="s", input_tokens=10),
        attempt(session_id="other", input_tokens=99),
    ]
    used = {"session_id": "s", "input_tokens": 25, "output_tokens": 4}
    assert own(used, before) == {"session_id": "s", "input_tokens": 15, "output_tokens": 4}


def test_what_says_no_conversation_is_taken_as_it_is() -> None:
    assert own({"input_tokens": 5}, [attempt(input_tokens=5)]) == {"input_tokens": 5}


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8))
def test_the_parts_of_a_conversation_add_up_to_the_whole(parts: list[int]) -> None:
    done: list[Attempt] = []
    total = 0
    for part in parts:
        total += part
        used = own({"session_id": "s", "input_tokens": total}, done)
        assert used["input_tokens"] == part
        done.append(attempt(**used))
    assert sum(one.usage["input_tokens"] for one in done) == total


def test_who_goes_on_is_told_why_and_what() -> None:
    told = onward("Write it.", attempt())
    assert "it was killed" in told
    assert told.endswith("Write it.")


def had(*others: Attempt, mine: tuple[Attempt, ...] = (), resumes: bool = True) -> str:
    """What the third step's attempt, in the worktree /w, goes on with."""
    now = one(path="3", n=len(mine) + 1)
    ctx: Any = SimpleNamespace(
        attempts=[*mine, now], run=SimpleNamespace(id="r"),
        world=SimpleNamespace(store=SimpleNamespace(attempts=lambda run: [*others, *mine, now])),
    )  # fmt: skip
    agent: Any = SimpleNamespace(resumes=resumes)
    return asyncio.run(had_before(ctx, agent, now))


def one(path: str = "1", n: int = 1, at: float = 0.0, **changed: Any) -> Attempt:
    words = {
        "role": "work", "agent": "codex", "worktree": "/w", "status": "succeeded", "code": "",
        "usage": {"session_id": f"of-{path}"}, **changed,
    }  # fmt: skip
    return Attempt(
        id=f"{path}-{n}", run="r", path=path, n=n, terminal="t", directory="/d", started_at=at,
        **words,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("others", "session"),
    [
        ((), ""),
        ((one(),), "of-1"),
        ((one(path="2", at=5), one(path="1", at=9)), "of-1"),
        ((one(), one(path="2", at=5, role="review")), "of-1"),
        ((one(), one(path="2", at=5, worktree="/other")), "of-1"),
        ((one(), one(path="2", at=5, agent="claude")), "of-1"),
    ],
)
def test_the_work_that_it_did_there_last_is_gone_on_with(
    others: tuple[Attempt, ...], session: str
) -> None:
    assert had(*others) == session


def test_a_conversation_that_is_gone_or_cannot_be_is_begun_anew() -> None:
    lost = one(path="3", status="failed", code=GONE, usage={})
    assert had(one(), mine=(lost,)) == ""
    assert had(one(), mine=(one(path="3", status="failed", code="killed", usage={}),)) == "of-1"
    assert had(one(), resumes=False) == ""
