"""A real terminal for the tests: a tmux of its own in which a person types and looks.

Everything is asked of tmux: what stands on the screen, in which colours, whose screen it is.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from tests.acceptance.world import World


class Glass:
    """One window of a given size with a shell in it. Close it."""

    def __init__(
        self, world: World, columns: int = 80, rows: int = 24,
        env: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.world = world
        self.socket = str(world.root / f"glass-{columns}x{rows}")
        environ = {**world.environ(env), "PS1": "$ ", "TERM": "xterm-256color"}
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
            "-c", str(world.root), "env", "-i", *(f"{k}={v}" for k, v in environ.items()),
            "sh", "-i",
        )  # fmt: skip
        try:
            self.until(lambda: "$" in self.text(), "the prompt")
        except BaseException:
            self.close()
            raise

    def orch(self, *words: str) -> None:
        """Type a command of Orch, and Enter."""
        self.type(shlex.join([sys.executable, "-m", "orch", *words]))

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)
        self.key("Enter")

    def key(self, name: str) -> None:
        self._tmux("send-keys", name)

    def lines(self) -> list[str]:
        """What stands on the screen, a line for each row."""
        return self._tmux("capture-pane", "-p").split("\n")[:-1]

    def text(self) -> str:
        return "\n".join(self.lines())

    def colours(self) -> str:
        """The same with its colour sequences."""
        return self._tmux("capture-pane", "-p", "-e")

    def ask(self, name: str) -> str:
        """A variable of the pane: `alternate_on`, `cursor_flag`, `pane_title`, …"""
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def until(self, wanted: Callable[[], bool], what: str, limit_s: float = 60.0) -> None:
        deadline = time.monotonic() + limit_s
        while not wanted():
            assert time.monotonic() < deadline, f"{what} did not come:\n{self.text()}"
            time.sleep(0.02)

    def shows(self, text: str) -> None:
        self.until(lambda: text in self.text(), repr(text))

    def close(self) -> None:
        self._tmux("kill-server")

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self.socket, *words], env=self.world.environ(), capture_output=True,
            text=True, check=False, timeout=20,
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout
