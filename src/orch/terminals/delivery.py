"""A message typed into a running program's terminal, and the proof that the program has read it.

Invariant: nothing is typed into an unknown state, no key twice, and `delivered` is never said without
proof. The recipe: look (who reads, how has it set its terminal, is nothing left unread); note the
message; paste it as one buffer, in brackets where the program asked for them; see it read; a pause,
Enter as a key of its own; see that read. What is not read in time is taken back, so that it cannot
come later by surprise. A half line that somebody has begun to type into a canonical terminal is
dropped first: the kernel does not show it, and it would become the message's beginning.

The proof: tmux has nothing left to write and the kernel nothing left to be read; the very processes
that had the terminal before have since read at least as many bytes (Linux tells); and nobody has
changed the terminal's settings before the text was read, with which programs throw away input.
What a program does with what it has read is its own affair; of an agent that tells which messages it
took, `delivered` is said only when it told of this one. What this cannot see: a program that
throws its input away without changing a setting, while it reads as much from elsewhere.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from orch.model.delivery import UNKNOWN, Delivery, Undeliverable, message_bytes
from orch.model.errors import ToolFailed
from orch.terminals import files, process, readers
from orch.terminals.keyboard import Keyboard
from orch.terminals.line import Line, Settings, opened
from orch.terminals.server import Server, Silent

if TYPE_CHECKING:
    from orch.ports import Took

_LOOK_S = 0.01
_GAP_S = 0.25
_WRITTEN = 16 * 1024 * 1024
_BEGUN = Undeliverable(
    UNKNOWN, "Whoever sent it ended before it was seen whether the program read it."
).delivery
_GONE = "The program has ended, or its terminal is gone."
_PERHAPS = (
    "It may have been read, whole or in part: look what the program did before it is sent again."
)


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. A program gets `ready_s` to begin to read. One that waits for something, nobody can
    tell for what, counts as ready when nothing has changed for `settle_s`; one that works, `busy_s`
    after it has set its terminal so that it gets every key. It gets `read_s` without any progress to
    read on, `limit_s` in all, and `took_s` to say that it took what it read. Between text and Enter
    lie `pause_s`: sooner, programs take the key for a part of the paste."""

    ready_s: float = 10.0
    busy_s: float = 2.0
    settle_s: float = 0.3
    read_s: float = 5.0
    limit_s: float = 60.0
    pause_s: float = 0.15
    took_s: float = 8.0


DEFAULT = Patience()


class _Clock:
    """Seconds as one sees them go by who looks: of a time in which nobody did (this process or the
    whole machine stood still), `_GAP_S` count, for the program may have had none of it either."""

    def __init__(self) -> None:
        self._seen = 0.0
        self._looked = time.monotonic()

    def now(self) -> float:
        before, self._looked = self._looked, time.monotonic()
        self._seen += min(self._looked - before, _GAP_S)
        return self._seen


