"""An action on a line: its verb first, never wider than asked, nothing that a terminal acts upon."""

from __future__ import annotations

import pytest

from orch.api.acting import Did
from orch.api.tails import Wrote
from orch.cli.cleaning import width
from orch.cli.deeds import deed, is_told, record, tally
from orch.cli.output import Output
from orch.model.report import Action
from tests.records import an_attempt

PLAIN = Output(json=False, quiet=False, colour=False)
ONE = an_attempt("a" * 12, name="impl", agent="one")


@pytest.mark.parametrize(
    ("action", "line"),
    [
        (Action(kind="tool", tool="Bash", text="pytest -q"), "Bash  pytest -q"),
        (Action(kind="tool", text="x"), "tool  x"),
        (Action(kind="edit", tool="Write", text="src/a.py"), "edit  src/a.py"),
        (Action(kind="message", text="Done: it works"), "says  Done: it works"),
        (Action(kind="retry", text="no answer (429)"), "retry  no answer (429)"),
        (Action(kind="failed", tool="shell", text="exit code 1"), "failed  shell: exit code 1"),
        (Action(kind="failed", text="Overloaded"), "failed  Overloaded"),
        (Action(kind="usage", text="in all 3 in"), "usage  in all 3 in"),
    ],
)  # fmt: skip
def test_the_verb_comes_first(action: Action, line: str) -> None:
    assert deed(action).line(80, PLAIN) == line


@pytest.mark.parametrize("room", [1, 4, 10, 80])
@pytest.mark.parametrize("text", ["x" * 300, "漢字 " * 100, "a\x1b[2J\nb\u202ec\x9b31m"])
def test_it_fits_and_moves_nothing(room: int, text: str) -> None:
    line = deed(Action(kind="tool", tool=text, text=text)).line(room, PLAIN)
    assert width(line) <= room
    assert line.isprintable()


def test_only_the_verb_is_painted() -> None:
    out = Output(json=False, quiet=False, colour=True)
    line = deed(Action(kind="failed", text="no")).line(80, out)
    assert line == "\x1b[31mfailed\x1b[0m  no"


def test_of_tokens_the_sum_gets_a_line() -> None:
    assert [is_told(Action(kind="usage", text="3 in", call=call)) for call in ("a", "")] == [
        False, True,
    ]  # fmt: skip


def test_of_all_that_was_used_the_board_has_a_few_columns() -> None:
    used = {"input_tokens": 2400, "cache_read_input_tokens": 1600, "output_tokens": 68}
    whole = Action(kind="usage", text="", used={**used, "cost_usd": 0.0123})
    assert tally(whole) == "4,068 tokens $0.01"
    assert tally(Action(kind="usage", text="", used=used, call="m")) == "4,068 tokens"
    assert tally(Action(kind="usage", text="", used={"input_tokens": "x"})) == "0 tokens"


def test_the_object_says_whose_it_is() -> None:
    tool = Action(kind="tool", tool="Bash", text="ls")
    assert record(Did(ONE, tool)) == {
        "type": "action", "attempt": "a" * 12, "name": "impl", "kind": "tool", "tool": "Bash",
        "text": "ls",
    }  # fmt: skip
    used = record(Did(ONE, Action(kind="usage", text="3 in", used={"input_tokens": 3}, call="m")))
    assert (used["used"], used["call"]) == ({"input_tokens": 3}, "m")
    assert record(Wrote(ONE, "stderr", "x\n")) == {
        "type": "output", "attempt": "a" * 12, "name": "impl", "stream": "stderr", "text": "x\n",
    }  # fmt: skip
