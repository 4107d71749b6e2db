"""A terminal's line seen from the program's end, without being one of its readers.

Invariant: opened without becoming anybody's controlling terminal, never read from, never set: only
looked at, and emptied (`drop`) of what a program does not read.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import sys
import termios
from collections.abc import Iterator
from typing import Any

from orch.model.delivery import Undeliverable

# A line of a canonical terminal holds this many bytes and its end; what is longer is cut by the
# kernel, however it is handed over (Linux: N_TTY_BUF_SIZE, elsewhere TTYHOG).
LONGEST_LINE = 4095 if sys.platform == "linux" else 1022
_DISABLED = 0 if sys.platform == "linux" else 0xFF
_IFLAG, _LFLAG, _CC = 0, 3, 6
_SIGNALS = ("VINTR", "VQUIT", "VSUSP", "VDSUSP")
_EDITS = ("VERASE", "VKILL", "VEOF", "VEOL", "VEOL2")
_MORE_EDITS = ("VWERASE", "VREPRINT", "VLNEXT", "VDISCARD")
_FLOW = ("VSTART", "VSTOP")


class Settings:
    """What the terminal does to its input, as the program has set it."""

    def __init__(self, attributes: list[Any]) -> None:
        self._all = attributes
        self._input: int = attributes[_IFLAG]
        self._local: int = attributes[_LFLAG]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self._all == other._all

    __hash__ = None  # type: ignore[assignment]

    @property
    def canonical(self) -> bool:
        """The program gets whole lines, which can be edited until their end is there."""
        return bool(self._local & termios.ICANON)

    def check(self, body: bytes) -> None:
        """`Undeliverable` when `body` and the Enter key would not come out as they went in."""
        if self._input & termios.IGNCR or (self.canonical and not self._input & termios.ICRNL):
            raise Undeliverable(
                "terminal_settings",
                "The program has set its terminal so that the Enter key ends no line.",
            )
        changed = self._swallowed() | self._translated()
        found = next((byte for byte in body if byte in changed), None)
        if found is not None:
            raise Undeliverable(
                "terminal_settings",
                f"The program has set its terminal so that {chr(found)!r} is a key, or is changed.",
            )
        if not self.canonical:
            return
        for number, line in enumerate(body.split(b"\n"), 1):
            if len(line) > LONGEST_LINE:
                raise Undeliverable(
                    "line_too_long",
                    f"The program reads whole lines, and line {number} of the message has"
                    f" {len(line)} bytes: its terminal would cut it after {LONGEST_LINE}.",
                )

    def _swallowed(self) -> set[int]:
        names: list[str] = []
        if self._local & termios.ISIG:
            names += _SIGNALS
        if self.canonical:
            names += _EDITS
            names += _MORE_EDITS if self._local & termios.IEXTEN else ()
        if self._input & termios.IXON:
            names += _FLOW
        keys = self._all[_CC]
        places = [getattr(termios, name) for name in names if hasattr(termios, name)]
        return {ord(keys[place]) for place in places} - {_DISABLED}

    def _translated(self) -> set[int]:
        found: set[int] = set()
        if self._input & termios.ISTRIP:
            found |= set(range(0x80, 0x100))
        if self._input & getattr(termios, "IUCLC", 0):
            found |= set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if self._input & termios.INLCR:
            found |= set(b"\n")
        return found


class Line:
    """One terminal. Every method is an `OSError` once the terminal is gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.device = os.fstat(descriptor).st_rdev

    def settings(self) -> Settings:
        try:
            return Settings(termios.tcgetattr(self._descriptor))
        except termios.error as error:
            raise OSError(*error.args) from error

    def unread(self) -> int:
        """How many bytes the program could read now and has not; of a canonical terminal those of
        whole lines. What is still on its way inside of the kernel counts: the look for input waits
        for that."""
        select.select([self._descriptor], [], [], 0)
        count = array.array("i", [0])
        fcntl.ioctl(self._descriptor, termios.FIONREAD, count)
        return count[0]

    def drop(self) -> None:
        """Throw away what nobody has read, half a line too."""
        try:
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
        except termios.error as error:
            raise OSError(*error.args) from error


@contextlib.contextmanager
def opened(path: str) -> Iterator[Line]:
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield Line(descriptor)
    finally:
        os.close(descriptor)
