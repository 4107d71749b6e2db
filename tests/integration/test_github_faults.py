"""With lost answers, 502s and lists that lag: who looks before they act makes each thing once.

The recipes here are those of RELIABILITY §5, as short as they can be; the adapters' own are tested
with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from orch.hosts.failures import Invalid, Limited, Refused, Unanswered, Unknown
from orch.hosts.github.client import GitHub, connect
from orch.hosts.github.facts import Comment, Issue, Pull
from tests.standins.github.faults import Chances
from tests.standins.github.server import GitHubStandIn

R = "octo/hello"
LAG_S = 5.0
TASKS = 60
T = TypeVar("T")


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[GitHubStandIn]:
    with GitHubStandIn(tmp_path / "github") as made:
        made.world.add_repo(R).git.commit("main", {"README.md": "hello\n"})
        yield made


class Worker:
    """Makes what is wanted, however often it has to ask."""

    def __init__(self, standin: GitHubStandIn, github: GitHub, *, looks: bool) -> None:
        self.clock, self.github, self.looks = standin.world.clock, github, looks

    def make(self, look: Callable[[], T | None], act: Callable[[], T | Unknown]) -> T:
        acted = False
        while True:
            try:
                if acted and self.looks:
                    self.clock.advance(LAG_S + 1)  # a look before the lists show it is no answer
                    if (found := look()) is not None:
                        return found
                made = act()
                if not isinstance(made, Unknown):
                    return made
                acted = True
            except Limited as limit:
                self.clock.advance(limit.retry_at - self.clock() + 1)
            except Unanswered:
                self.clock.advance(1)

    def issue(self, key: str) -> Issue:
        mark = f"<!-- orch:v1:{key} -->"
        return self.make(
            lambda: next(
                (x for x in self.github.issues.created_by(R, "octo") if mark in x.body), None
            ),
            lambda: self.github.issues.create(R, title=key, body=mark),
        )

    def comment(self, number: int, key: str) -> Comment:
        mark = f"<!-- orch:v1:{key} -->"
        return self.make(
            lambda: next((x for x in self.github.comments.of(R, number) if mark in x.body), None),
            lambda: self.github.comments.create(R, number, mark),
        )

    def pull(self, branch: str) -> Pull:
        def look() -> Pull | None:
            return next(iter(self.github.pulls.with_head(R, branch)), None)

        def act() -> Pull | Unknown:
            try:
                return self.github.pulls.create(R, head=branch, base="main", title=branch)
            except Invalid as error:
                if error.code != "pull_exists":
                    raise
                self.clock.advance(LAG_S + 1)
                found = look()
                assert found is not None
                return found

        return self.make(look, act)

    def merged(self, pull: Pull) -> Pull:
        def look() -> Pull | None:
            now = self.github.pulls.get(R, pull.number)
            return now if now.state == "merged" else None

        def act() -> Pull | Unknown:
            try:
                done = self.github.pulls.merge(
                    R, pull.number, head_sha=pull.head_sha, method="squash"
                )
            except Refused:
                return look() or pull
            return done if isinstance(done, Unknown) else self.github.pulls.get(R, pull.number)

        return self.make(look, act)


def worked(standin: GitHubStandIn, seed: int, *, looks: bool) -> list[str]:
    """What is there more than once after all tasks."""
    world = standin.world
    world.lag_s = LAG_S
    standin.faults.chances = Chances(seed, lost=50, late=25, failed=25)
    github = connect(
        standin.environ("octo"), now=world.clock, sleep=world.clock.advance, chance=lambda: 0.5
    )
    worker = Worker(standin, github, looks=looks)
    repo = world.repos[R]
    for number in range(TASKS):
        issue = worker.issue(f"t{number}")
        repo.git.commit(f"orch/t{number}", {f"t{number}.txt": "x"}, start="main")
        pull = worker.pull(f"orch/t{number}")
        worker.comment(issue.number, f"t{number}/said")
        assert worker.merged(pull).state == "merged"
    github.close()
    assert standin.audit.faults()["lost"] >= 5
    assert len(standin.audit.issues_by_marker(R)) == TASKS
    assert len(standin.audit.comments_by_marker(R)) == TASKS
    assert standin.limits.sinned == 0
    return standin.audit.duplicates(R)


def test_who_looks_before_they_act_makes_each_thing_once(standin: GitHubStandIn) -> None:
    assert worked(standin, 1, looks=True) == []


def test_who_does_not_look_makes_things_twice(standin: GitHubStandIn) -> None:
    """The stand-in sees it: without this the test above could be blind."""
    assert worked(standin, 1, looks=False) != []
