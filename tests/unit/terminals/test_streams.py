"""What is kept of an output that is longer than anybody wants it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from orch.terminals.inside import streams

HEAD, TAIL, BLOCK = 400, 200, 64
Feed = Callable[..., tuple[bytes, int, int]]


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Feed pieces through a stream with small limits; gives what the file holds, how much it lacks
    and how much was seen."""
    monkeypatch.setattr(streams, "HEAD", HEAD)
    monkeypatch.setattr(streams, "TAIL", TAIL)
    monkeypatch.setattr(streams, "LIMIT", HEAD + 2 * TAIL)
    monkeypatch.setattr(streams, "_BLOCK", BLOCK)
    monkeypatch.setattr(streams, "_SCREEN", -1)

    def fed(*pieces: bytes) -> tuple[bytes, int, int]:
        reader, writer = os.pipe()
        stream = streams.Stream("stdout", reader, str(tmp_path / "stdout"))
        for piece in pieces:
            os.write(writer, piece)
            while stream.move():
                assert (tmp_path / "stdout").stat().st_size <= streams.LIMIT
        os.close(writer)
        missing = stream.close()
        return (tmp_path / "stdout").read_bytes(), missing, stream.seen

    return fed


def lines(count: int) -> list[bytes]:
    return [f"line {number:05d} of many\n".encode() for number in range(count)]


@pytest.mark.parametrize("length", [0, 1, 799, 800])
def test_what_fits_is_kept_whole(feed: Feed, length: int) -> None:
    said = (b"0123456789" * 80)[:length]
    assert feed(said) == (said, 0, length)


def test_of_more_the_beginning_and_the_end_stay_in_whole_lines(feed: Feed) -> None:
    said = lines(300)
    kept, missing, seen = feed(*said)
    assert kept.startswith(b"".join(said)[:HEAD])
    head, joint, tail = kept[:HEAD], kept[HEAD : HEAD + 1], kept[HEAD + 1 :]
    assert joint == b"\n"
    assert b"".join(said).startswith(head)
    assert b"".join(said).endswith(tail)
    assert all(line in said for line in tail.splitlines(keepends=True))
    assert len(tail) > TAIL - len(said[0])
    assert missing == seen - len(head) - len(tail)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pieces=st.lists(st.binary(max_size=300), max_size=40))
def test_whatever_comes_nothing_is_invented(feed: Feed, pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    kept, missing, seen = feed(*pieces)
    assert seen == len(whole)
    if missing == 0:
        assert kept == whole
        return
    assert kept[:HEAD] == whole[:HEAD]
    assert whole.endswith(kept[HEAD + 1 :])
    assert missing == len(whole) - (len(kept) - 1)


def test_a_stream_says_when_it_is_over_and_when_there_is_only_nothing_now(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    stream = streams.Stream("stdout", reader, str(tmp_path / "stdout"))
    assert (stream.move(), stream.ended) == (False, False)
    os.close(writer)
    assert (stream.move(), stream.ended) == (False, True)
    assert stream.close() == 0


def test_a_link_in_the_files_place_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "stdout").symlink_to(tmp_path / "victim")
    reader, writer = os.pipe()
    stream = streams.Stream("stdout", reader, str(tmp_path / "stdout"))
    os.write(writer, b"said")
    os.close(writer)
    stream.move()
    assert stream.close() == 4
    assert (tmp_path / "victim").read_text() == "precious"
