"""One pane's keyboard: what tmux is asked to do to type into it.

Invariant: text reaches tmux on its standard input and the pane as one buffer, so that no part of it
is an option, a key's name or a command's end; and out of copy mode is gone in the same breath, so
that no mode of tmux takes what was meant for the program.
"""

from __future__ import annotations

import contextlib
import re
import time

from orch.model.delivery import Undeliverable
from orch.terminals.server import NoServer, NoSession, Refused, Server

_TURN = 16 * 1024  # bytes that tmux writes to a terminal in one turn of its loop (libevent's limit)
_WRITES_OUT = (3, 7)  # from here on a paste is made printable, unless that is refused
_GONE = "The program's terminal is gone."
_PANE = "#{pane_pid} #{window_id}.#{pane_id} #{pane_input_off} #{version} #{pane_tty}"


class Keyboard:
    """Of the pane of terminal `name` whose first process is `leader`: a person may have opened others
    beside it. `device` is the path of its terminal."""

    def __init__(self, server: Server, name: str, leader: int) -> None:
        self._server = server
        listed = self._ask("list-panes", "-s", "-t", f"={name}:", "-F", _PANE)
        rows = [row.split(" ", 4) for row in listed.splitlines()]
        found = next((row for row in rows if int(row[0]) == leader), None)
        if found is None:
            raise Undeliverable("not_running", _GONE)
        _, pane, off, version, self.device = found
        # In full: a server that was started anew in between gives the same ids to others.
        self._pane = f"={name}:{pane}"
        if off == "1":
            raise Undeliverable("input_off", "A person has switched the input of the pane off.")
        numbers = re.search(r"(\d+)\.(\d+)", version)
        self._raw = ["-S"] if numbers and (int(numbers[1]), int(numbers[2])) >= _WRITES_OUT else []

    def paste(self, body: bytes, *, brackets: bool, enter: bool) -> None:
        """Type `body`, in the marks of a paste if the program has asked tmux for them and `brackets`
        allows it; then perhaps Enter, with nobody's key in between."""
        buffer = f"orch-{time.monotonic_ns()}"
        words = [
            *self._leave_modes(), ";", "load-buffer", "-b", buffer, "-", ";",
            "paste-buffer", "-d", "-r", *(["-p"] if brackets else []), *self._raw,
            "-b", buffer, "-t", self._pane,
        ]  # fmt: skip
        try:
            self._ask(*words, *([";", *self._enter()] if enter else []), stdin=body.decode())
        except Undeliverable:
            with contextlib.suppress(Undeliverable):
                self._ask("delete-buffer", "-b", buffer)
            raise

    def enter(self) -> None:
        self._ask(*self._leave_modes(), ";", *self._enter())

    @staticmethod
    def turns(size: int) -> int:
        """After how many turns, each begun with an empty terminal, tmux has written `size` bytes."""
        return size // _TURN + 1

    def turn(self) -> None:
        """Have tmux's loop come round: what the kernel had room for has been written."""
        self._ask("display-message", "-p", "-t", self._pane, "#{pane_id}")

    def _ask(self, *words: str, stdin: str = "") -> str:
        try:
            return self._server.ask(*words, stdin=stdin)
        except (NoServer, NoSession) as error:
            raise Undeliverable("not_running", _GONE) from error
        except Refused as error:
            raise Undeliverable("terminal_failed", f"tmux refused: {error!s:.200}.") from error

    def _leave_modes(self) -> list[str]:
        return ["copy-mode", "-q", "-t", self._pane]

    def _enter(self) -> list[str]:
        return ["send-keys", "-t", self._pane, "Enter"]
