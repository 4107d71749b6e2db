"""`MemoryTerminals`: the `orch.ports.Terminals` port without tmux, for simulations in virtual time.

Invariant: what `Tmux` promises holds here too (`tests/contract/terminals_contract.py` runs on
both): a directory starts at most one program for ever, a record once written never changes, and
the programs live in this object, so that they outlive every engine that asks about them. Nothing
happens by itself: time is `now` and `later`, programs are `Script`s.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import threading
from collections.abc import Callable, Sequence, Set
from typing import TYPE_CHECKING, Literal

import msgspec

from orch.model.attempt import Activity, ExitRecord, Launch
from orch.model.delivery import UNKNOWN, Delivery, Undeliverable, message_bytes
from orch.terminals.files import check
from orch.terminals.names import checked_attempt, checked_file, checked_name

if TYPE_CHECKING:
    from orch.model.question import Answer, Question
    from orch.ports import Took

_LAST_SIGNAL = 64
State = Literal["alive", "ended", "lost"]


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What a program does: after `seconds` (`math.inf`: it hangs) it has written `stdout`, `stderr`
    and `files` (name -> text, in the attempt's directory), has run `effect`, and is gone with
    `exit_code`; 128 + n stands for signal n. `lost`: it goes away at that moment without an exit
    record, as when the machine's memory ran out; its effect has happened all the same. `listens`:
    it reads its terminal (`Launch.io` = tty), and writes what it reads into `heard`.

    A program that is stopped, times out (`Launch.timeout_s`) or is lost before `seconds` are over
    has written nothing and never runs its effect."""

    seconds: float = 0.0
    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    files: dict[str, str] = {}
    effect: Callable[[], None] | None = None
    lost: bool = False
    listens: bool = False


class _Terminal:
    """One terminal, from its start on."""

    def __init__(self, name: str, attempt: str, launch: Launch, script: Script, at: float) -> None:
        self.name = name
        self.attempt = attempt
        self.launch = launch
        self.script = script
        self.started_at = at
        self.state: State = "alive"
        self.record: ExitRecord | None = None
        self.content = {name: text.encode() for name, text in launch.files.items()}
        self.content["prompt"] = launch.stdin.encode()
        self.waiters: list[asyncio.Future[None]] = []
        self.messages: dict[str, Delivery] = {}
        self.questions: dict[str, Question] = {}
        self.listeners: list[asyncio.Future[None]] = []
        self.answers: dict[str, Answer] = {}


