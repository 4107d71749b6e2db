"""The picture of a run: fits every size, shows what works first, cleans what strangers wrote."""

from __future__ import annotations

import re

import pytest

from orch.api.acting import Did
from orch.api.tails import Wrote
from orch.cli.board import Board
from orch.cli.cleaning import width
from orch.cli.output import Output
from orch.model.attempt import Attempt
from orch.model.errors import Failure
from orch.model.report import Action
from orch.model.run import Reason, Run
from orch.model.step import Outcome, Step
from orch.model.ticket import Ticket

NOW = 1000.0


def run(**fields: object) -> Run:
    issue = Ticket(id="ISSUE-001", title="Ümläut \x1b[31m漢字 " * 20, body="")
    given = {
        "id": "4f2a00000000", "workflow": "flow", "status": "running", "repo": "thing", "task": 1,
        "entry": "f:w", "issue": issue, "created_at": 900.0,
    }  # fmt: skip
    return Run(**{**given, **fields})  # type: ignore[arg-type]


def attempt(number: int, status: str = "running", **fields: object) -> Attempt:
    given = {
        "id": f"{number:012x}", "run": "4f2a00000000", "path": str(number), "n": 1, "role": "work",
        "agent": "one", "status": status, "terminal": "t", "directory": "/d",
        "name": f"agent-{number}", "started_at": 950.0,
    }  # fmt: skip
    return Attempt(**{**given, **fields})  # type: ignore[arg-type]


def step(number: int, status: str = "intended", **fields: object) -> Step:
    given = {
        "run": "4f2a00000000", "path": str(number), "kind": "RunAgent/1", "request": b"{}",
        "status": status, "planned_at": 940.0, "settled_at": 960.0 if status != "intended" else 0.0,
    }  # fmt: skip
    return Step(**{**given, **fields})  # type: ignore[arg-type]


def board(*, colour: bool = False) -> Board:
    return Board(Output(json=False, quiet=False, colour=colour), lambda: NOW)


def plain(line: str) -> str:
    return re.sub(r"\x1b\[\d+m", "", line)


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 10), (40, 5), (500, 200)])
@pytest.mark.parametrize("count", [0, 1, 3, 50])
@pytest.mark.parametrize("live", [True, False])
def test_a_frame_fills_its_size_and_never_more(
    size: tuple[int, int], count: int, live: bool
) -> None:
    picture = board(colour=True)
    state = "running" if live else "failed"
    attempts = [attempt(n, state, message="漢字" * 99) for n in range(count)]
    steps = [step(n, "intended" if live else "confirmed") for n in range(count)]
    for one in attempts:
        for _ in range(300):
            picture.wrote(Wrote(one, "stdout", "漢字 " * 100 + "\n"))
    for known in (run(), run(status="blocked", reason=Reason("human", "gate", "Q?\n" * 50, "x"))):
        frame = picture.frame(known, steps, attempts, "nobody drives it", size)
        assert len(frame) == size[1]
        assert all(width(plain(line)) <= size[0] for line in frame)


def test_what_works_is_shown_before_what_has_ended() -> None:
    attempts = [*(attempt(n, "succeeded", ended_at=990.0) for n in range(30)), attempt(30)]
    steps = [*(step(n, "confirmed") for n in range(30)), step(30)]
    picture = board()
    picture.wrote(Wrote(attempts[30], "stdout", "at work\n"))
    text = "\n".join(picture.frame(run(), steps, attempts, "", (80, 24)))
    assert "agent-30" in text
    assert "| at work" in text
    assert "agent-29" in text, "the last one that ended"
    assert "agent-3 " not in text
    many = [attempt(n) for n in range(50)]
    assert "more: orch ps, orch logs -f" in "\n".join(picture.frame(run(), [], many, "", (80, 24)))


def test_lines_are_cleaned_and_put_together() -> None:
    one, picture = attempt(1), board()
    for text in ("\x1b]0;t\x07\x1b[2Jshown\n", "half ", "a line\n", " 1%\r 50%\r100%\r\n", "a\tb"):
        picture.wrote(Wrote(one, "stdout", text))
    frame = picture.frame(run(), [], [one], "", (80, 24))
    said = [line.strip() for line in frame if line.startswith("  | ")]
    assert said == ["| shown", "| half a line", "| 100%", "| a    b"]


def test_actions_stand_between_lines_and_what_was_used_behind_the_name() -> None:
    one, picture = attempt(1, branch="orch/1-do-it"), board(colour=True)
    picture.wrote(Wrote(one, "stdout", "half "))
    for action in (
        Action(kind="tool", tool="Bash", text="pytest -q"),
        Action(kind="edit", tool="Write", text="src/漢字\u202e.py"),
        Action(kind="usage", text="1,200 in", used={"input_tokens": 1200}, call="a"),
        Action(kind="usage", text="3,400 in", used={"input_tokens": 3400}, call="b"),
        Action(kind="message", text="Done: " + "漢字 " * 100),
    ):
        picture.did(Did(one, action))
    picture.wrote(Wrote(one, "stdout", "a line\n"))
    frame = picture.frame(run(), [], [one], "", (80, 24))
    assert any("\x1b[1mBash\x1b[0m  pytest -q" in line for line in frame)
    frame = [plain(line) for line in frame]
    said = [line.strip() for line in frame if line.startswith("  | ")]
    assert said[:3] == ["| half", "| Bash  pytest -q", "| edit  src/漢字.py"]
    assert said[3].startswith("| says  Done: 漢字 ")
    assert said[4] == "| a line"
    assert all(width(line) <= 80 for line in frame)
    [head] = [line for line in frame if line.startswith("agent-1")]
    assert head.endswith("3,400 tokens  orch/1-do-it")


def test_states_are_words_and_failures_have_a_reason() -> None:
    why = Outcome(failure=Failure("exit_nonzero", "it said no"))
    gate = step(2, kind="Gate/1")
    steps = [step(1, "refused", outcome=why), gate, step(3, "planned")]
    frame = board().frame(run(), steps, [attempt(1, stop=True)], "", (120, 24))
    text = "\n".join(frame)
    assert re.search(r"agent agent-1 +refused +20.0s  it said no", text)
    assert re.search(r"gate +blocked", text)
    assert re.search(r"agent +waiting", text)
    assert re.search(r"agent-1 +stopping +50.0s", text)


def test_two_steps_with_an_agent_of_one_name_are_told_apart() -> None:
    same = [
        attempt(1, name="impl"),
        attempt(2, name="impl"),
        attempt(3, name="impl", path="2", n=2),
    ]
    text = "\n".join(board().frame(run(), [], same, "", (80, 24)))
    assert "impl-0000" in text
    assert "impl-0000#2" in text
