"""Lines that become actions: however they are cut, whatever stands between them, however long."""

from __future__ import annotations

import itertools
import json
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orch.agents import claude, gemini
from orch.api import acting
from orch.api.acting import Acting, Did
from orch.api.streaming import Ended
from orch.api.tails import Tail, Wrote
from orch.model.attempt import Attempt
from orch.model.errors import ToolFailed
from orch.model.report import Action
from tests.records import an_attempt

SAMPLES = Path(__file__).parents[2] / "samples" / "agents"
CLAUDE = (SAMPLES / "claude-stream-json-ok.jsonl").read_bytes()
EXPECTED = [
    "tool printf 'hello from fake model\\n' > hello.txt && pwd",
    "usage 1,200 in, 800 cached",
    "message Done: wrote hello.txt",
    "usage 1,200 in, 800 cached",
    "usage in all 2,400 in, 1,600 cached, 68 out, $0.0123",
]


def attempt(letter: str = "a", **fields: Any) -> Attempt:
    return an_attempt(letter * 12, agent="c", worktree="/w/t", directory="/d", **fields)


def know(agent: str) -> Any:
    return {"c": claude.acts, "g": gemini.acts}.get(agent)


def wrote(*texts: str, stream: str = "stdout", of: Attempt | None = None) -> list[Wrote]:
    return [Wrote(of or attempt(), stream, text) for text in texts]


def shown(told: Iterable[Any]) -> list[str]:
    return [f"{one.action.kind} {one.action.text}" if isinstance(one, Did) else one.text
            for one in told]  # fmt: skip


def told(*texts: str, **options: Any) -> list[str]:
    return shown(Acting(know, **options).told(wrote(*texts), over=True))


def says(text: str, **more: Any) -> str:
    part = {"type": "text", "text": text}
    return json.dumps({"type": "assistant", "message": {"content": [part], **more}}) + "\n"


def uses(name: str, **given: Any) -> str:
    part = {"type": "tool_use", "name": name, "input": given}
    return json.dumps({"type": "assistant", "message": {"content": [part]}}) + "\n"


class Growing:
    """A file that grows while it is read."""

    def __init__(self) -> None:
        self.data = b""

    def read(self, directory: str, stream: str, start: int, limit: int) -> tuple[bytes, int]:
        return self.data[start : start + limit], len(self.data)


@pytest.mark.parametrize("size", [1, 7, 1000, 4096, 10**6])
def test_however_a_stream_is_cut_the_actions_are_the_same(size: int) -> None:
    """Each piece comes so late that the line so far is told as a half."""
    file = Growing()
    tail, told = Tail(file.read, attempt(), "stdout"), Acting(know)
    found: list[str] = []
    for start in range(0, len(CLAUDE), size):
        file.data += CLAUDE[start : start + size]
        found += shown(told.told([*tail.take(0.0), *tail.half(1.0)]))
    found += shown(told.told(tail.end(0.0), over=True))
    assert found == EXPECTED


def test_what_is_no_record_stays_a_line() -> None:
    lines = ["plain\n", '{"of": "another program"}\n', "{not json}\n", "[1, 2]\n", "{}\n", "\n",
             '{"type": 3}\n', "[{}]\n", '"text"\n', "Password: "]  # fmt: skip
    assert told(*lines) == lines


def test_other_streams_and_agents_are_left_alone() -> None:
    line = says("hello")
    every = [
        *wrote(line, stream="stderr"),
        *wrote(line, of=an_attempt("b" * 12, agent="unknown"), stream="pane"),
        *wrote(line, of=an_attempt("b" * 12, agent="unknown")),
        *wrote(line, of=an_attempt("b" * 12, agent="", role="command")),
    ]  # fmt: skip
    assert list(Acting(know).told(every)) == every


def test_records_of_several_are_not_mixed() -> None:
    one, two = attempt("a"), attempt("b")
    line = says("hello")
    half = len(line) // 2
    pieces = [Wrote(one, "stdout", line[:half]), Wrote(two, "stdout", line[:half]),
              Wrote(one, "stderr", "warning\n"),
              Wrote(two, "stdout", line[half:]), Wrote(one, "stdout", line[half:])]  # fmt: skip
    found = list(Acting(know).told(pieces))
    assert shown(found) == ["warning\n", "message hello", "message hello"]
    assert [found_.attempt.id[0] for found_ in found if isinstance(found_, Did)] == ["b", "a"]


