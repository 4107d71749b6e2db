"""Following a run: order, half lines, cut characters, dropped middles; told or polled."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orch.api import tails
from orch.api.following import Following
from orch.api.tails import Wrote
from orch.model import command as cmd
from orch.model.command import AttemptEnd
from orch.store.sqlite import SqliteStore
from orch.terminals import ear, files
from tests.records import (
    ENGINE,
    ME,
    PERSON,
    RUN,
    a_repo,
    advance,
    agent_plan,
    an_attempt,
    create_run,
)

PATIENCE_S = 30.0


class Files:
    """The reading half of the terminals; `deaf` where the system cannot tell."""

    def __init__(self, deaf: bool) -> None:
        self.deaf = deaf

    def read(self, directory: str, stream: str, start: int, limit: int) -> tuple[bytes, int]:
        return files.part(Path(directory), stream, start, limit)

    def ear(self) -> ear.InotifyEar | None:
        return None if self.deaf else ear.opened()


class Room:
    """A run with one live attempt, written by one process and followed by another."""

    def __init__(self, folder: Path, deaf: bool) -> None:
        self.folder = folder
        self.writer = SqliteStore(folder / "orch.db", now=time.time, install="test")
        self.reader = SqliteStore(folder / "orch.db", now=time.time, install="test")
        clock = SimpleNamespace(monotonic=time.monotonic)
        self.rooms: Any = SimpleNamespace(store=self.reader, terminals=Files(deaf), clock=clock)
        for command in (cmd.RegisterRepo(a_repo()), create_run(owner=ME)):
            self.writer.send(command, PERSON)
        self.writer.send(cmd.TakeEngine(ME), ENGINE)
        self.writer.send(cmd.TakeRun(RUN, ME), ENGINE)
        self.writer.send(advance(planned=(agent_plan(attempt=self.attempt("a")),)), ENGINE)
        self.open: list[Following] = []

    def attempt(self, letter: str, n: int = 1, **fields: Any) -> Any:
        return an_attempt(letter * 12, n=n, directory=str(self.folder / letter), **fields)

    def write(self, letter: str, data: bytes, stream: str = "stdout") -> None:
        (self.folder / letter).mkdir(exist_ok=True)
        with (self.folder / letter / stream).open("ab") as file:
            file.write(data)

    def follow(self, **options: Any) -> Following:
        self.open.append(Following(self.rooms, RUN, **options))
        return self.open[-1]

    def close(self) -> None:
        for one in self.open:
            one.close()
        self.writer.close()
        self.reader.close()


@pytest.fixture(params=[False, True], ids=["told", "polled"])
def room(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Room]:
    if not request.param and not ear.LINUX:
        pytest.skip("the system cannot tell")
    room = Room(tmp_path, request.param)
    yield room
    room.close()


def texts(one: Following, enough: Callable[[list[str]], bool]) -> list[str]:
    """What is told until it is enough: texts as they are, events by their kind."""
    said: list[str] = []
    deadline = time.monotonic() + PATIENCE_S
    while not enough(said):
        assert time.monotonic() < deadline, said
        turn = one.turn(0.2)
        said += [c.text if isinstance(c, Wrote) else c.kind for c in turn.changes]
    return said


def count(number: int) -> Callable[[list[str]], bool]:
    return lambda said: len(said) >= number


def test_what_was_written_comes_at_once(room: Room) -> None:
    one = room.follow()
    assert one.turn(0.0) == ([], False)
    room.write("a", b"before anybody could listen\n")
    assert texts(one, count(1)) == ["before anybody could listen\n"]
    for number in range(20):
        room.write("a", b"line %d\n" % number, "stderr")
        began = time.monotonic()
        [told] = one.turn(30.0).changes  # whoever only looks when its time is over comes too late
        assert isinstance(told, Wrote)
        assert told.text == f"line {number}\n"
        assert time.monotonic() - began < 15


def test_lines_are_told_whole_and_halves_after_a_while(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "HALF_S", 0.1)
    one = room.follow()
    room.write("a", b"one\ntwo\nthr")
    assert texts(one, count(2)) == ["one\n", "two\n"]
    room.write("a", b"ee\nPassword: ")
    assert texts(one, count(2)) == ["three\n", "Password: "]
    room.write("a", b"secret\n")
    assert texts(one, count(1)) == ["secret\n"]


def test_characters_are_not_cut_and_what_is_none_is_shown(room: Room) -> None:
    one = room.follow()
    whole = "é漢🙂".encode()
    for byte in whole:
        room.write("a", bytes([byte]))
        assert one.turn(0.0).changes == []
    room.write("a", b"\xff\n")
    assert texts(one, count(1)) == ["é漢🙂\ufffd\n"]


def test_the_rest_comes_before_the_end_and_later_attempts_are_followed(room: Room) -> None:
    one = room.follow()
    room.write("a", b"half \xc3")
    room.write("b", b"written before its event was seen\n")
    end = AttemptEnd(id="a" * 12, status="failed", exit_code=1)
    room.writer.send(cmd.NextAttempt(RUN, 1, "0", room.attempt("b", 2), end), ENGINE)
    said = texts(one, count(5))
    assert said == [
        "half \ufffd", "AttemptEnded", "StepIntended", "AttemptStarting",
        "written before its event was seen\n",
    ]  # fmt: skip
    room.write("a", b"nobody writes after the end\n")
    room.write("b", b"more")
    room.writer.send(advance(finish=cmd.Finish("done")), ENGINE)
    assert texts(one, count(3)) == ["RunFinished", "TaskMoved", "more"]
    assert one.over


def test_only_what_is_asked_for_is_told(room: Room) -> None:
    room.write("a", b"".join(b"%d\n" % n for n in range(100)))
    assert texts(room.follow(lines=2), count(2)) == ["98\n", "99\n"]
    assert len(texts(room.follow(lines=None), count(100))) == 100
    one = room.follow(agent="nobody")
    assert one.waits_for_agent
    room.write("a", b"more\n")
    assert one.turn(0.3).changes == []


def test_a_file_that_lost_its_middle_is_read_on(room: Room) -> None:
    one = room.follow()
    room.write("a", b"x" * 5000 + b"\n")
    texts(one, count(1))
    os.truncate(room.folder / "a" / "stdout", 1000)
    assert texts(one, count(1)) == ["… (the middle of the output was dropped)\n"]
    room.write("a", b"after\n")
    assert texts(one, count(1)) == ["after\n"]


def test_a_signal_wakes_whoever_waits(room: Room) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    began = time.monotonic()
    assert room.follow().turn(30.0, (reading,)).changes == []
    assert time.monotonic() - began < 15
    os.close(reading)
    os.close(writing)


@pytest.mark.linux
def test_nothing_is_missed_when_the_kernel_forgets(tmp_path: Path) -> None:
    """More events than the queue holds: every directory counts as heard."""
    listener = ear.opened()
    assert listener is not None
    quiet, busy = tmp_path / "quiet", tmp_path / "busy"
    for folder in (quiet, busy):
        folder.mkdir()
        assert listener.listen(str(folder))
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    with (busy / "one").open("wb", buffering=0) as one, (busy / "two").open("wb", 0) as two:
        for _ in range(limit // 2 + 10):
            one.write(b"x")
            two.write(b"x")
    heard = listener.heard()
    while more := listener.heard():
        heard |= more
    listener.close()
    assert heard == {str(quiet), str(busy)}


@pytest.mark.linux
def test_what_cannot_be_heard_is_said(tmp_path: Path) -> None:
    listener = ear.opened()
    assert listener is not None
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("none", "file", "link"):
        assert listener.listen(str(tmp_path / name)) is False
    assert listener.heard() == set()
    listener.close()
