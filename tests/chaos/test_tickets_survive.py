"""Tickets of a tracker, while the service is killed and the tracker's answers get lost.

60 tickets here; `ORCH_TICKETS=600` plays the whole.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import ticket_trial

TICKETS = int(os.environ.get("ORCH_TICKETS", "60"))
pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300 + 16 * TICKETS)]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name: tmux's socket lies where a home is, if it has room."""
    with tempfile.TemporaryDirectory(prefix="k", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def test_no_ticket_is_lost_and_nothing_is_there_twice(short: Path) -> None:
    """H60, H61, H81, H85, H93: 5 % of the answers are lost, 5 % are 502 (of half of which the act is
    done), lists lag, the host asks to slow down, and the service is killed every second or so."""
    wrong = ticket_trial.play(
        short / "w", tickets=TICKETS, kills=TICKETS // 4, seed=1, limit_s=180 + 12 * TICKETS
    )
    assert wrong == [], "\n".join(wrong)


def test_the_audit_sees_what_is_wrong(short: Path) -> None:
    """Each planted wrong is named."""
    with ticket_trial.at_github(short / "w", agents={"one": ticket_trial.WRITES}) as octo:
        issue = octo.issue("Left alone", labels=["orch", "status:new"])
        mark = "<!-- orch:v1:task-1.0 -->"
        for _ in range(2):
            octo.github.world.new_comment(octo.user("bot"), issue, f"one {mark}")
        assert octo.world.orch("task", "add", "Nobody's", "--repo", "thing").code == 0
        octo.project.git.commit("orch/left", {"left.txt": ""}, start="main")
        pull = ticket_trial.pulls.open_pull(
            octo.github.world, octo.user("bot"), octo.project, title="Left", head="orch/left",
            base="main",
        )  # fmt: skip
        wrong = "\n".join(ticket_trial.complaints(octo, [issue]))
        for word in (
            "ticket 1 is open", "status:new", "has 2 comments", f"twice: 1 {mark}",
            f"pull request {pull.number} is open", "task 1 is new", "ticket 1 has not one task",
            "nobody asked for a task", "branch left over in thing.git",
        ):  # fmt: skip
            assert word in wrong, (word, wrong)
