"""Reading on in a stream that loses its middle again and again while it is read."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from orch.api import tails
from orch.api.tails import Tail
from orch.terminals import files
from orch.terminals.inside import streams
from tests.records import an_attempt

HEAD, TAIL, BLOCK = 4000, 2000, 512


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEAD", HEAD)
    monkeypatch.setattr(streams, "TAIL", TAIL)
    monkeypatch.setattr(streams, "LIMIT", HEAD + 2 * TAIL)
    monkeypatch.setattr(streams, "_BLOCK", BLOCK)
    monkeypatch.setattr(streams, "_SCREEN", -1)
    monkeypatch.setattr(tails, "_BLOCK", 300)
    monkeypatch.setattr(tails, "_KNOWN", 100)


class Pair:
    """A stream's writer and its reader."""

    def __init__(self, folder: Path) -> None:
        reading, self.writing = os.pipe()
        self.file = folder / "stdout"
        self.stream = streams.Stream("stdout", reading, str(self.file))
        attempt = an_attempt("a" * 12, directory=str(folder))
        self.tail = Tail(
            lambda directory, name, start, limit: files.part(Path(directory), name, start, limit),
            attempt, "stdout",
        )  # fmt: skip
        self.told: list[str] = []

    def write(self, text: str) -> None:
        os.write(self.writing, text.encode())
        while self.stream.move():
            pass

    def look(self, now: float, blocks: int = 16) -> None:
        self.told += [wrote.text for wrote in self.tail.take(now, blocks)]

    def finish(self) -> list[str]:
        os.close(self.writing)
        self.stream.close()
        self.told += [wrote.text for wrote in self.tail.end(0.0)]
        return self.told


@pytest.mark.parametrize("seed", range(60))
def test_the_kept_end_is_told_to_its_last_byte_and_nothing_twice(
    tmp_path: Path, small: None, seed: int
) -> None:
    chance, pair, number = random.Random(seed), Pair(tmp_path), 0
    lazy = chance.choice([1, 4, 40])
    for turn in range(150):
        some = [f"{number + n:06d} {'x' * chance.randrange(30)}\n" for n in range(20)]
        number += 20
        pair.write("".join(some[: 20 - (cut := chance.randrange(3))]))
        if chance.randrange(lazy) == 0:
            pair.look(turn * chance.choice([0.01, 10.0]), chance.choice([1, 3, 16]))
        pair.write("".join(some[20 - cut :]))
    told = pair.finish()
    lines = [line for line in "".join(told).splitlines() if re.match(r"\d{6} ", line)]
    numbers = [int(line[:6]) for line in lines]
    assert numbers == sorted(set(numbers))
    kept = pair.file.read_bytes()[HEAD + 1 :].decode().splitlines()
    assert lines[-len(kept) :] == kept


def test_whoever_is_in_time_misses_nothing(tmp_path: Path, small: None) -> None:
    pair = Pair(tmp_path)
    for number in range(2000):
        pair.write(f"{number:06d}\n")
        pair.look(number * 10.0)
    assert pair.finish() == [f"{number:06d}\n" for number in range(2000)]


def test_output_that_repeats_itself_ends_with_its_end(tmp_path: Path, small: None) -> None:
    pair = Pair(tmp_path)
    for number in range(900):
        pair.write("the same\n" * 4)
        if number % 7 == 0:
            pair.look(number * 10.0)
    pair.write("the end\n")
    told = pair.finish()
    assert told[-1] == "the end\n"
    assert set(told) <= {"the same\n", "the end\n", "\n", tails._DROPPED}


def test_a_file_that_is_being_moved_is_left_alone(tmp_path: Path, small: None) -> None:
    """Nearly full, it may be neither as it was nor as it will be; at rest it is read on."""
    pair = Pair(tmp_path)
    pair.write("x" * 99 + "\n")
    pair.look(0.0)
    while not streams.is_full(pair.file.stat().st_size):
        pair.write("y" * 99 + "\n")
    pair.look(1.0)
    held = len(pair.told)
    assert held <= HEAD // 100
    pair.look(1.0 + tails.HALF_S)
    assert len(pair.told) > held
    pair.finish()