class Courier:
    """Brings messages to the program in terminal `name`, whose files are in `folder`."""

    def __init__(
        self, server: Server, name: str, folder: Path, patience: Patience, took: Took | None = None
    ) -> None:
        self._took = took
        self._server = server
        self._name = name
        self._folder = folder
        self._patience = patience

    def send(self, state: str, text: str, key: str) -> Delivery:
        """`state` is how the terminal was seen last (`Terminals.probe`). One message at a time."""
        try:
            body = message_bytes(text)
            known = files.message(self._folder, key)
            if known is not None:
                return known
            self._check(state)
            with files.locked(self._folder):
                return files.message(self._folder, key) or self._deliver(body, key)
        except Undeliverable as why:
            return why.delivery
        except Silent as error:
            return Undeliverable("no_answer", error.message).delivery

    def _check(self, state: str) -> None:
        if state == "unknown":
            raise Undeliverable("no_answer", "It cannot be told whether the program is running.")
        if state != "alive":
            raise Undeliverable("not_running", f"The program is not running: it is {state}.")
        prepared = files.prepared(self._folder)
        if prepared is None or prepared.io != "tty":
            raise Undeliverable(
                "pipes",
                "The program does not read its terminal: its input is a file (io = pipes).",
            )

    def _deliver(self, body: bytes, key: str) -> Delivery:
        clock = _Clock()
        leader = self._leader(clock)
        keyboard = Keyboard(self._server, self._name, leader)
        text = body.decode()
        with _gone_is("not_running"), opened(keyboard.device) as line:
            if not readers.sits_at(leader, line.device):
                raise Undeliverable("not_running", _GONE)
            desk = _Desk(keyboard, line, leader, self._patience, clock)
            ready = desk.ready()
            ready.settings.check(body)
            files.put_message(self._folder, key, _BEGUN)
            before = files.size(self._folder, "stdout")
            delivery = desk.type(body, ready)
            if delivery.delivered and self._took is not None:
                delivery = self._see_taken(text, before, self._took)
        with contextlib.suppress(ToolFailed):  # a full disk: `unknown` stays written, which is true
            files.put_message(self._folder, key, delivery)
        return delivery

    def _see_taken(self, text: str, before: int, took: Took) -> Delivery:
        """The program's own word that the message has become a part of the conversation."""
        clock = _Clock()
        while True:
            written, _ = files.part(self._folder, "stdout", before, _WRITTEN)
            if took(written, text):
                return Delivery(delivered=True, proof="The agent says that it has taken it up.")
            if clock.now() > self._patience.took_s or files.has_exit(self._folder):
                return Undeliverable(
                    UNKNOWN,
                    f"The program has read it, and has not said that it took it. {_PERHAPS}",
                ).delivery
            time.sleep(_LOOK_S * 5)

    def _leader(self, clock: _Clock) -> int:
        """The wrapper, which leads the terminal's session, once it is up."""
        while True:
            owner = files.started(self._folder)
            if owner is not None and owner.pid:
                if not process.alive(owner):
                    raise Undeliverable("not_running", _GONE)
                return owner.pid
            if clock.now() > self._patience.ready_s:
                raise Undeliverable("not_reading", "The program has not been started yet.")
            time.sleep(_LOOK_S)


@contextlib.contextmanager
def _gone_is(code: str) -> Iterator[None]:
    """The kernel's word that there is no such terminal (any more), as an outcome."""
    try:
        yield
    except OSError as error:
        raise Undeliverable(code, f"{_GONE[:-1]} ({error.strerror}).") from error


def _sentence(error: Undeliverable | ToolFailed) -> str:
    return error.reason if isinstance(error, Undeliverable) else error.message


class _Look(msgspec.Struct, frozen=True):
    """Who has the terminal, how it is set, what they wait for, how much they have not read."""

    group: int
    pids: list[int]
    settings: Settings
    waits: readers.Waits
    unread: int


