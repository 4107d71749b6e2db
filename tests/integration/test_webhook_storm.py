"""Deliveries that come many times, in any order, or not at all: the same end, and nothing twice.

`ORCH_DELIVERIES` says how many there are at least (1,000 without it).
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from orch.store.sqlite import SqliteStore
from tests.standins.github.hooks import Delivery
from tests.standins.github.world import Issue
from tests.trackers_world import RULES, SOURCE, Octo, at_github

AT_LEAST = int(os.environ.get("ORCH_DELIVERIES", "1000"))
SECRET = "s3cret-of-the-hook"
STORM = SOURCE.replace("interval_s = 0.5", f"interval_s = 3600\nsecrets = ['{SECRET}']")
WRITES = "command = ['sh', '-c', 'echo \"$ORCH_ATTEMPT\" > work.txt']"


@pytest.fixture
def octo(tmp_path: Path) -> Iterator[Octo]:
    with at_github(tmp_path, agents={"one": WRITES}, text=RULES + STORM) as made:
        yield made


def serving(octo: Octo) -> str:
    """The address at which a service takes deliveries in."""
    process = octo.world.start("serve", "--webhooks", "127.0.0.1:0", "--json")
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line.startswith("}"):
            return f"{json.loads(text)['webhooks']}/webhooks/thing"
    raise AssertionError(f"the service ended: {text}")


class People:
    """What goes on at the project, by a seed."""

    def __init__(self, octo: Octo, rng: random.Random) -> None:
        self._octo, self._rng = octo, rng
        self.issues: list[Issue] = []
        self.labelled: set[int] = set()

    def act(self) -> None:
        rng, world = self._rng, self._octo.github.world
        who = self._octo.user(rng.choice(["octo", "cat", "stranger"]))
        if len(self.issues) < 40 or rng.random() < 0.02:
            self.issues.append(
                world.new_issue(who, self._octo.project, f"Issue {len(self.issues)}", "body")
            )
            return
        issue = rng.choice(self.issues)
        deed = rng.random()
        if deed < 0.5:
            world.edit_issue(who, issue, title=f"Title {rng.random()}")
        elif deed < 0.7:
            world.new_comment(who, issue, f"I say {rng.random()}")
        elif deed < 0.9:
            states = {"open": "closed", "closed": "open"}
            if issue.number not in self.labelled:
                world.set_state(self._octo.user("octo"), issue, states[issue.state])
        elif len(self.labelled) < 8 and issue.state == "open":
            self._octo.label(issue, "orch")
            self.labelled.add(issue.number)


def post(pool: Any, url: str, one: Delivery) -> int:
    answer = pool.request("POST", url, body=one.body, headers=one.headers(SECRET), retries=False)
    assert answer.status in (200, 202), answer.data
    return int(answer.status)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_h85_deliveries_are_hints_however_they_come(octo: Octo) -> None:
    """Each comes up to three times, shuffled, and one in ten never; polling fills the gaps."""
    octo.github.limits.enabled = False  # two processes ask beside each other, as fast as they can
    rng = random.Random(7)
    url, pool, people = serving(octo), urllib3.PoolManager(), People(octo, rng)
    waiting: list[Delivery] = []
    taken: Counter[int] = Counter()
    sent = 0
    while sent < AT_LEAST or waiting:
        if sent < AT_LEAST:
            with octo.github.world.lock:
                for _ in range(20):
                    people.act()
        for one in octo.github.hooks.take():
            if rng.random() >= 0.1:
                waiting += [one] * rng.choice([1, 1, 2, 3])
        rng.shuffle(waiting)
        late = 0 if sent >= AT_LEAST else len(waiting) // 3
        due, waiting = waiting[late:], waiting[:late]
        for one in due:
            taken[post(pool, url, one)] += 1
            sent += 1
    assert taken[202]
    assert taken[200]
    done = octo.world.ask("tickets", "sync")
    assert [one["error"] for one in done] == [""]

    def settled() -> bool:
        tasks = octo.world.ask("task", "list", "--global")
        return {task["status"] for task in tasks} <= {"in_review", "done"} and bool(tasks)

    octo.world.until(settled, "the end of all tasks", 300)
    octo.world.until(lambda: all(
        "status:in_review" in octo.labels(octo.project.issues[n]) for n in people.labelled
    ), "the labels of all", 150)  # fmt: skip
    octo.world.ask("tickets", "sync")
    listed = {one["source_id"]: one for one in octo.world.ask("tickets", "list")}
    for issue in people.issues:
        known = listed[str(issue.number)]
        state = "in_progress" if issue.number in people.labelled else issue.state
        assert (known["title"], known["state"]) == (issue.title, state)
        assert set(known["labels"]) >= octo.labels(issue) - {"status:in_review"}
    tasks = Counter(task["source"] for task in octo.world.ask("task", "list", "--global"))
    assert tasks == {f"ticket:thing:{number}": 1 for number in people.labelled}
    assert octo.github.audit.duplicates("octo/thing") == []
    books = SqliteStore(octo.world.home / "orch.db", now=time.time, install="x")
    try:
        octo.world.until(lambda: not books.deliveries.waiting("thing"), "all deliveries", 150)
    finally:
        books.close()


def test_one_hint_is_enough_and_a_forged_one_is_none(octo: Octo) -> None:
    url, pool = serving(octo), urllib3.PoolManager()
    octo.world.until(lambda: octo.world.ask("repo", "sources", "list")[0]["synced_at"], "a look")
    issue = octo.issue("Add a flag", "Please.", labels=["orch"])
    deliveries = octo.github.hooks.take()
    forged = pool.request(
        "POST", url, body=deliveries[0].body + b" ", headers=deliveries[0].headers(SECRET)
    )
    assert forged.status in (401, 403)
    bare = pool.request("POST", url, body=deliveries[0].body,
                        headers={"content-type": "application/json"})  # fmt: skip
    assert bare.status >= 400
    assert octo.world.ask("task", "list", "--global") == []
    assert post(pool, url, deliveries[-1]) == 202
    assert post(pool, url, deliveries[-1]) == 200
    octo.world.until(
        lambda: "status:in_review" in octo.labels(issue), "the pull request in review", 40
    )
    assert len(octo.world.ask("task", "list", "--global")) == 1
