"""What of a conversation's tokens is an attempt's own."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from orch.engine.conversation import onward, own
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
