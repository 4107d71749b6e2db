"""Data on stdout, narration on stderr, colour on terminals, silence when nobody reads."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.cli.output import LOST, Output, columns, flush, json_text, put, wants_colour
from orch.model.errors import ToolFailed

PLAIN = Output(json=False, quiet=False, colour=False)
COLOURED = Output(json=False, quiet=False, colour=True)


def test_data_and_narration_have_a_stream_each(capsys: pytest.CaptureFixture[str]) -> None:
    PLAIN.line("data")
    PLAIN.note("narration")
    assert capsys.readouterr() == ("data\n", "narration\n")


def test_quiet_silences_narration_and_not_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = Output(json=False, quiet=True, colour=False)
    quiet.line("id")
    quiet.note("narration")
    quiet.warn("a file is broken")
    assert capsys.readouterr() == ("id\n", "a file is broken\n")


def test_json_is_whole_and_shows_nothing_that_acts(capsys: pytest.CaptureFixture[str]) -> None:
    value = [{"title": "x" * 300 + "\u202e\x9b\x7f\x1b日本", "path": Path("/a")}]
    PLAIN.data(value)
    shown = capsys.readouterr().out
    assert json.loads(shown) == [{"title": value[0]["title"], "path": "/a"}]
    assert not {"\u202e", "\x9b", "\x7f", "\x1b"} & set(shown)
    assert "日本" in shown


def test_json_is_the_same_on_a_terminal_and_in_a_pipe() -> None:
    assert json_text({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'


def test_states_are_words_with_or_without_colour() -> None:
    assert PLAIN.state("done") == "done"
    assert COLOURED.state("done") == "\x1b[32mdone\x1b[0m"
    assert COLOURED.state("a word of a later version") == "a word of a later version"


def test_a_table_announces_what_it_cut(capsys: pytest.CaptureFixture[str]) -> None:
    PLAIN.table(["id", "title"], [["a", "b" * 100], ["c", "d\x1b[31m\ne"]])
    out, err = capsys.readouterr()
    assert out.splitlines() == ["ID  TITLE", f"a   {'b' * 75}…", "c   d e"]
    assert err == "1 cell is cut to fit (…); --json shows everything\n"


def test_a_table_lines_up_under_colours(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["a", "done", "x"], ["b", "in_progress", "y"], ["日本", "odd", "z"]]
    PLAIN.table(["id", "status", "title"], rows)
    plain = capsys.readouterr().out
    COLOURED.table(["id", "status", "title"], rows)
    painted = capsys.readouterr().out
    assert painted != plain
    for code in ("\x1b[32m", "\x1b[34m", "\x1b[2m", "\x1b[0m"):
        painted = painted.replace(code, "")
    assert painted == plain
    assert [line.index(c) for line, c in zip(plain.splitlines()[1:3], "xy", strict=True)] == [
        19,
        19,
    ]


@pytest.mark.parametrize(
    ("environ", "refused", "wanted"),
    [
        ({}, False, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, False, True),
        ({"NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({}, True, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    environ: dict[str, str], refused: bool, wanted: bool, terminal: io.TextIOWrapper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "stdout", terminal)
    assert wants_colour(environ, refused=refused) is wanted
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert wants_colour(environ, refused=refused) is False


@pytest.fixture
def terminal() -> Iterator[io.TextIOWrapper]:
    """The inner end of a real terminal, 132 columns wide."""
    import fcntl
    import struct
    import termios

    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 132, 0, 0))
    with os.fdopen(inner, "w") as stream:
        yield stream
    os.close(outer)


def test_a_terminals_width_is_used_and_80_elsewhere(
    terminal: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert columns() == 80
    monkeypatch.setattr(sys, "stdout", terminal)
    assert columns() == 132


@pytest.fixture(params=[1, -1], ids=["by line", "buffered"])
def unread(request: pytest.FixtureRequest) -> Iterator[io.TextIOWrapper]:
    """A pipe whose reader has gone away."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=request.param) as stream:
        yield stream


def test_a_reader_that_went_away_is_no_error(
    unread: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", unread)
    PLAIN.table(["id", "title"], [["a", "b" * 100]])
    assert capsys.readouterr().err == ""
    PLAIN.line("nobody hears this either")
    assert flush(unread)


def test_writing_says_whether_it_was_heard(unread: io.TextIOWrapper) -> None:
    assert [put(unread, "x" * 100_000 + "\n") and flush(unread), put(unread, "y\n")] == [
        False,
        True,
    ]


@pytest.mark.linux
def test_data_that_cannot_be_written_is_an_error_and_narration_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A disk that is full under the narration must not end the run that is narrated."""
    with (
        open("/dev/full", "w", encoding="utf-8") as out,
        open("/dev/full", "w", encoding="utf-8") as err,
    ):
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        PLAIN.note("narration")
        PLAIN.line("data")
        with pytest.raises(ToolFailed, match="No space left") as caught:
            flush(out)
    assert caught.value.code == LOST
    assert caught.value.exit_code == 9
