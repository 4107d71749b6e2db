"""A wall clock that somebody puts back: nothing waits for a day that was already over."""

from __future__ import annotations

from orch.model.dispatching import is_due
from orch.model.subscription import Window, rolled
from orch.model.task import Task
from orch.model.wall import SLACK_S, put_back

NOW = 1_000_000.0


def test_only_what_lies_well_ahead_says_so() -> None:
    assert not put_back(0.0, NOW)
    assert not put_back(NOW, NOW)
    assert not put_back(NOW + SLACK_S, NOW)
    assert put_back(NOW + SLACK_S + 1, NOW)


def test_a_task_that_waits_for_a_time_is_looked_at_again() -> None:
    waiting = Task(id=1, title="x", state="new", wake_at=NOW + 300, updated_at=NOW)
    assert not is_due(waiting, NOW)
    assert is_due(waiting, NOW + 300)
    assert is_due(waiting, NOW - 3600)


def test_a_window_that_has_yet_to_begin_is_a_new_one() -> None:
    window = Window(agent="able", started_at=NOW, used=5.0, room=10.0, length_s=18_000.0)
    assert rolled(window, NOW + 60) == window
    assert rolled(window, NOW - 86_400) == Window(agent="able", room=10.0, length_s=18_000.0)
