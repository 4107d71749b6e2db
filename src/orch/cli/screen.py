"""The terminal while a live picture is shown on it.

Invariant: what was taken (the other screen, the cursor, line wrap, echo, signals) is given back on
every way out: the end, a fault, Ctrl-C, SIGTERM, SIGHUP, and while the process is suspended. Only
lines that changed are written.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

from orch.cli.output import flush, put

_TAKE = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J"
_GIVE_BACK = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_LEAVE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TOLD = (*_LEAVE, signal.SIGWINCH, signal.SIGTSTP)


class Screen:
    """A context. `left` is the signal that asked to leave, 0 while nobody did."""

    def __init__(self) -> None:
        self.left = 0
        self._suspended = False
        self._shown: list[str] = []
        self._size = (0, 0)
        self._before: dict[int, Any] = {}
        self._typing: list[Any] | None = None
        self._pipe = (-1, -1)
        self._wakeup = -1

    def __enter__(self) -> Screen:
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        self._wakeup = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        for number in _TOLD:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._told)
        self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._give_back()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        for end in self._pipe:
            os.close(end)

    def _told(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTSTP:
            self._suspended = True
        elif number != signal.SIGWINCH:
            if self.left == signal.SIGINT == number:
                raise KeyboardInterrupt  # asked twice: we may be waiting for something
            self.left = self.left or number

    @property
    def wake(self) -> tuple[int, ...]:
        """Descriptors that become readable when `heard` has something to do."""
        return (self._pipe[0], sys.stdin.fileno()) if self._typing else (self._pipe[0],)

    def heard(self) -> None:
        """Take in signals and keys: q leaves, like Ctrl-C; anything else is swallowed."""
        _drain(self._pipe[0])
        if self._typing and b"q" in _drain(sys.stdin.fileno()).lower():
            self.left = self.left or signal.SIGINT
        if self._suspended:
            self._suspended = False
            self._give_back()
            os.kill(os.getpid(), signal.SIGSTOP)
            self._take()

    def size(self) -> tuple[int, int]:
        """Columns (at least 40: a narrower terminal shows the beginnings) and rows."""
        found = os.get_terminal_size(sys.stdout.fileno())
        return max(40, found.columns or 80), max(5, found.lines or 24)

    def draw(self, lines: Sequence[str]) -> None:
        """Make the screen show `lines`, none of them wider than it."""
        size, shown = self.size(), self._shown
        if size != self._size:
            self._size, shown = size, []
        changed = [
            f"\x1b[{row};1H\x1b[K{line}"  # erased first: after a full line it takes the last column
            for row, line in enumerate(lines, 1)
            if row > len(shown) or shown[row - 1] != line
        ]
        if len(lines) < size[1]:
            changed.append(f"\x1b[{len(lines) + 1};1H\x1b[J")
        self._shown = list(lines)
        if self._shown != shown:
            put(sys.stdout, "".join(changed))
            flush(sys.stdout)

    def _take(self) -> None:
        self._shown = []
        self._typing = _typing()
        if self._typing:
            quiet = [*self._typing]
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, quiet)
        put(sys.stdout, _TAKE)
        flush(sys.stdout)

    def _give_back(self) -> None:
        put(sys.stdout, _GIVE_BACK)
        flush(sys.stdout)
        if self._typing:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._typing)


def _typing() -> list[Any] | None:
    """The settings of the terminal that a person types into; None when that is not here, or when
    another job has it."""
    try:
        keys = sys.stdin.fileno()
        if os.isatty(keys) and os.tcgetpgrp(keys) == os.getpgrp():
            return termios.tcgetattr(keys)
    except (OSError, termios.error):
        return None
    return None


def _drain(descriptor: int) -> bytes:
    """What is there to be read, without waiting."""
    import select

    ready, _, _ = select.select([descriptor], [], [], 0)
    return os.read(descriptor, 4096) if ready else b""
