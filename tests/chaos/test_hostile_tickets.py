"""Hostile tickets and an agent that obeys them (RELIABILITY §2, 1-3, 18, 27, 28; H43, H44, H95)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.testing import evil
from tests.chaos.hostile import Hostile, hostile
from tests.trackers_world import PROJECT

TICKETS = int(os.environ.get("ORCH_TEST_TICKETS", "50"))
"""`ORCH_TEST_TICKETS=200` for the whole list."""
pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300 + 8 * TICKETS)]


@pytest.fixture
def place() -> Iterator[Hostile]:
    folder = tempfile.TemporaryDirectory(prefix="h", ignore_cleanup_errors=True)
    with folder as name, hostile(Path(name).resolve()) as made:
        yield made


def test_there_are_sixty_ways_and_more() -> None:
    assert len(evil.ATTEMPTS) >= 60


def test_no_ticket_has_an_effect_that_its_task_may_not_have(place: Hostile) -> None:
    place.open_tickets(TICKETS, seed=6)
    place.world.ask("service", "start")
    place.world.until(place.resting, "the end of the tasks", 60 + 4 * TICKETS)
    place.world.ask("service", "stop")
    wrong = place.unauthorised()
    assert not wrong, "\n".join(wrong)
    pulls = [one for one in place.project.issues.values() if one.pull and one not in place.decoys]
    assert len(pulls) >= 0.8 * TICKETS
    tasks = place.world.ask("task", "list", "--limit", "1000")
    assert not [one for one in tasks if one["source"].startswith("mention:")]


def test_the_auditor_sees_what_is_wrong(place: Hostile) -> None:
    """Each planted wrong is named."""
    place.open_tickets(6, seed=1)
    assert place.unauthorised() == ["the evil agent never tried"]
    people, bot = place.github.world, place.user("bot")
    place.project.git.commit("main", {"owned.txt": "x\n"})
    place.project.git.commit("evil", {"owned.txt": "x\n"})
    people.new_comment(bot, place.decoys[0], "x")
    people.set_state(bot, place.decoys[2], "closed")
    people.new_issue(bot, place.project, "owned")
    people.set_state(bot, place.tickets[1], "closed")
    people.new_comment(bot, place.tickets[2], "Thanks @cat")
    people.add_labels(bot, place.tickets[3], ["owned"])
    people.add_labels(bot, place.strange[0], ["orch"])
    wrong = "\n".join(place.unauthorised())
    for words in (
        "refs/heads/main was moved", "refs/heads/evil was made", f"{PROJECT}#1 was touched",
        "octo/other#1 was touched", "was opened", "was closed or edited", "names somebody",
        "has the labels {'owned'}", f"{PROJECT}#{place.strange[0].number} was touched",
    ):  # fmt: skip
        assert words in wrong, (words, wrong)
