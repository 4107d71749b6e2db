"""Issues of Gitea and Forgejo as tickets, over HTTP to the stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orch.hosts.failures import Unreadable
from orch.hosts.gitea.client import GITEA
from orch.model import marks
from orch.model.errors import NotFound, UsageError
from orch.model.tracked import Author
from orch.plugins import SOURCES, make
from orch.testing.forges import SteppingClock, a_repo
from orch.testing.sources import KEY, WRITER
from orch.trackers.gitea import GiteaSource
from tests.integration.hosted import HostedSource, clock as clock, premises, sources
from tests.standins.gitea.server import GiteaStandIn
from tests.standins.gitea.world import Item, Line, Repo

PROJECT = "octo/thing"
Connected = Callable[..., GiteaSource]


@pytest.fixture
def gitea(clock: SteppingClock) -> Iterator[GiteaStandIn]:
    with GiteaStandIn(clock.now) as made:
        made.world.add_repo(PROJECT, octo="admin", **{WRITER: "write"})
        yield made


@pytest.fixture
def project(gitea: GiteaStandIn) -> Repo:
    return gitea.world.repos[PROJECT]


@pytest.fixture
def connected(gitea: GiteaStandIn, clock: SteppingClock, tmp_path: Path) -> Iterator[Connected]:
    yield from sources(GiteaSource, GITEA, gitea, clock, tmp_path, kind="gitea", project=PROJECT)


def a_pull(gitea: GiteaStandIn, repo: Repo) -> Item:
    pull = {"head": "x", "base": "main", "sha": "a" * 40, "start": "", "reviews": [], "asked": []}
    return gitea.world.add_issue(repo, "M", "octo", pull=pull)


class TestGiteaSource(HostedSource):
    @pytest.fixture
    def source(
        self, connected: Connected, gitea: GiteaStandIn, project: Repo, clock: SteppingClock
    ) -> GiteaSource:
        self.connected, self.standin, self.clock, self.project = connected, gitea, clock, project
        return connected()

    def item(self, source_id: str) -> Item:
        return self.project.items[int(source_id)]

    def line(self, remark: str) -> tuple[Item, Line]:
        return next(
            (item, line) for item in self.project.items.values() for line in item.lines
            if line.id == int(remark)
        )  # fmt: skip

    def person_opens(
        self, source: Any, title: str, *, body: str = "", labels: Sequence[str] = (),
        by: str = WRITER,
    ) -> str:  # fmt: skip
        world = self.standin.world
        return str(world.add_issue(self.project, title, by, body=body, labels=tuple(labels)).number)

    def person_edits(self, source: Any, source_id: str, **fields: str) -> None:
        item = self.item(source_id)
        item.title, item.body = fields.get("title", item.title), fields.get("body", item.body)
        item.updated = self.standin.world.stamp()

    def person_labels(
        self, source: Any, source_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = (),
        by: str = WRITER,
    ) -> None:  # fmt: skip
        world = self.standin.world
        on, off = ([world.label(self.project, name) for name in names] for names in (add, remove))
        world.relabel(self.project, self.item(source_id), on, off, world.add_user(by))

    def person_closes(self, source: Any, source_id: str) -> None:
        self.standin.world.close(self.item(source_id))

    def person_blocks(self, source: Any, source_id: str, by: str) -> None:
        self.project.waits.append((int(source_id), int(by)))
        world = self.standin.world
        world.line(self.item(source_id), "add_dependency", world.add_user(WRITER), "")

    def person_comments(self, source: Any, source_id: str, body: str, *, by: str = WRITER) -> str:
        return str(self.standin.world.say(self.item(source_id), by, body).id)

    def person_edits_comment(self, source: Any, remark: str, body: str) -> None:
        self.standin.world.edit(*self.line(remark), body)

    def person_deletes_comment(self, source: Any, remark: str) -> None:
        item, line = self.line(remark)
        item.lines.remove(line)

    def person_opens_pull_request(self, source: Any) -> None:
        a_pull(self.standin, self.project)

    def person_deletes_ticket(self, source: Any, source_id: str) -> None:
        del self.project.items[int(source_id)]

    def comments_there(self, source: Any, source_id: str) -> list[str]:
        return [line.body for line in self.item(source_id).lines if line.type == "comment"]

    def tickets_there(self, source: Any) -> int:
        return len(self.project.items)

    def lose_next_answer(self, source: Any) -> None:
        self.standin.faults.add("^(POST|PATCH|DELETE)", "lost")


def test_h93_what_is_closed_while_pages_are_read_hides_nothing(
    connected: Connected, gitea: GiteaStandIn, project: Repo
) -> None:
    for number in range(120):
        gitea.world.add_issue(project, f"T{number}", WRITER)

    def work() -> None:
        for number in range(110, 120):
            gitea.world.close(project.items[number])

    gitea.faults.add(r"GET .*/issues\?.*state=open.*page=1", "then", then=work)
    batch = connected().look("")
    assert {int(one.source_id) for one in batch.tickets} == {*range(1, 110), 120}
    assert gitea.faults.left == 0
    closing = iter(range(1, 20))
    gitea.faults.add(
        r"GET .*/issues\?.*state=open.*page=1", "then", times=5,
        then=lambda: gitea.world.close(project.items[next(closing)]),
    )  # fmt: skip
    with pytest.raises(Unreadable):
        connected().look("")


def test_a_label_of_long_ago_is_found_on_short_pages_of_the_timeline(
    connected: Connected, gitea: GiteaStandIn, project: Repo
) -> None:
    item = gitea.world.add_issue(project, "A", WRITER)
    for number in range(120):
        gitea.world.line(item, "code" if number % 10 else "comment", item.user, "x")
    who = gitea.world.add_user(WRITER)
    gitea.world.relabel(project, item, [gitea.world.label(project, "orch")], [], who)
    given = connected().approval("1", "orch")
    assert given is not None
    assert given.author.name == WRITER


def test_a_pull_request_is_no_ticket_by_its_number_either(
    connected: Connected, gitea: GiteaStandIn, project: Repo
) -> None:
    """H45"""
    a_pull(gitea, project)
    for act in (lambda: connected().get("1"), lambda: connected().close("1", done=True)):
        with pytest.raises(NotFound) as missing:
            act()
        assert missing.value.code == "unknown_issue"


def test_what_was_brought_from_elsewhere_is_nobodys_word(
    connected: Connected, gitea: GiteaStandIn, project: Repo, clock: SteppingClock
) -> None:
    item = gitea.world.add_issue(project, "A", "octo", original="mallory")
    source = connected()
    assert source.get("1").author == Author()
    _, cursor = source.remarks("")
    clock.at += 1
    gitea.world.say(item, "octo", "/retry", original="mallory")
    ((told,), _) = source.remarks(cursor)
    assert (told.body, told.author) == ("/retry", Author())
    gitea.world.say(item, "octo", marks.marked("x", KEY), original="mallory")
    source.put_comment("1", "Ours", key=KEY)
    assert [line.body for line in item.lines][-1] == marks.marked("Ours", KEY)


def test_who_is_no_administrator_trusts_nobody_and_says_so(
    connected: Connected, gitea: GiteaStandIn, project: Repo
) -> None:
    assert connected().probe() == ""
    gitea.world.add_issue(project, "A", WRITER)
    assert connected().may_write(connected().get("1").author)
    project.rights[gitea.world.add_user("octo").id] = "write"
    assert not connected().may_write(connected().get("1").author)
    assert "allowed_authors" in connected().probe()
    project.rights[gitea.world.add_user("octo").id] = "read"
    assert "may not write" in connected().probe()


def test_a_label_is_made_once_and_any_case_of_it_is_the_same(
    connected: Connected, gitea: GiteaStandIn, project: Repo
) -> None:
    gitea.world.label(project, "Status:Blocked")
    gitea.world.add_issue(project, "A", WRITER)
    for _ in range(2):
        connected().put_state("1", "blocked")
        connected().put_state("1", "routed")
    assert sorted(project.labels.values()) == ["Status:Blocked", "status:routed"]
    assert connected().get("1").labels == ("status:routed",)


def test_the_repository_is_read_off_the_remote(connected: Connected, gitea: GiteaStandIn) -> None:
    there = replace(a_repo(), remote_url=f"{gitea.url}/{PROJECT}.git")
    assert connected(there, project="").look("").whole
    other = replace(a_repo(), remote_url="https://elsewhere.example/octo/thing")
    with pytest.raises(UsageError) as refused:
        connected(other, project="").look("")
    assert refused.value.code == "no_project"


@pytest.mark.parametrize("kind", ["gitea", "forgejo"])
def test_it_is_a_plugin_under_both_names(
    gitea: GiteaStandIn, clock: SteppingClock, tmp_path: Path, kind: str
) -> None:
    made = make(SOURCES, kind, premises(gitea, clock, tmp_path, kind=kind, project=PROJECT))
    assert made.me().name == "octo"
