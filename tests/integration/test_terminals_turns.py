"""Programs that wait for a person at the end of a turn: ended then, unless somebody wants more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.model.attempt import ExitRecord
from tests import terminalrooms
from tests.terminalrooms import Room, until

pytestmark = pytest.mark.linux
TALKER = """
import os, sys, time
pipe = os.open(os.environ["ORCH_TERMINAL"] + "/turn", os.O_WRONLY)
for word in sys.argv[1:]:
    os.write(pipe, word.encode())
print("waits", flush=True)
time.sleep(600)
"""


@pytest.fixture
def room() -> Iterator[Room]:
    with terminalrooms.room() as made:
        yield made


def talker(room: Room, *words: str) -> None:
    room.python("a1", TALKER, *words, io="tty", turns=True)
    until(lambda: "waits" in room.text("a1", "pane"))


def record(room: Room) -> ExitRecord | None:
    return room.terminals.exit_record(room.directory("a1"))


def test_it_is_ended_when_its_turn_is_over_and_that_is_a_good_end(room: Room) -> None:
    talker(room, "o")
    until(lambda: record(room) is not None)
    ended = record(room)
    assert ended is not None
    assert (ended.exit_code, ended.signal, ended.stopped, ended.lost) == (0, 0, False, False)


def test_a_turn_that_was_begun_since_is_not_over(room: Room) -> None:
    talker(room, "o", "b")
    pipe = os.open(f"{room.directory('a1')}/turn", os.O_WRONLY)
    os.write(pipe, b"ob")  # once more, in one breath
    with pytest.raises(AssertionError):
        until(lambda: record(room) is not None, 2.5)
    os.write(pipe, b"o")
    os.close(pipe)
    until(lambda: record(room) is not None)


def test_it_stays_for_as_long_as_a_person_is_with_it(room: Room) -> None:
    descriptor = -1
    room.python("a1", TALKER, "b", io="tty", turns=True)
    until(lambda: "waits" in room.text("a1", "pane"))
    descriptor = room.terminals.join(room.directory("a1"))
    pipe = os.open(f"{room.directory('a1')}/turn", os.O_WRONLY)
    os.write(pipe, b"o")
    os.close(pipe)
    with pytest.raises(AssertionError):
        until(lambda: record(room) is not None, 2.5)
    os.close(descriptor)
    until(lambda: record(room) is not None)


def test_one_that_ends_by_itself_says_so_itself(room: Room) -> None:
    room.python("a1", "raise SystemExit(3)", io="tty", turns=True)
    until(lambda: record(room) is not None)
    ended = record(room)
    assert ended is not None
    assert ended.exit_code == 3
    assert Path(room.directory("a1"), "turn").exists()
