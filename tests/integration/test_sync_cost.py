"""What it costs to know ten thousand tickets: requests, points, and nothing of what is the person's.

`ORCH_ISSUES` sets how many.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orch.compose import open_orch
from orch.compose.service import make_sourcing
from orch.engine.sourcing import Looked, Sourcing
from orch.hosts.budget import RESERVE
from orch.hosts.github import shared
from tests.standins.github.world import Issue
from tests.trackers_world import RULES, SOURCE, Octo, at_github

ISSUES = int(os.environ.get("ORCH_ISSUES", "10000"))
PAGES = -(-ISSUES // 100)


@pytest.fixture
def octo(tmp_path: Path) -> Iterator[Octo]:
    with at_github(tmp_path, agents={}, text=RULES + SOURCE) as made:
        yield made
    shared.close_all()


@pytest.fixture
def sourcing(octo: Octo) -> Iterator[Sourcing]:
    with closing(open_orch(octo.world.environ(), octo.world.root, person="pat")) as orch:
        yield make_sourcing(orch, orch.rooms.person)


def filled(octo: Octo, count: int) -> list[Issue]:
    """So many open issues, the oldest an hour a page old."""
    world, owner, made = octo.github.world, octo.user("octo"), []
    now = world.clock()
    for number in range(count):
        issue = world.new_issue(owner, octo.project, f"Issue {number}", "Something is wrong.")
        issue.created = issue.updated = now - 36.0 * (count - number)
        made.append(issue)
    return made


def asked(octo: Octo) -> Counter[str]:
    """What was asked since the last time, by method, path and name."""
    found = Counter(one.request.partition("?")[0] for one in octo.github.log)
    octo.github.log.clear()
    return found


def looked(sourcing: Sourcing) -> Looked:
    told = sourcing.look("thing")
    assert told.error == ""
    return told


def test_ten_thousand_issues_cost_a_request_a_look_and_a_few_for_what_changed(
    octo: Octo, sourcing: Sourcing
) -> None:
    """H93."""
    octo.github.limits.points = 100_000  # what a minute may hold is another test's matter
    issues = filled(octo, ISSUES)
    first = looked(sourcing)
    spent = asked(octo)
    assert (first.seen, first.news, first.open) == (ISSUES, ISSUES, ISSUES)
    assert spent["POST /graphql Sync"] == PAGES
    assert spent.total() <= PAGES + 5
    points = octo.github.limits.window("bot", "graphql").used
    assert points <= 6 * PAGES + 5

    again = looked(sourcing)
    assert (again.news, again.open) == (0, ISSUES)
    assert asked(octo).total() <= 5
    assert octo.github.limits.window("bot", "graphql").used - points <= 20

    world, owner = octo.github.world, octo.user("octo")
    changed = issues[:: ISSUES // 190][:190]
    for number, issue in enumerate(changed):
        if number % 3 == 0:
            world.edit_issue(owner, issue, body="Something else is wrong.")
        elif number % 3 == 1:
            world.set_state(owner, issue, "closed", "completed")
        else:
            octo.label(issue, "bug")
    for number in range(10):
        octo.issue(f"New {number}", labels=["orch"] if number < 5 else [])
    news = looked(sourcing)
    assert news.news == len(changed) + 10
    assert len(news.tasks) == 5
    assert asked(octo).total() <= 20
    assert (looked(sourcing).news, octo.github.limits.sinned) == (0, 0)


def test_a_whole_look_stops_before_the_persons_reserve_and_goes_on_at_the_reset(
    octo: Octo, sourcing: Sourcing
) -> None:
    """H95."""
    filled(octo, 600)
    limits, began = octo.github.limits, time.time()
    limits.hour_s = 6.0
    limits.window("bot", "graphql").used = limits.graphql - RESERVE - 20
    told = sourcing.look("thing")
    assert f"{RESERVE} are kept for you" in told.error
    assert limits.lowest["graphql"] >= RESERVE
    state = sourcing.state("thing")
    reset = limits.window("bot", "graphql").reset
    assert state.due == pytest.approx(reset, abs=1.1)
    assert state.due > began
    for _ in range(10):  # somebody asks all the same
        assert "are kept for you" in sourcing.look("thing").error
    assert limits.lowest["graphql"] >= RESERVE
    time.sleep(max(0.0, state.due - time.time()))
    told = sourcing.look("thing")
    assert (told.error, told.seen) == ("", 600)
    assert limits.sinned == 0
