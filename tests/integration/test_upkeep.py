"""What is old is given up, and nothing else: with real runs, worktrees and terminals."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orch.api import Orch
from orch.api.happened import events_page
from orch.api.upkeep import Upkeep
from orch.compose import open_orch
from orch.model.deliveries import Delivery
from tests.acceptance import world as worlds
from tests.acceptance.test_tasks import left, serving, settled
from tests.acceptance.world import World

DAY_S = 86_400.0
CARE = "[care]\nkeep_events = 1\nkeep_folders_days = 30\n"


class Later:
    """A clock that many days have gone by on."""

    def __init__(self, clock: Any, days: float) -> None:
        self._clock = clock
        self._days = days

    def now(self) -> float:
        return float(self._clock.now()) + self._days * DAY_S

    def monotonic(self) -> float:
        return float(self._clock.monotonic())


@pytest.fixture
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="w", ignore_cleanup_errors=True) as folder:
        made = worlds.furnished(Path(folder).resolve() / "me")  # tmux's socket needs a short path
        made.configure({"one": worlds.WRITES}, CARE)
        yield made
        made.close()


@pytest.fixture
def orch(world: World) -> Iterator[Orch]:
    found = open_orch(world.environ(), world.root, person="pat")
    yield found
    found.close()


def after(orch: Orch, days: float) -> Upkeep:
    rooms: Any = orch.rooms
    rooms.clock = Later(rooms.clock, days)
    return Upkeep(orch)


def done(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """One run whose task was closed, and one task without a repository, done."""
    record = world.run("basic_pr", "--issue", "ISSUE-001")
    world.ask("task", "close", "1")
    service = serving(world)
    number = world.ask("task", "add", "Think")["id"]
    task = settled(world, number)
    assert task["status"] == "done", task
    assert left(service) == 0
    return record, task


def test_files_of_old_attempts_go_and_nothing_beside_them(world: World, orch: Orch) -> None:
    """H74: what is not proven ours stays: links, files, foreign names, what is young."""
    record, task = done(world)
    attempts = world.home / "attempts"
    ours = set(os.listdir(attempts))
    assert len(ours) == 2
    outside = world.root / "precious"
    outside.mkdir()
    (outside / "file").write_text("mine")
    (attempts / "abcdef012345").symlink_to(outside)
    (attempts / "not-in-the-books").mkdir()
    (attempts / "a-file").write_text("mine")
    replaced = sorted(ours)[0]
    (attempts / replaced).rename(world.root / "moved")
    (attempts / replaced).symlink_to(outside)
    assert sum(after(orch, 29).attempts()) == 0
    assert sum(after(orch, 2).attempts()) == 1
    assert set(os.listdir(attempts)) == {
        replaced, "abcdef012345", "not-in-the-books", "a-file"
    }  # fmt: skip
    assert (outside / "file").read_text() == "mine"
    shown = world.ask("task", "get", "2")
    assert [attempt["status"] for attempt in shown["attempts"]] == ["succeeded"]
    assert world.orch("logs", record["id"]).code == 0
    assert world.orch("logs", task["run"]).code == 0


def test_folders_of_old_tasks_go_only_when_they_are_done(world: World, orch: Orch) -> None:
    _, task = done(world)
    folder = Path(task["worktree"])
    assert folder.is_dir()
    (world.home / "folders" / "0123456789ab").mkdir()
    assert sum(after(orch, 29).folders()) == 0
    assert folder.is_dir()
    assert sum(after(orch, 2).folders()) == 1
    assert os.listdir(world.home / "folders") == ["0123456789ab"]


def test_old_events_go_with_their_run_and_whoever_asks_is_told(world: World, orch: Orch) -> None:
    record, _ = done(world)
    last = orch.store.last_event()
    assert sum(after(orch, 89).events()) == 0
    assert sum(after(orch, 2).events()) > 10
    store = orch.store
    assert store.last_event() == last
    assert 0 < store.events_floor() <= last
    page = events_page(store, 0, run=record["id"], task=0, limit=1000)
    assert page.gone == store.events_floor()
    said = world.orch("events", "--json").out.splitlines()[0]
    assert '"resync"' in said
    assert [step["to"] for step in world.ask("task", "get", "2")["history"]] == [
        "new", "routed", "in_progress", "done",
    ]  # fmt: skip
    assert world.ask("show", record["id"])["status"] == "done"


def test_deliveries_of_webhooks_are_forgotten_once_they_are_dealt_with(orch: Orch) -> None:
    now = orch.rooms.clock.now()
    made = [
        Delivery(source="hub", id=name, event="e", received_at=now, body=b"x", state=state)
        for name, state in (("dealt with", "done"), ("waiting", "new"))
    ]  # fmt: skip
    orch.store.deliveries.take_in(made)
    list(after(orch, 5).deliveries())
    bodies = {row.id: orch.store.deliveries.one(*row.key) for row in made}
    assert {name: row.body for name, row in bodies.items() if row} == {
        "dealt with": b"", "waiting": b"x",
    }  # fmt: skip
    list(after(orch, 60).deliveries())
    assert [row.id for row in orch.store.deliveries.find()] == ["waiting"]
    assert ("old deliveries of webhooks", "deliveries") in [
        (told, chore.__name__) for told, chore in Upkeep(orch).daily
    ]


def test_events_of_what_is_not_over_stay(world: World, orch: Orch) -> None:
    flow = world.flow(
        "@do\ndef workflow(issue):\n    yield Gate(name='ok', question='ok?')\n    return 1\n"
    )
    waiting = world.run(flow, "--issue", "ISSUE-001", code=6)
    before = [event.seq for event in orch.store.events(0, run=waiting["id"])]
    world.run("basic_pr", "--issue", "ISSUE-001")
    world.ask("task", "close", "2")
    assert sum(after(orch, 400).events()) > 0
    assert [event.seq for event in orch.store.events(0, run=waiting["id"])] == before
    assert events_page(orch.store, 0, run=waiting["id"], task=0, limit=9).gone == 0


def test_a_worktree_goes_when_it_is_merged_and_what_was_in_it_is_kept(
    world: World, orch: Orch
) -> None:
    record = world.run("basic_pr", "--issue", "ISSUE-001")
    tree = orch.store.worktrees()[0]
    assert sum(after(orch, 400).worktrees()) == 0  # its pull request is open
    merged = world.orch("pr", "merge", "thing#1", "--yes")
    assert merged.code == 0, merged
    known = [one.name for one in orch.store.worktrees()]
    if tree.name not in known:
        pytest.skip("the merge has taken the worktree away itself")
    Path(tree.path, "late.txt").write_text("by hand")
    assert sum(after(orch, 1).worktrees()) == 1, record
    assert not Path(tree.path).exists()
    saved = world.ask("worktree", "trash")
    assert [one["slug"] for one in saved] == [tree.name] or len(saved) == 1
    world.ask("worktree", "restore", tree.name)
    assert Path(tree.path, "late.txt").read_text() == "by hand"


def test_only_terminals_of_ours_without_a_live_attempt_are_ended(world: World, orch: Orch) -> None:
    world.run("basic_pr", "--issue", "ISSUE-001")
    (attempt,) = (one for run in orch.runs() for one in orch.store.attempts(run.id))
    tmux = ["tmux", "-S", str(world.socket), "-f", "/dev/null"]
    foreign = ["mine", "orch-0123456789ab", f"x{attempt.terminal}"]
    for name in (*foreign, attempt.terminal):
        subprocess.run([*tmux, "new-session", "-d", "-s", name, "sleep 60"], check=True)
    assert sum(Upkeep(orch).terminals()) == 0  # it has ended just now
    assert sum(after(orch, 1).terminals()) == 1
    assert sorted(world.terminals()) == sorted(foreign)
