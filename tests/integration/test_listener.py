"""People talk in comments: what they say below tickets, on a real home (H42, H43)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orch.api.facade import Orch
from orch.api.spoken_wishes import SpokenWishes
from orch.api.tasks import Tasks
from orch.compose import open_orch
from orch.config.source_tree import SourceConfig
from orch.engine.listener import Listener
from orch.model import marks
from orch.model.command import (
    AddTask,
    CloseTask,
    CreateRun,
    Hear,
    QueueTask,
    RefuseTask,
    RegisterRepo,
    RerouteTask,
)
from orch.model.errors import ToolFailed
from orch.model.event import Actor, RemarkHeard
from orch.model.heard import Heard
from orch.model.repo import Repo
from orch.model.task import Task
from orch.ports import TicketSource
from orch.testing.forges import SteppingClock
from orch.trackers.memory_source import MemoryProject, MemorySource

ME = Actor("engine", "test")
SECRET = b"the home's own"


class Place:
    """A home with one ticket of a source, and its task."""

    def __init__(self, home: Path, **table: Any) -> None:
        home.mkdir(mode=0o700, exist_ok=True)
        (home / "config.toml").write_text('[agents.codex]\ncommand = ["true"]\n')
        (home / "config.toml").chmod(0o600)
        self.environ = {"ORCH_HOME": str(home), "HOME": str(home), "PATH": "/usr/bin:/bin"}
        self.home = home
        self.orch: Orch = open_orch(self.environ, home, person="tester")
        repo = Repo(
            slug="thing", local_path=str(home / "r"), common_dir=str(home / "r/.git"),
            pinned_dir=str(home / "p"), workspace_dir=str(home / "w"), default_branch="main",
        )  # fmt: skip
        self.store = self.orch.store
        self.store.send(RegisterRepo(repo), ME)
        self.clock = SteppingClock()
        self.project = MemoryProject(self.clock)
        self.source = MemorySource(self.project, name="thing")
        self.tables = {"thing": SourceConfig(kind="memory", repo="thing", **table)}
        self.number = self.project.opens("Add a flag", body="Please.<!-- evil -->")
        self.listener = self.made()
        self.store.send(
            AddTask(title="Add a flag", repo="thing", issue=f"thing:{self.number}",
                    source=f"ticket:thing:{self.number}"), ME,
        )  # fmt: skip
        self.listen()

    def made(self, acted: Callable[[], None] = lambda: None) -> Listener:
        async def here(work: Any) -> Any:
            return work()

        wishes = SpokenWishes(self.orch)
        return Listener(self.store, self, wishes, self.clock, lambda: SECRET, here, acted)

    def all(self) -> Mapping[str, SourceConfig]:
        return self.tables

    def open(self, name: str) -> TicketSource:
        return self.source

    def listen(self) -> int:
        self.clock.at += 10
        return self.listener.listen("thing", self.tables["thing"])

    def say(self, body: str, *, by: str = "writer", number: str = "") -> str:
        comment = self.project.comments(number or self.number, body, by=by)
        self.listen()
        return comment

    @property
    def task(self) -> Task:
        found = self.store.task(1)
        assert found is not None
        return found

    def replies(self) -> list[str]:
        return [
            one.remark.body for one in self.project.said.values()
            if one.remark.author.name == "orch"
        ]  # fmt: skip

    def heard(self) -> list[RemarkHeard]:
        return [one.data for one in self.store.events(0) if isinstance(one.data, RemarkHeard)]

    def needs_a_person(self) -> None:
        self.store.send(RefuseTask(1, "it cannot begin", "mend it"), ME)
        assert self.task.state == "needs_review"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "home")
    yield made
    made.orch.close()


def test_retry_queues_a_task_that_waits_for_a_person(place: Place) -> None:
    place.needs_a_person()
    place.say("Try again:\n\n/retry")
    assert (place.task.state, place.task.reason) == ("new", "tried again by writer")
    (event,) = [one for one in place.store.events(0) if isinstance(one.data, RemarkHeard)]
    assert (event.actor, event.task) == (Actor("person", "thing:writer"), 1)
    assert place.replies() == []


def test_a_comment_counts_once_however_often_it_is_told_and_edited(place: Place) -> None:
    place.needs_a_person()
    comment = place.say("/retry")
    place.needs_a_person()
    place.project.edits_comment(comment, "/retry please")
    place.listen()
    place.store.hearing.put_cursor("thing", "1")  # as after a crash: everything is told again
    place.listen()
    assert place.task.state == "needs_review"
    assert len(place.heard()) == 1


def test_what_was_said_before_the_first_listening_is_no_order(tmp_path: Path) -> None:
    place = Place(tmp_path / "home")
    place.store.hearing.put_cursor("thing", "")
    place.project.comments(place.number, "/close")
    assert place.listen() == 0
    assert place.task.state == "new"
    place.orch.close()


@pytest.mark.parametrize("by", ["stranger", "orch"])
def test_h43_strangers_get_silence(place: Place, by: str) -> None:
    body = "/close" if by == "stranger" else marks.marked("/close", "task-1.00")
    place.say(body, by=by)
    assert place.task.state == "new"
    assert (place.heard(), place.replies()) == ([], [] if by == "stranger" else [body])
    assert place.listener.unheard["stranger"] == (1 if by == "stranger" else 0)


def test_whoever_the_table_names_is_heard(tmp_path: Path) -> None:
    place = Place(tmp_path / "home")
    friend = place.project.who("friend")
    place.tables["thing"] = SourceConfig(
        kind="memory", repo="thing", allowed_authors=(friend.id, "other")
    )
    place.say("/close", by="friend")
    place.say("/retry", by="other")  # a name: whose accounts may call themselves what they like
    assert place.task.state == "cancelled"
    place.orch.close()


def test_bots_are_not_heard(place: Place) -> None:
    place.project.who("robot", bot=True)
    place.project.writers.add("robot")
    place.say("/close", by="robot")
    assert place.task.state == "new"


def test_a_closed_ticket_is_passed_over_and_the_reading_goes_on(place: Place) -> None:
    other = place.project.opens("Another")
    place.project.closes(place.number)
    place.project.comments(place.number, "/close")
    place.say("/help", number=other)
    assert place.task.state == "new"
    assert len(place.heard()) == 1
    assert place.store.hearing.cursor("thing") != ""


def test_close_block_unblock_and_reroute(place: Place) -> None:
    place.say("/block until friday")
    assert (place.task.state, place.task.reason) == (
        "needs_review", "put aside by writer: until friday",
    )  # fmt: skip
    place.say("/unblock")
    assert (place.task.state, place.task.reason) == ("new", "unblocked by writer")
    place.say("/reroute Codex")
    assert place.task.pin == "codex"
    place.say("/block")
    place.say("/reroute codex")
    place.say("/reroute")
    assert (place.task.state, place.task.pin) == ("new", "")
    place.say("/close")
    assert (place.task.state, place.task.reason) == ("cancelled", "closed by writer")
    assert [one.split(" from now on")[0] for one in place.replies()] == [
        "Task 1 is for codex", "Task 1 is for codex", "Task 1 is for whoever fits best",
    ]  # fmt: skip


def begin(place: Place) -> None:
    """Its task has a run that is at work."""
    place.store.send(
        CreateRun(
            id="a1b2c3d4", workflow="basic_pr", entry="basic_pr", repo="thing", title="T", params={},
            sources=(), task=1, owner=place.orch.me, unattended=True,
        ), ME,
    )  # fmt: skip


def test_a_run_that_is_put_aside_is_woken_by_no_news(place: Place) -> None:
    begin(place)
    place.say("/block")
    run = place.store.run("a1b2c3d4")
    assert run is not None
    assert run.stop == "stop"
    assert place.task.reason == "put aside by writer"


@pytest.mark.parametrize(
    ("said", "told"),
    [("/unblock", "nothing to unblock"), ("/review", "no open pull request"),
     ("/reroute nobody", "nobody"), ("/rertry", "Did you mean /retry?"),
     ("/status", "task 1 waits to be begun"), ("/help", "- `/retry`")],
)  # fmt: skip
def test_what_needs_an_answer_gets_one_comment(place: Place, said: str, told: str) -> None:
    comment = place.say(said)
    (reply,) = place.replies()
    assert told in reply.replace("\\", "")
    assert marks.has(reply, marks.key_of(SECRET, f"thing:{place.number}", f"reply-{comment}"))
    place.store.hearing.put_cursor("thing", "1")
    place.listen()
    place.listen()
    assert len(place.replies()) == 1
    assert place.task.state == "new"


@pytest.mark.parametrize(
    ("said", "told"),
    [("/reroute codex", "Task 1 is for codex from now on."),
     ("/reroute", "Task 1 is for whoever fits best from now on.")],
)  # fmt: skip
def test_what_no_state_shows_is_acknowledged_once(place: Place, said: str, told: str) -> None:
    place.say(said)
    (reply,) = place.replies()
    assert told in reply
    place.store.hearing.put_cursor("thing", "1")
    place.listen()
    assert len(place.replies()) == 1


def test_a_look_at_the_pull_request_lets_nothing_go_on_that_was_put_aside(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tasks, "open_pulls", lambda self, task: ["thing#1"])
    place.say("/block do not merge this")
    place.say("/review")
    assert (place.task.state, place.task.reason) == (
        "needs_review", "put aside by writer: do not merge this",
    )  # fmt: skip
    assert "is held" in place.replies()[-1]


def test_a_command_that_asks_for_what_is_so_already_is_answered(place: Place) -> None:
    begin(place)
    place.say("/retry")
    (reply,) = place.replies()
    assert "Task 1 has an agent already." in reply


def test_an_answer_that_was_not_given_is_given_the_next_time(place: Place) -> None:
    class Deaf(MemorySource):
        def put_comment(self, *args: Any, **more: Any) -> str:
            raise ToolFailed("it does not answer")

    good, before = place.source, place.store.hearing.cursor("thing")
    place.source = Deaf(place.project, name="thing")
    place.project.comments(place.number, "/unblock")
    with pytest.raises(ToolFailed):
        place.listen()
    assert place.store.hearing.cursor("thing") == before
    place.source = good
    place.project.loses_next_answer()  # it is there, and nobody knows
    with pytest.raises(ToolFailed):
        place.listen()
    assert place.listen() == 0
    assert len(place.replies()) == len(place.heard()) == 1
    place.store.hearing.put_cursor("thing", "1")
    place.project.loses_next_answer()  # would be raised if anything was written again
    assert place.listen() == 0


def test_the_books_take_a_comment_once(place: Place) -> None:
    heard = Heard(source="thing", remark="77", ticket="thing:1", who="w", said="/close", task=1)
    assert len(place.store.send(Hear(heard, (CloseTask(1, "over"),)), ME)) == 2
    assert place.store.send(Hear(heard, (QueueTask(1, "again"),)), ME) == []
    assert place.task.state == "cancelled"


def test_what_cannot_be_done_is_heard_with_the_reason_and_nothing_else_of_it(place: Place) -> None:
    heard = Heard(source="thing", remark="78", ticket="thing:1", who="w", said="/x", task=1)
    wishes = (RerouteTask(1, "codex"), CloseTask(99, "no such task"))
    (event,) = place.store.send(Hear(heard, wishes), ME)
    assert isinstance(event.data, RemarkHeard)
    assert event.data.heard.refused == "there is no task 99"
    assert place.task.pin == ""


def test_where_nothing_is_written_back_nothing_is_answered(tmp_path: Path) -> None:
    place = Place(tmp_path / "home", write="none")
    place.say("/help")
    place.say("/close")
    assert place.replies() == []
    assert place.task.state == "cancelled"
    place.orch.close()


def test_h42_a_mention_becomes_one_task_while_it_is_not_over(place: Place) -> None:
    place.say("@orch what about\u200b tests? <!-- and secrets -->")
    place.say("@orch hello?")
    (task,) = [one for one in place.store.tasks() if one.source.startswith("mention:")]
    assert task.source == f"mention:thing:{place.number}"
    assert (task.title, task.labels, task.repo) == ("Asked: Add a flag", ("mention",), "thing")
    assert "writer wrote below" in task.body
    assert "what about tests?" in task.body
    assert "evil" not in task.body
    assert "secrets" not in task.body
    (reply,) = place.replies()
    assert f"Task {task.id}, asked for here before, is not over yet." in reply
    place.store.send(CloseTask(task.id, "over", True), ME)
    place.say("@orch and now?")
    assert len([one for one in place.store.tasks() if one.source == task.source]) == 2
    assert place.task.state == "new"


def test_a_ticket_without_a_task_says_so(place: Place) -> None:
    other = place.project.opens("Another")
    place.say("/retry", number=other)
    assert "There is no task for this ticket yet." in place.replies()[0]


def test_a_source_that_cannot_be_read_holds_up_no_other(place: Place) -> None:
    class Broken(MemorySource):
        def remarks(self, cursor: str) -> Any:
            raise ToolFailed("it does not answer")

    broken, good = Broken(place.project, name="broken"), place.source
    place.tables = {"broken": place.tables["thing"], "thing": place.tables["thing"]}
    place.open = lambda name: broken if name == "broken" else good  # type: ignore[method-assign]
    place.project.comments(place.number, "/close")
    pause = asyncio.run(place.listener.listen_due())
    assert place.task.state == "cancelled"
    assert 0 < pause <= 60


def test_the_loop_hears_at_its_start_and_by_hints(place: Place) -> None:
    async def heard() -> None:
        acted = asyncio.Event()
        listener = place.made(acted.set)
        place.project.comments(place.number, "/block")
        loop = asyncio.ensure_future(listener.run())
        try:
            async with asyncio.timeout(10):
                await acted.wait()
                acted.clear()
                place.project.comments(place.number, "/close")
                listener.hint("thing")
                await acted.wait()
        finally:
            loop.cancel()

    asyncio.run(heard())
    assert place.task.state == "cancelled"


def test_an_app_is_spoken_to_by_its_name(place: Place) -> None:
    """GitHub calls its account `helper[bot]`; people write `@helper`."""
    place.project.who("helper[bot]", bot=True)
    place.source = MemorySource(place.project, name="thing", me="helper[bot]")
    place.say("@helperx do it")
    assert len(place.store.tasks()) == 1
    place.say("@helper do it")
    found = sorted(one.source for one in place.store.tasks())
    assert found == [f"mention:thing:{place.number}", f"ticket:thing:{place.number}"]