class _Desk:
    """One message at one terminal."""

    def __init__(
        self, keyboard: Keyboard, line: Line, leader: int, patience: Patience, clock: _Clock
    ) -> None:
        self._keyboard = keyboard
        self._line = line
        self._leader = leader
        self._patience = patience
        self._clock = clock

    # --- before

    def ready(self) -> _Look:
        """Wait until the program is about to read, and has read all that was typed before."""
        last: _Look | None = None
        same_since = set_since = self._clock.now()
        while True:
            look, now = self._look(), self._clock.now()
            if last is None or look != last:
                same_since = now
            if last is None or (look.group, look.settings) != (last.group, last.settings):
                set_since = now
            if self._is_ready(look, now - same_since, now - set_since):
                return self._no_shell(look)
            last = look
            if now > self._patience.ready_s:
                raise Undeliverable(
                    "not_reading",
                    f"The program has not begun to read its terminal within"
                    f" {self._patience.ready_s:g} seconds; nothing was typed.",
                )
            time.sleep(_LOOK_S)

    def _look(self) -> _Look:
        settings = self._line.settings()
        group = readers.foreground(self._leader)
        if not group:
            raise Undeliverable("not_running", _GONE)
        pids = readers.members(group)
        waits = readers.waits(pids, self._keyboard.device)
        if self._line.settings() != settings:
            waits = "works"  # it is just setting its terminal up
        return _Look(group, pids, settings, waits, self._line.unread())

    def _is_ready(self, look: _Look, same_s: float, set_s: float) -> bool:
        if look.unread or look.group == self._leader:  # the wrapper: no program has begun
            return False
        if look.waits == "reads":
            return True
        if not look.settings.canonical and set_s >= self._patience.busy_s:
            return True
        return look.waits != "works" and same_s >= self._patience.settle_s

    @staticmethod
    def _no_shell(look: _Look) -> _Look:
        if any(readers.is_shell(pid) for pid in look.pids):
            raise Undeliverable("shell", "A shell waits there, which would run the message.")
        return look

    # --- typing

    def type(self, body: bytes, ready: _Look) -> Delivery:
        """From here on something has been typed: whatever goes wrong, some of it may be read."""
        meter = readers.Meter(ready.pids)
        try:
            with _gone_is(UNKNOWN):
                if ready.settings.canonical:
                    self._type_lines(body, ready, meter)
                else:
                    self._type_raw(body, ready, meter)
        except (Undeliverable, ToolFailed) as error:
            return self._taken_back(body, meter, _sentence(error))
        except KeyboardInterrupt:
            self._taken_back(body, meter, "")
            raise
        seen = (
            f"process group {ready.group} has read {meter.read()} bytes since"
            if meter.read() is not None
            else "who read it cannot be seen on this system"
        )
        return Delivery(
            delivered=True,
            proof=f"All {len(body)} bytes and Enter were read: nothing is left in the terminal,"
            f" and {seen}.",
        )

    def _type_lines(self, body: bytes, ready: _Look, meter: readers.Meter) -> None:
        """The program gets nothing before a line's end: text and Enter in one go."""
        self._line.drop()
        self._keyboard.paste(body, brackets=False, enter=True)
        # One line is taken by the read that waits for it. Of several the rest may be thrown away by
        # a program that was only setting up its terminal.
        taken = ready.waits == "reads" and b"\n" not in body
        self._see_read(meter, len(body) + 1, len(body) + 1, None if taken else ready)

    def _type_raw(self, body: bytes, ready: _Look, meter: readers.Meter) -> None:
        self._keyboard.paste(body, brackets=True, enter=False)
        self._see_read(meter, len(body), len(body), ready)
        time.sleep(self._patience.pause_s)
        self._see_unchanged(ready)
        before = meter.read() or 0  # the marks of a paste count too
        self._keyboard.enter()
        self._see_read(meter, before + 1, 1, None)

    def _see_unchanged(self, ready: _Look) -> None:
        if readers.foreground(self._leader) != ready.group:
            raise Undeliverable(UNKNOWN, "Another program has the terminal now.")
        if self._line.settings() != ready.settings:
            raise Undeliverable(UNKNOWN, "The program has changed its terminal meanwhile.")

    def _see_read(self, meter: readers.Meter, wanted: int, typed: int, ready: _Look | None) -> None:
        """Wait until the meter shows `wanted` and nothing more is to come of the `typed` bytes; with
        `ready`, from programs that change nothing meanwhile."""
        now = self._clock.now()
        limit, stall = now + self._patience.limit_s, now + self._patience.read_s
        turns, last = self._keyboard.turns(typed), (-1, -1)
        while True:
            unread, read = self._line.unread(), meter.read()
            if not unread and (read is None or read >= wanted):
                self._keyboard.turn()
                turns -= not self._line.unread()
            if ready is not None:
                self._see_unchanged(ready)
            if turns <= 0:
                return
            now = self._clock.now()
            if (unread, read or 0) != last:
                last, stall = (unread, read or 0), now + self._patience.read_s
            if now > min(limit, stall):
                raise Undeliverable(UNKNOWN, "The program does not read on.")
            time.sleep(_LOOK_S / 5)

    # --- undoing

    def _taken_back(self, body: bytes, meter: readers.Meter, why: str) -> Delivery:
        """Empty the terminal of what was not read. tmux may hold some of it, and writes it when
        there is room: so it gets its turns."""
        try:
            with _gone_is(UNKNOWN):
                for _ in range(self._keyboard.turns(len(body)) + 1):
                    self._line.drop()
                    self._keyboard.turn()
                self._line.drop()
        except (Undeliverable, ToolFailed) as error:
            more = "" if _sentence(error) == why else f" {_sentence(error)}"
            return Undeliverable(UNKNOWN, f"{why} {_PERHAPS}{more}").delivery
        if meter.read() == 0 and not meter.blind:
            return Undeliverable(
                "not_reading",
                f"{why} Nothing of the message was read, and it was taken back.",
            ).delivery
        return Undeliverable(
            UNKNOWN, f"{why} {_PERHAPS} What was not read was taken back."
        ).delivery
