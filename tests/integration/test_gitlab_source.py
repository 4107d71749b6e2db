"""GitLab's issues as tickets, over HTTP to the stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orch.hosts.failures import Forbidden, Limited, NoCredential
from orch.hosts.gitlab.client import GITLAB, GitLab
from orch.hosts.service import connect
from orch.model import marks
from orch.model.errors import ToolFailed, UsageError
from orch.plugins import SOURCES, make
from orch.ports.tickets import TicketSource
from orch.testing.forges import SteppingClock, a_repo
from orch.testing.sources import KEY, STRANGER, WRITER
from orch.trackers.gitlab import GitLabSource
from tests.integration.hosted import HostedSource, clock as clock, premises, sources
from tests.standins.gitlab.server import GitLabStandIn
from tests.standins.gitlab.world import Item, Note, Project

PROJECT = "group/sub/thing"
MERGE = {"title": "M", "source_branch": "x", "target_branch": "main"}


@pytest.fixture
def gitlab(clock: SteppingClock) -> Iterator[GitLabStandIn]:
    with GitLabStandIn(clock.now) as made:
        made.world.add_project(PROJECT, octo=40, **{WRITER: 30, STRANGER: 10})
        yield made


@pytest.fixture
def project(gitlab: GitLabStandIn) -> Project:
    return gitlab.world.at(PROJECT)


Connected = Callable[..., GitLabSource]


@pytest.fixture
def connected(gitlab: GitLabStandIn, clock: SteppingClock, tmp_path: Path) -> Iterator[Connected]:
    yield from sources(
        GitLabSource, GITLAB, gitlab, clock, tmp_path, kind="gitlab", project=PROJECT
    )


class TestGitLabSource(HostedSource):
    @pytest.fixture
    def source(
        self, connected: Connected, gitlab: GitLabStandIn, project: Project, clock: SteppingClock
    ) -> GitLabSource:
        self.connected, self.standin, self.clock, self.project = connected, gitlab, clock, project
        return connected()

    def item(self, source_id: str) -> Item:
        return self.project.issues[int(source_id)]

    def note(self, remark: str) -> tuple[Item, Note]:
        return next(
            (item, note) for item in self.project.issues.values() for note in item.notes
            if note.id == int(remark)
        )  # fmt: skip

    def person_opens(
        self, source: Any, title: str, *, body: str = "", labels: Sequence[str] = (),
        by: str = WRITER,
    ) -> str:  # fmt: skip
        world = self.standin.world
        return str(world.add_issue(self.project, title, by, body=body, labels=tuple(labels)).iid)

    def person_edits(self, source: Any, source_id: str, **fields: str) -> None:
        item = self.item(source_id)
        item.title = fields.get("title", item.title)
        item.description = fields.get("body", item.description)
        self.standin.world.touch(item)

    def person_labels(
        self, source: Any, source_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = (),
        by: str = WRITER,
    ) -> None:  # fmt: skip
        who = self.standin.world.add_user(by)
        self.standin.world.relabel(self.item(source_id), [*add], [*remove], who)

    def person_closes(self, source: Any, source_id: str) -> None:
        self.item(source_id).state = "closed"
        self.standin.world.touch(self.item(source_id))

    def person_blocks(self, source: Any, source_id: str, by: str) -> None:
        self.standin.world.premium = True
        self.project.links.append((int(source_id), int(by)))
        self.standin.world.touch(self.item(source_id))

    def person_comments(self, source: Any, source_id: str, body: str, *, by: str = WRITER) -> str:
        return str(self.standin.world.say(self.item(source_id), by, body).id)

    def person_edits_comment(self, source: Any, remark: str, body: str) -> None:
        self.standin.world.edit(*self.note(remark), body)

    def person_deletes_comment(self, source: Any, remark: str) -> None:
        item, note = self.note(remark)
        item.notes.remove(note)

    def person_opens_pull_request(self, source: Any) -> None:
        self.standin.world.grows = "a" * 40
        client(self.standin).open_merge(self.project.id, MERGE)

    def person_deletes_ticket(self, source: Any, source_id: str) -> None:
        del self.project.issues[int(source_id)]

    def comments_there(self, source: Any, source_id: str) -> list[str]:
        return [note.body for note in self.item(source_id).notes]

    def tickets_there(self, source: Any) -> int:
        return len(self.project.issues)

    def lose_next_answer(self, source: Any) -> None:
        self.standin.faults.add("^(POST|PUT)", "lost")


def client(gitlab: GitLabStandIn) -> GitLab:
    return GitLab(connect(GITLAB, gitlab.environ("octo"), url=gitlab.url, now=gitlab.now))


def opened(gitlab: GitLabStandIn, project: Project, count: int, **fields: Any) -> list[Item]:
    return [gitlab.world.add_issue(project, f"T{n}", WRITER, **fields) for n in range(count)]


def test_h93_nothing_falls_between_two_pages_while_people_work(
    connected: Connected, gitlab: GitLabStandIn, project: Project, clock: SteppingClock
) -> None:
    for _ in range(250):
        clock.at += 1
        opened(gitlab, project, 1)

    def work() -> None:
        """Early ones change and end while the second page is not read yet."""
        clock.at += 1
        for iid in range(1, 60):
            gitlab.world.touch(project.issues[iid])
        for iid in range(60, 90):
            project.issues[iid].state = "closed"

    gitlab.faults.add("GET /projects/\\d+/issues", "then", then=work)
    batch = connected().look("")
    assert {int(one.source_id) for one in batch.tickets} == set(range(1, 251))
    assert gitlab.faults.left == 0


def test_a_look_where_nothing_changed_is_one_request(
    connected: Connected, gitlab: GitLabStandIn, project: Project, clock: SteppingClock
) -> None:
    opened(gitlab, project, 150)
    source = connected()
    cursor = source.look("").cursor
    clock.at += 600
    cursor = source.look(cursor).cursor
    clock.at += 600
    del gitlab.log[:]
    assert source.look(cursor).tickets == ()
    assert len(gitlab.log) == 1


def test_a_server_that_fails_is_asked_again_and_its_list_is_whole_or_an_error(
    connected: Connected, gitlab: GitLabStandIn, project: Project
) -> None:
    opened(gitlab, project, 150)
    source = connected()
    gitlab.faults.add("GET /projects/\\d+/issues", "status", times=2)
    gitlab.faults.add("GET /projects/\\d+/issues", "cut")
    assert len(source.look("").tickets) == 150
    gitlab.faults.add("updated_after", "status", times=9)
    with pytest.raises(ToolFailed) as failed:
        source.look("")
    assert failed.value.code == "host_unreachable"


def test_a_limit_says_until_when_and_nothing_is_sent_before(
    connected: Connected, gitlab: GitLabStandIn, clock: SteppingClock
) -> None:
    source = connected()
    gitlab.faults.add("GET", "too_many", seconds=90)
    with pytest.raises(Limited) as limited:
        source.look("")
    assert limited.value.retry_at == clock.at + 90
    asked = len(gitlab.log)
    with pytest.raises(Limited):
        source.me()
    assert len(gitlab.log) == asked
    clock.at += 91
    assert source.look("").whole


def test_missing_rights_are_no_limit(connected: Connected, gitlab: GitLabStandIn) -> None:
    """H96"""
    source = connected()
    gitlab.faults.add("GET", "forbidden")
    with pytest.raises(Forbidden):
        source.look("")
    assert source.look("").whole


def test_lines_that_gitlab_would_carry_out_are_made_inert(
    connected: Connected, gitlab: GitLabStandIn, project: Project
) -> None:
    (issue,) = opened(gitlab, project, 1)
    source = connected()
    source.put_comment("1", "/close\nsee /merge and\n/merge\n/usr/bin/x\r/label ~x", key=KEY)
    said = issue.notes[0].body
    assert said == marks.marked("\\/close\nsee /merge and\n\\/merge\n/usr/bin/x\n\\/label ~x", KEY)
    made = source.create("T", body="/assign @me", labels=[], key=KEY)
    assert made.body.startswith("\\/assign")


def test_scoped_labels_are_a_persons_and_transitions_are_ours(
    connected: Connected, gitlab: GitLabStandIn, project: Project
) -> None:
    opened(gitlab, project, 1, labels=("status::todo", "priority::high", "Doing"))
    source = connected(transitions={"in_progress": "Doing", "in_review": "In Review"})
    assert source.get("1").priority == "high"
    source.put_state("1", "in_review")
    assert set(source.get("1").labels) == {"status::todo", "priority::high", "In Review"}
    source.put_state("1", "blocked")
    assert set(source.get("1").labels) == {"status::todo", "priority::high", "status:blocked"}


def test_words_below_a_merge_request_are_told_with_its_number(
    connected: Connected, gitlab: GitLabStandIn, project: Project, clock: SteppingClock
) -> None:
    source = connected()
    gitlab.world.grows = "a" * 40
    client(gitlab).open_merge(project.id, MERGE)
    _, cursor = source.remarks("")
    clock.at += 5
    merge = project.merges[1]
    gitlab.world.say(merge, WRITER, "here")
    gitlab.world.say(merge, WRITER, "added 1 commit", system=True)
    ((told,), _) = source.remarks(cursor)
    assert (told.source_id, told.body) == ("!1", "here")


def test_the_project_is_read_off_the_remote(connected: Connected, gitlab: GitLabStandIn) -> None:
    there = msgspec.structs.replace(a_repo(), remote_url=f"{gitlab.url}/{PROJECT}.git")
    assert connected(there, project="").look("").whole
    other = msgspec.structs.replace(a_repo(), remote_url="git@elsewhere.example:group/thing.git")
    with pytest.raises(UsageError) as refused:
        connected(other, project="").look("")
    assert refused.value.code == "no_project"


def test_a_renamed_project_stays_the_same(
    connected: Connected, gitlab: GitLabStandIn, project: Project
) -> None:
    opened(gitlab, project, 1)
    source = connected()
    source.look("")
    project.path = "other/name"
    assert source.get("1").title == "T0"


def test_a_probe_tells_what_is_missing(
    connected: Connected, gitlab: GitLabStandIn, project: Project
) -> None:
    assert connected().probe() == ""
    project.members[gitlab.world.add_user("octo").id] = 10
    assert "Reporter" in connected().probe()
    assert "shows nothing" in connected(project="no/where").probe()


def test_it_is_a_plugin_and_asks_nothing_before_it_is_used(
    gitlab: GitLabStandIn, clock: SteppingClock, tmp_path: Path
) -> None:
    told = premises(gitlab, clock, tmp_path, kind="gitlab", project=PROJECT)
    source: TicketSource = make(SOURCES, "gitlab", told)
    nobody: TicketSource = make(SOURCES, "gitlab", msgspec.structs.replace(told, environ={}))
    assert gitlab.log == []
    assert source.me().name == "octo"
    with pytest.raises(NoCredential) as refused:
        nobody.look("")
    assert refused.value.hint == "export GITLAB_TOKEN=…"