def test_a_record_that_its_program_did_not_end_is_told_before_its_end() -> None:
    end = Ended(attempt(), 1)
    half = '{"type": "assist'
    for cut, what in ((half, half), (says("whole")[:-1], "message whole")):
        found = list(Acting(know).told([*wrote(cut), end]))
        assert found[-1] == end
        assert shown(found[:-1]) == [what]


def test_with_the_lines_beside_nothing_is_left_out() -> None:
    line = says("hello")
    assert told(line[:5], line[5:], "plain\n", beside=True) == [
        line[:5], line[5:], "message hello", "plain\n",
    ]  # fmt: skip


def test_files_inside_of_the_worktree_are_named_from_there() -> None:
    assert told(
        uses("Edit", file_path="/w/t/src/a.py"), uses("Write", file_path="/w/tother/b.py"),
        uses("Read", file_path="/w/t/c.py"), uses("Bash", command="cat /w/t/c.py"),
    ) == ["edit src/a.py", "edit /w/tother/b.py", "tool c.py", "tool cat /w/t/c.py"]  # fmt: skip


def test_the_tokens_of_a_message_in_several_records_are_told_once() -> None:
    used = {"usage": {"input_tokens": 10}, "id": "m"}
    found = told(says("a", **used), says("b", **used), says("c", **used | {"id": "n"}))
    assert found == ["message a", "usage 10 in", "message b", "message c", "usage 10 in"]


def test_words_in_pieces_are_one_line() -> None:
    def piece(text: str) -> str:
        record = {"type": "message", "role": "assistant", "content": text, "delta": True}
        return json.dumps(record) + "\n"

    other = an_attempt("a" * 12, agent="g")
    texts = [
        piece("Hel"),
        piece("lo, "),
        piece("you\n"),
        "plain\n",
        piece("x" * 200),
        piece("y" * 200),
    ]
    found = shown(Acting(know).told(wrote(*texts, of=other), over=True))
    assert found == ["message Hello, you", "plain\n", f"message {'x' * 200}{'y' * 100}…"]


def test_a_record_longer_than_is_held_is_passed_over() -> None:
    """Of 64 MiB without an end nothing is kept; the next line is read again."""
    piece = "x" * 64 * 1024
    told = Acting(know)
    tracemalloc.start()
    began = time.monotonic()
    endless = itertools.chain(wrote('{"type": "'), (wrote(piece)[0] for _ in range(1000)))
    found = shown(told.told(endless))
    found += shown(told.told(wrote('"}\n', says("after"))))
    took, (_, most) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == ["… (a record of more than 1 MiB)\n", "message after"]
    assert most < 8 * acting.RECORD_LIMIT
    assert took < 60


def test_a_record_just_short_enough_is_read() -> None:
    line = says("x" * (acting.RECORD_LIMIT - 200))
    pieces = [line[at : at + 65536] for at in range(0, len(line), 65536)]
    [found] = told(*pieces)
    assert found.startswith("message xxx")
    assert len(found) < 400


def test_depth_and_odd_texts_are_borne() -> None:
    deep = '{"type":"assistant","message":' + "[" * 100_000 + "\n"
    assert told(deep) == [deep]
    assert told(says("a\ud800b\x1b[31m\u202ec")) == ["message a?bc"]


def test_a_plugin_that_fails_is_told_once_and_its_lines_are_shown() -> None:
    def broken(record: dict[str, Any]) -> Iterator[Action]:
        raise ToolFailed("the kind of agent notes of orch-notes 1.0 cannot say what it does: no")

    line = says("hello")
    found = shown(Acting(lambda agent: broken).told(wrote(line, line, line), over=True))
    assert found[0].startswith("failed the kind of agent notes")
    assert found[1:] == [line] * 3


def test_a_tail_begins_with_a_whole_line() -> None:
    file = Growing()
    line = says("x" * 1000)
    file.data = (line * 2000).encode()
    tail = Tail(file.read, attempt(), "stdout")
    tail.skip(None)
    assert {one.text for one in tail.take(0.0)} == {line}


def test_the_screen_of_one_that_tells_what_it_does_is_left_out() -> None:
    """It draws there; with --raw it is shown."""
    lines = wrote("\x1b[2J\x1b[HWelcome\n", stream="pane")
    assert list(Acting(lambda agent: claude.acts).told(lines, over=True)) == []
    beside = Acting(lambda agent: claude.acts, beside=True)
    assert list(beside.told(lines, over=True)) == lines
    assert list(Acting(lambda agent: None).told(lines, over=True)) == lines
