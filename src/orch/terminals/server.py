"""A tmux server of our own: its socket, its options, its answers.

Invariant: nobody's configuration and nobody's environment takes part, the server outlives whoever
started it, and each answer is one of three: yes, no, or no answer at all (`Silent`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from orch.model.errors import ToolFailed
from orch.wire.places import fitting, is_private

PATIENCE_S = 10.0
_ALSO = ("/usr/local/bin", "/opt/homebrew/bin")  # H98: a service's PATH is /usr/bin:/bin at times
# Repeated with every start, because the server comes and goes with its sessions; `-q`: 3.2 does not
# know all of them.
_OPTIONS = (
    ("-s", "set-clipboard", "off"),
    ("-s", "exit-empty", "on"),
    ("-g", "default-terminal", "screen-256color"),
    ("-g", "destroy-unattached", "off"),
    ("-g", "history-limit", "5000"),
    ("-g", "set-titles", "off"),
    ("-g", "status-left", "#{session_name} "),
    ("-g", "status-left-length", "42"),
    ("-gw", "remain-on-exit", "off"),
    ("-gw", "allow-passthrough", "off"),
    ("-gw", "allow-rename", "off"),
    ("-gw", "automatic-rename", "off"),
)
# Any other trouble with the socket (no permission, no descriptors left) says nothing about terminals.
_NO_SERVER = re.compile(
    r"^no server running on |^\[?(lost server|server exited)"
    r"|^error connecting to .* \((No such file or directory|Connection refused)\)$",
    re.DOTALL,
)
_NO_SESSION = re.compile(
    r"^(can't find (session|pane)|no sessions|no current target|session not found)"
)


class Silent(ToolFailed):
    """tmux is there and does not answer: nothing may be concluded from that."""

    default_code = "tmux_silent"


class Refused(Exception):
    """tmux answered no, in these words."""


class NoServer(Refused):
    """There is no server, or it was just going away: there are no terminals."""


class NoSession(Refused):
    """No such terminal."""


class Server:
    """`run_dir` holds the socket; `path` is where tmux is looked for."""

    def __init__(self, run_dir: Path, path: str) -> None:
        self._run_dir = run_dir.absolute()
        self._socket = socket_path(self._run_dir)
        folders = [*path.split(os.pathsep), *_ALSO]
        self._environ: Mapping[str, str] = {
            "PATH": os.pathsep.join(dict.fromkeys(folder for folder in folders if folder)),
            "TERM": "screen-256color",
            "LANG": "C.UTF-8",
        }

    def version(self) -> tuple[int, ...]:
        """Of the program. One built from unreleased source counts as the newest."""
        said = self._run("-V").stdout
        found = re.search(r"(\d+)\.(\d+)", said)
        if found:
            return int(found[1]), int(found[2])
        if not said.startswith("tmux master"):
            raise ToolFailed(
                f"tmux says an unknown version: {said.strip()[:80]!r}.", code="tmux_failed",
                hint="install tmux 3.2 or newer, then: orch doctor",
            )  # fmt: skip
        return 99, 0

    def make(self, *words: str) -> str:
        """Run a command that needs a server, starting one where there is none."""
        options = [word for option in _OPTIONS for word in (";", "set-option", "-q", *option)]
        try:
            self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._socket.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ToolFailed(
                f"The folder {error.filename} for tmux's socket cannot be made: {error.strerror}.",
                code="socket_unsafe", hint="orch doctor",
            ) from error  # fmt: skip
        return self.ask("start-server", *options, ";", *words)

    def ask(self, *words: str, stdin: str = "") -> str:
        """What tmux says to one command; `Refused` if it says no, `Silent` if nothing."""
        if self._socket.parent != self._run_dir and not is_private(self._socket.parent):
            raise NoServer(f"there is no {self._socket.parent}")
        done = self._run("-u", "-S", str(self._socket), "-f", "/dev/null", *words, stdin=stdin)
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.strip()
        if _NO_SERVER.search(said):
            raise NoServer(said)
        if _NO_SESSION.search(said):
            raise NoSession(said)
        raise Refused(said or f"exit code {done.returncode}")

    def attach_command(self, name: str, *, read_only: bool) -> list[str]:
        """What shows terminal `name` to whoever runs it in a terminal of their own."""
        tmux = shutil.which("tmux", path=self._environ["PATH"])
        if tmux is None:
            raise _missing()
        words = [tmux, "-u", "-S", str(self._socket), "attach-session"]
        return [*words, *(["-r"] if read_only else []), "-t", f"={name}:"]

    def _run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["tmux", *words],
                env=self._environ,
                cwd="/",
                input=stdin or None,
                stdin=None if stdin else subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=PATIENCE_S,
                check=False,
                start_new_session=True,  # killing our process group never reaches the server
            )
        except FileNotFoundError as error:
            raise _missing() from error
        except subprocess.TimeoutExpired as error:
            raise Silent(
                f"tmux did not answer within {PATIENCE_S:.0f} seconds.", hint="orch doctor"
            ) from error
        except OSError as error:
            raise ToolFailed(
                f"tmux could not be run: {error.strerror}.", code="tmux_failed", hint="orch doctor"
            ) from error


def _missing() -> ToolFailed:
    return ToolFailed(
        "tmux is not installed, or not on the PATH.",
        code="tmux_missing",
        hint="apt install tmux (or: brew install tmux), then: orch doctor",
    )


def literal(word: str) -> str:
    """`word` as one argument of a tmux command: an unmarked `;` at its end would end the command."""
    return word[:-1] + "\\;" if word.endswith(";") else word


def socket_path(run_dir: Path) -> Path:
    """The server's socket: in `run_dir`, or where `orch.wire.places` has room for it."""
    return fitting(run_dir / "tmux.sock", run_dir)