class MemoryTerminals:
    """See `orch.ports.Terminals`.

    `program(attempt, launch)` gives the script of each program that starts; `later(seconds, call)`
    calls back after that many (virtual) seconds, `now()` is wall time. For faults: `silent` holds
    names whose state cannot be told (`unknown`), `lose` and `lose_all` take terminals away.
    `starts` counts the programs that really started, by attempt: a number above 1 is a bug.
    """

    def __init__(
        self,
        program: Callable[[str, Launch], Script],
        later: Callable[[float, Callable[[], None]], object],
        now: Callable[[], float],
    ) -> None:
        self._program = program
        self._later = later
        self._now = now
        self._lock = threading.RLock()
        self._terminals: dict[str, _Terminal] = {}
        self.starts: dict[str, int] = {}
        self.silent: set[str] = set()

    def version(self) -> tuple[int, ...]:
        return (3, 3)

    # --- start

    def start(self, name: str, directory: str, attempt: str, launch: Launch) -> None:
        checked_name(name)
        checked_attempt(attempt)
        check(launch)
        with self._lock:
            if directory in self._terminals or name in self.names():
                return
            script = self._program(attempt, launch)
            terminal = _Terminal(name, attempt, launch, script, self._now())
            self._terminals[directory] = terminal
            self.starts[attempt] = self.starts.get(attempt, 0) + 1
        timeout = launch.timeout_s or math.inf
        if script.seconds <= timeout and math.isfinite(script.seconds):
            self._later(script.seconds, lambda: self._finish(terminal))
        elif math.isfinite(timeout):
            self._later(timeout, lambda: self._time_out(terminal))

    # --- look

    def probe(self, name: str, directory: str) -> str:
        checked_name(name)
        with self._lock:
            terminal = self._terminals.get(directory)
            if terminal is not None and terminal.state == "ended":
                return "ended"  # the exit file needs no terminal's word
            if name in self.silent:
                return "unknown"
            return terminal.state if terminal else "absent"

    def activity(self, name: str, directory: str, worktree: str) -> Activity:
        """Programs of a script move all the time, until they end."""
        probe = self.probe(name, directory)
        if probe not in ("alive", "ended", "lost"):
            return Activity(process="unknown")
        return Activity(process="alive" if probe == "alive" else "dead")

    async def ended(self, name: str, directory: str) -> None:
        checked_name(name)
        with self._lock:
            terminal = self._terminals.get(directory)
            if terminal is None or terminal.state != "alive":
                return  # whoever is silent here: the program's end is told by the kernel
            waiter = asyncio.get_running_loop().create_future()
            terminal.waiters.append(waiter)
        try:
            await waiter
        finally:
            with self._lock:
                if waiter in terminal.waiters:
                    terminal.waiters.remove(waiter)

    def exit_record(self, directory: str) -> ExitRecord | None:
        with self._lock:
            terminal = self._terminals.get(directory)
            return terminal.record if terminal else None

    def output(self, directory: str, stream: str, *, tail_bytes: int = 0) -> bytes:
        checked_file(stream)
        with self._lock:
            terminal = self._terminals.get(directory)
            content = terminal.content.get(stream, b"") if terminal else b""
        return content[-tail_bytes:] if tail_bytes else content

    def read(self, directory: str, stream: str, start: int, limit: int) -> tuple[bytes, int]:
        content = self.output(directory, stream)
        return content[start : start + limit], len(content)

    def ear(self) -> None:
        """There is no kernel here."""

    def names(self) -> Sequence[str]:
        with self._lock:
            return [t.name for t in self._terminals.values() if t.state == "alive"]

    # --- talk

    def send(
        self, name: str, directory: str, text: str, *, key: str, took: Took | None = None
    ) -> Delivery:
        state = self.probe(name, directory)
        with self._lock:
            terminal = self._terminals.get(directory)
            try:
                body = message_bytes(text)
                if terminal is not None and key in terminal.messages:
                    return terminal.messages[key]
                heard = self._heard(terminal, state, body, key)
                assert terminal is not None
                if took is not None and not took(terminal.content.get("stdout", b""), text):
                    heard = Undeliverable(UNKNOWN, "It did not say that it took it.").delivery
                    terminal.messages[key] = heard
                return heard
            except Undeliverable as why:
                return why.delivery

    def _heard(self, terminal: _Terminal | None, state: str, body: bytes, key: str) -> Delivery:
        if state == "unknown":
            raise Undeliverable("no_answer", "It cannot be told whether the program is running.")
        if terminal is None or state != "alive":
            raise Undeliverable("not_running", f"The program is not running: it is {state}.")
        if terminal.launch.io != "tty":
            raise Undeliverable("pipes", "The program does not read its terminal.")
        if not terminal.script.listens:
            raise Undeliverable("not_reading", "The program has not begun to read its terminal.")
        content = terminal.content
        content["heard"] = content.get("heard", b"") + body + b"\r"
        heard = Delivery(delivered=True, proof="The program wrote down what it heard.")
        terminal.messages[key] = heard
        return heard

    def ask(self, directory: str, question: Question) -> None:
        """The program in `directory` asks a person."""
        terminal = self._terminals[directory]
        terminal.questions[question.id] = question
        listeners, terminal.listeners = terminal.listeners, []
        for waiter in listeners:
            _tell(waiter)

    def questions(self, directory: str) -> Sequence[Question]:
        terminal = self._terminals.get(directory)
        asked = terminal.questions.values() if terminal is not None else ()
        answered = terminal.answers if terminal is not None else {}
        left = [one for one in asked if one.id not in answered]
        return sorted(left, key=lambda one: (one.asked_at, one.id))

    async def asks(self, directory: str, known: Set[str]) -> None:
        while not [one for one in self.questions(directory) if one.id not in known]:
            waiter = asyncio.get_running_loop().create_future()
            self._terminals[directory].listeners.append(waiter)
            await waiter

    def answer(self, directory: str, question: str, given: Answer) -> bool:
        with self._lock:
            terminal = self._terminals.get(directory)
            if terminal is None or question in terminal.answers:
                return False
            terminal.answers[question] = given
            return True

    def join(self, directory: str) -> int:
        return os.open(os.devnull, os.O_RDONLY)

    def attach_command(self, name: str, *, read_only: bool) -> Sequence[str]:
        return ("attach", *(["--read-only"] if read_only else []), checked_name(name))

    # --- end

    def stop(self, name: str, directory: str, *, grace_s: float) -> None:
        checked_name(name)
        with self._lock:
            terminal = self._terminals.get(directory)
            if terminal is None or terminal.state == "ended":
                return
            by = signal.SIGTERM if terminal.state == "alive" else signal.SIGKILL
            self._end(terminal, 128 + by, stopped=True)

    def lose(self, name: str, *, told: bool = False) -> None:
        """Terminal `name` goes away under its program. `told`: its wrapper could still write an
        exit record that says so, as it can when only the tmux server died."""
        with self._lock:
            for terminal in self._terminals.values():
                if terminal.name != name or terminal.state != "alive":
                    continue
                if told:
                    self._end(terminal, 128 + signal.SIGTERM, lost=True)
                else:
                    self._settle(terminal, "lost")

    def lose_all(self, *, told: bool = False) -> None:
        """The tmux server died."""
        for name in self.names():
            self.lose(name, told=told)

    # --- what programs do

    def _finish(self, terminal: _Terminal) -> None:
        script = terminal.script
        with self._lock:
            if terminal.state != "alive":
                return
            if script.effect is not None:
                script.effect()
            if terminal.launch.io == "tty":
                terminal.content["pane"] = script.stdout + script.stderr
            else:
                terminal.content.update(stdout=script.stdout, stderr=script.stderr)
            terminal.content.update({name: text.encode() for name, text in script.files.items()})
            if script.lost:
                self._settle(terminal, "lost")
            else:
                self._end(terminal, script.exit_code)

    def _time_out(self, terminal: _Terminal) -> None:
        with self._lock:
            if terminal.state == "alive":
                self._end(terminal, 128 + signal.SIGTERM, timed_out=True)

    def _end(
        self, terminal: _Terminal, exit_code: int, *, timed_out: bool = False, lost: bool = False,
        stopped: bool = False,
    ) -> None:  # fmt: skip
        """It is over, and a record says how."""
        content = terminal.content
        terminal.record = ExitRecord(
            attempt=terminal.attempt, exit_code=exit_code,
            signal=exit_code - 128 if 128 < exit_code <= 128 + _LAST_SIGNAL else 0,
            timed_out=timed_out, lost=lost, stopped=stopped,
            started_at=terminal.started_at, ended_at=self._now(),
            stdout_bytes=len(content.get("stdout", b"")),
            stderr_bytes=len(content.get("stderr", b"")),
        )  # fmt: skip
        self._settle(terminal, "ended")

    def _settle(self, terminal: _Terminal, state: State) -> None:
        terminal.state = state
        waiters, terminal.waiters = terminal.waiters, []
        for waiter in waiters:
            _tell(waiter)


def _tell(waiter: asyncio.Future[None]) -> None:
    """Fulfil a future, in its own loop; a loop that was closed had a reader that is no more."""
    loop = waiter.get_loop()
    if loop.is_closed():
        return
    try:
        here = asyncio.get_running_loop() is loop
    except RuntimeError:
        here = False
    if here:
        _fulfil(waiter)
    else:
        loop.call_soon_threadsafe(_fulfil, waiter)


def _fulfil(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
