"""Both kinds of terminals of ours pass the one contract."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orch.model.attempt import Launch
from orch.model.question import Question
from orch.terminals.delivery import Patience
from orch.terminals.memory import MemoryTerminals, Script
from orch.terminals.tmux import Tmux
from tests.contract.terminals_contract import Part
from tests.contract.terminals_talk_contract import TalkContract
from tests.sim.virtual import VirtualClock, VirtualLoop
from tests.terminalrooms import PYTHON, Room, kill, lines, until

PATIENCE = Patience(ready_s=1.5, read_s=1.0, pause_s=0.01, took_s=0.3)
PLAYER = """
import os, signal, sys, time
seconds, stdout, stderr, echo, code, number, listens, log = sys.argv[1:]
with open(log, "a") as file:
    file.write("began\\n")
if listens:
    import tty
    tty.setraw(0)
    with open(os.environ["ORCH_TERMINAL"] + "/heard", "ab", buffering=0) as heard:
        while True:
            heard.write(os.read(0, 1022))
time.sleep(min(float(seconds), 600))
said = os.fsencode(stdout)
if echo:
    said = sys.stdin.buffer.read() + said
sys.stdout.buffer.write(said)
sys.stdout.flush()
os.write(2, os.fsencode(stderr))
if int(number):
    signal.signal(int(number), signal.SIG_DFL) if int(number) != 9 else None
    os.kill(os.getpid(), int(number))
sys.exit(int(code))
"""


class TmuxHands:
    def __init__(self, room: Room) -> None:
        self.room = room
        self.terminals = Tmux(room.home / "run", path=room.path, patience=PATIENCE)
        self._logs = itertools.count()

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        asyncio.run(scenario)

    def directory(self, attempt: str) -> str:
        return self.room.directory(attempt)

    def launch(self, part: Part, **fields: Any) -> Launch:
        words = (part.seconds, part.stdout, part.stderr, part.echo or "", part.exit_code,
                 part.signal, part.listens or "")  # fmt: skip
        log = f"{self.room.home}/log{next(self._logs)}"
        argv = (*PYTHON, "-c", PLAYER, *map(str, words), log)
        return Launch(argv=argv, cwd="/", env=self.room.environ(), **fields)

    def runs(self, attempt: str) -> int:
        launch = Path(self.directory(attempt), "launch.json")
        if not launch.exists():
            return 0
        return len(lines(Path(msgspec.json.decode(launch.read_bytes())["argv"][-1])))

    def reopened(self) -> Tmux:
        return Tmux(self.room.home / "run", path=self.room.path)

    def lose(self, name: str, attempt: str) -> None:
        kill(self.room.wrapper(attempt))
        until(lambda: name not in self.terminals.names())

    def ask(self, attempt: str, question: Question) -> None:
        text = msgspec.json.encode(question)
        Path(self.directory(attempt), f"ask-{question.id}.json").write_bytes(text)

    def silence(self) -> None:
        kill(self.room.note_server(), signal.SIGSTOP)


class TestTmux(TalkContract):
    @pytest.fixture
    def hands(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[TmuxHands]:
        monkeypatch.setattr("orch.terminals.server.PATIENCE_S", 1.5)
        room = Room()
        hands = TmuxHands(room)
        try:
            yield hands
        finally:
            room.close()


class MemoryHands:
    def __init__(self) -> None:
        self.loop = VirtualLoop()
        clock = VirtualClock(self.loop)
        self.terminals = MemoryTerminals(self._program, self.loop.call_later, clock.now)

    def _program(self, attempt: str, launch: Launch) -> Script:
        part = msgspec.json.decode(launch.argv[1], type=Part)
        said = (launch.stdin if part.echo else "") + part.stdout
        return Script(
            seconds=part.seconds, stdout=said.encode(), stderr=part.stderr.encode(),
            exit_code=128 + part.signal if part.signal else part.exit_code, listens=part.listens,
        )  # fmt: skip

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(scenario)

    def directory(self, attempt: str) -> str:
        return f"/attempts/{attempt}"

    def launch(self, part: Part, **fields: Any) -> Launch:
        argv = ("play", msgspec.json.encode(part).decode())
        return Launch(argv=argv, cwd="/", env={}, **fields)

    def runs(self, attempt: str) -> int:
        return self.terminals.starts.get(attempt, 0)

    def reopened(self) -> MemoryTerminals:
        return self.terminals  # it is what outlives every process

    def lose(self, name: str, attempt: str) -> None:
        self.terminals.lose(name)

    def ask(self, attempt: str, question: Question) -> None:
        self.terminals.ask(self.directory(attempt), question)

    def silence(self) -> None:
        self.terminals.silent |= {"orch-a1", "orch-a2", "orch-a3"}


class TestMemory(TalkContract):
    @pytest.fixture
    def hands(self) -> Iterator[MemoryHands]:
        hands = MemoryHands()
        try:
            yield hands
        finally:
            hands.loop.close()


def test_the_machine_has_the_tmux_that_the_tests_are_about() -> None:
    assert Tmux(Path("/nowhere"), path=os.environ["PATH"]).version() >= (3, 2)
