"""What is over and old, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from orch.model.attempt import Attempt
from orch.model.figures import AttemptFigures, BookFigures, exposition, samples
from orch.model.retention import DAY_S, attempt_is_old, folder_is_old, is_old, terminal_is_stray
from orch.model.run import Run
from orch.model.task import Task

NOW = 1_000 * DAY_S


def a_run(**fields: Any) -> Run:
    known: dict[str, Any] = {
        "id": "r", "workflow": "w", "status": "done", "repo": "", "task": 1, "entry": "w:w",
        "ended_at": NOW - 10 * DAY_S,
    }  # fmt: skip
    return Run(**known | fields)


def an_attempt(**fields: Any) -> Attempt:
    known: dict[str, Any] = {
        "id": "a", "run": "r", "path": "0", "n": 1, "role": "work", "agent": "one",
        "status": "succeeded", "terminal": "orch-a", "directory": "/h/attempts/a",
        "ended_at": NOW - 10 * DAY_S,
    }  # fmt: skip
    return Attempt(**known | fields)


def a_task(state: Any = "done") -> Task:
    return Task(id=1, title="t", state=state, updated_at=NOW - 10 * DAY_S)


@pytest.mark.parametrize(
    ("ended_at", "days", "old"),
    [
        (NOW - 10 * DAY_S, 10, True),
        (NOW - 10 * DAY_S + 1, 10, False),
        (NOW - 10 * DAY_S, 0, False),
        (0.0, 1, False),
        (NOW + DAY_S, 1, False),
    ],
)
def test_nothing_is_old_without_a_time_and_a_limit(ended_at: float, days: int, old: bool) -> None:
    assert is_old(ended_at, NOW, days) is old


@pytest.mark.parametrize(
    ("attempt", "run", "task", "old"),
    [
        (an_attempt(), a_run(), a_task(), True),
        (an_attempt(), a_run(), None, True),
        (an_attempt(), a_run(), a_task("in_review"), False),
        (an_attempt(), a_run(), a_task("needs_review"), False),
        (an_attempt(), a_run(status="blocked"), a_task(), False),
        (an_attempt(), None, None, False),
        (an_attempt(status="running", ended_at=0.0), a_run(), a_task(), False),
        (an_attempt(), a_run(ended_at=NOW), a_task(), False),
    ],
)
def test_files_of_an_attempt(
    attempt: Attempt, run: Run | None, task: Task | None, old: bool
) -> None:
    assert attempt_is_old(attempt, run, task, NOW, 10) is old


def test_a_folder_goes_only_with_a_task_that_is_done() -> None:
    assert folder_is_old(a_run(), a_task(), NOW, 10)
    assert not folder_is_old(a_run(), a_task("cancelled"), NOW, 10)
    assert not folder_is_old(a_run(repo="thing"), a_task(), NOW, 10)
    assert not folder_is_old(a_run(), None, NOW, 10)


def test_a_terminal_is_left_alone_for_a_while() -> None:
    assert terminal_is_stray(an_attempt(ended_at=NOW - 60), NOW, 60)
    assert not terminal_is_stray(an_attempt(ended_at=NOW - 59), NOW, 60)
    assert not terminal_is_stray(an_attempt(status="running", ended_at=0.0), NOW, 60)


def test_the_text_for_prometheus_escapes_what_is_in_names() -> None:
    book = BookFigures(
        attempts=[AttemptFigures('a"\\\n', "work", "failed", 2, 1.5, usd=0.25)], waiting_since=90.0
    )
    text = exposition(list(samples(book, 100.0)))
    named = 'agent="a\\"\\\\\\n",role="work",status="failed"'
    assert f"orch_attempts_total{{{named}}} 2\n" in text
    assert f"orch_cost_usd_total{{{named}}} 0.25\n" in text
    assert "orch_tokens_in_total" not in text, "what nobody told is not zero"
    assert "orch_queue_age_seconds 10\n" in text
    assert text.count("# TYPE orch_attempts_total counter\n") == 1
