"""What a person types into an agent's terminal while it works, and what `orch send` types there.

Invariant: whatever was read becomes a message, and what comes after `stop` stays unread in the
terminal: so whoever typed it can tell. A thread sits in read(2), which proves from outside that
the program reads.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import threading
from collections.abc import Callable

TOGETHER_S = 0.15
"""Lines that follow one another within this time are one message."""
LIMIT = 1024 * 1024
_KICK_S = 0.05


class Keyboard:
    """The terminal at `path`, from now on; `take` gets each message, in the reading thread.
    The main thread makes it."""

    def __init__(self, path: str, take: Callable[[str], None]) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        self._take = take
        self._over, self._leave = threading.Event(), threading.Event()
        signal.signal(signal.SIGUSR1, _woken)
        self._thread = threading.Thread(target=self._run, name="keyboard", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """When this returns, nothing is read any more and all that was read has been taken."""
        # Its own opening of the terminal: nobody else's reads and writes are changed by this.
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        fcntl.fcntl(self._file, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        while not self._over.is_set():
            # The read that is interrupted is begun again, and finds that it must not wait.
            signal.pthread_kill(self._thread.ident or 0, signal.SIGUSR1)
            self._over.wait(_KICK_S)
        self._leave.set()
        self._thread.join()
        os.close(self._file)

    def _run(self) -> None:
        try:
            while (typed := self._message()) is not None:
                text = typed.decode("utf-8", "replace").strip("\r\n")
                if text.strip():
                    self._take(text)
        finally:
            self._over.set()
            self._leave.wait()  # a thread that is gone must not be sent a signal

    def _message(self) -> bytes | None:
        """The next lines; None when there are none to come."""
        typed = self._read()
        while typed and len(typed) < LIMIT:
            if not select.select([self._file], [], [], TOGETHER_S)[0]:
                break
            more = self._read()
            if not more:
                break
            typed += more
        return typed

    def _read(self) -> bytes | None:
        """Empty for the key that ends an input (Ctrl-D), which means nothing here."""
        try:
            typed = os.read(self._file, 65536)
        except OSError:
            return None  # told to stop, or the terminal has gone
        if not typed and _hung_up(self._file):
            return None
        return typed


def _hung_up(file: int) -> bool:
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def _woken(number: int, frame: object) -> None:
    """It has done what it is for: interrupted a read."""


class Inbox:
    """Messages of people, from the thread that reads them to whoever waits for them; without a
    terminal only what is `put`."""

    def __init__(self, terminal: str) -> None:
        self._terminal = terminal
        self._lock = threading.Lock()
        self._messages: list[str] = []
        self._keyboard: Keyboard | None = None
        self.arrived: Callable[[], None] = lambda: None
        """Called after each message, in whatever thread."""
        self.open()

    def open(self) -> None:
        if self._terminal and self._keyboard is None:
            self._keyboard = Keyboard(self._terminal, self.put)

    def close(self) -> None:
        """From now on what is typed stays in the terminal."""
        if self._keyboard is not None:
            self._keyboard.stop()
            self._keyboard = None

    def put(self, text: str) -> None:
        with self._lock:
            self._messages.append(text)
        self.arrived()

    def take(self) -> list[str]:
        """All that came since."""
        with self._lock:
            taken, self._messages = self._messages, []
        return taken

    def __len__(self) -> int:
        return len(self._messages)
