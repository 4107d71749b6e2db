"""Plays a first-time user's path in a real terminal and keeps what is seen as pictures.

Run as `.venv/bin/python -m tools.scenes [FOLDER]`: help, first run, watching, an error and a cleanup,
at 80×24 and 200×50, with and without colour, as SVG files in FOLDER (default: a temporary one). What
watching looks like at 100×22 also becomes `docs/watch.svg`, the picture of the README.

Invariant: each step waits for what the screen shows, or for nothing at all; the agents of the scene
wait for a file, so that the board is seen while they work however slow the machine is.
"""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools.picture import ROOT, window

SIZES = ((80, 24), (200, 50))
README_SIZE = (100, 22)
LIMIT_S = 60.0
LOOK_S = 0.05
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_PALETTE = {
    "30": "#484f58", "31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff",
    "35": "#d2a8ff", "36": "#56d4dd", "37": "#e6edf3",
}  # fmt: skip
_PROMPT = "$"


class Stage:
    """A home, a repository with its remote that Orch does not know yet, agents, a tmux of its own."""

    def __init__(self, place: Path, size: tuple[int, int], *, colour: bool) -> None:
        self.place = place
        self.size = size
        self._socket = place / "tmux"
        self.environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LANG": "C.UTF-8",
            "TERM": "xterm-256color", "SHELL": "/bin/sh", "PS1": f"{_PROMPT} ",
            "HOME": str(place), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Pat", "GIT_AUTHOR_EMAIL": "pat@localhost",
            "GIT_COMMITTER_NAME": "Pat", "GIT_COMMITTER_EMAIL": "pat@localhost",
            **({} if colour else {"NO_COLOR": "1"}),
        }  # fmt: skip

    def build(self) -> None:
        from orch.compose import make_sample

        files = {"app.py": "print('hello')\n", ".gitignore": "__pycache__/\n"}
        make_sample(self.place / "thing", self.place / "remote.git", files, self.environ)
        home = self.place / ".orch"
        home.mkdir(mode=0o700)
        lines = ['[defaults]\nagent = "claude"\n']
        waiting = {"wait": {"file": str(self.place / "go"), "seconds": LIMIT_S}, "outside": True}
        for name, words, pause in (
            ("claude", "adding the flag", []),
            ("impl", "writing app.py", [waiting]),
            ("tests", "writing test_app.py", [waiting]),
        ):
            script = [
                {"say": "reading the ticket"}, {"say": words}, *pause,
                {"write": {"path": f"{name}.txt", "text": "done\n"}}, {"say": "all of it is there"},
            ]  # fmt: skip
            (home / f"{name}.json").write_text(json.dumps(script), encoding="utf-8")
            table = f'[agents.{name}]\nkind = "scripted"\nscript = "{home}/{name}.json"\n'
            lines.append(table)
        (home / "config.toml").write_text("\n".join(lines), encoding="utf-8")
        (home / "config.toml").chmod(0o600)
        agents = {"impl_agent": "impl", "test_agent": "tests"}
        (self.place / "thing" / "two.json").write_text(json.dumps(agents), encoding="utf-8")
        self.tmux("start-server", ";", "set-option", "-s", "exit-empty", "off")

    def release(self) -> None:
        """What the waiting agents wait for."""
        (self.place / "go").touch()

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", str(self._socket), "-f", "/dev/null", *words], env=self.environ,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # it may not have been started
            self.tmux("kill-server")


class Terminal:
    """A shell in a terminal of the stage's size, and what stands on its screen."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self._name = name
        width, height = stage.size
        stage.tmux(
            "new-session", "-d", "-s", name, "-x", str(width), "-y", str(height),
            "-c", str(stage.place / "thing"), "sh",
        )  # fmt: skip
        self.until(rf"\A{re.escape(_PROMPT)}\s*\Z")

    def screen(self, *options: str) -> str:
        return self._stage.tmux("capture-pane", "-p", *options, "-t", self._name)

    def until(self, pattern: str) -> str:
        """The screen with its colours, as soon as its text (wrapped lines joined) shows this."""
        deadline, text = time.monotonic() + LIMIT_S, ""
        while time.monotonic() < deadline:
            shown, text = self.screen("-e"), self.screen("-J").rstrip()
            if re.search(pattern, text) and self.screen("-e") == shown:
                return shown
            time.sleep(LOOK_S)
        raise TimeoutError(f"{self._name} did not show {pattern!r}:\n{text}")

    def enter(self, command: str) -> None:
        self._stage.tmux("send-keys", "-t", self._name, "-l", command)
        self.until(rf"{re.escape(command)}\s*\Z")  # else the prompt before would look like its end
        self._stage.tmux("send-keys", "-t", self._name, "Enter")

    def play(self, *commands: str) -> str:
        """Each command to its end; the screen with the last one's prompt."""
        shown = ""
        for command in commands:
            self.enter(command)
            shown = self.until(rf"(\A|\n){re.escape(_PROMPT)}\s*\Z")
        return shown

    def leave(self, key: str) -> None:
        self._stage.tmux("send-keys", "-t", self._name, key)
        self.until(rf"(\A|\n){re.escape(_PROMPT)}\s*\Z")


@contextlib.contextmanager
def staged(size: tuple[int, int], *, colour: bool) -> Iterator[Stage]:
    """A stage that is gone afterwards, with the terminals of its home."""
    place = Path(tempfile.mkdtemp(prefix="sc"))
    stage = Stage(place, size, colour=colour)
    try:
        stage.build()
        yield stage
    finally:
        stage.release()
        stage.close()
        shutil.rmtree(place, ignore_errors=True)


def watching(stage: Stage) -> str:
    """The board of a run with two agents at work; the run is done when this is back."""
    here = Terminal(stage, "runs")
    here.enter("orch run multi_agent --issue 1 --params @two.json")
    here.until(r"impl starts(.|\n)*tests starts|tests starts(.|\n)*impl starts")
    there = Terminal(stage, "watches")
    there.enter("orch watch @")
    seen = there.until(r"\| writing app\.py(.|\n)*\| writing test_app\.py|\| writing test_app\.py"
                       r"(.|\n)*\| writing app\.py")  # fmt: skip
    there.leave("q")
    stage.release()
    here.until(r"\(multi_agent\): done(.|\n)*\n\$\Z")
    return seen


def path_of(stage: Stage) -> Iterator[tuple[str, str]]:
    """The whole path: a scene's name and its screen."""
    yield "help", Terminal(stage, "help").play("orch")
    first = Terminal(stage, "first")
    yield (
        "run",
        first.play('orch issue create "Add a --json flag"', "orch run basic_pr --issue ISSUE-001"),
    )
    yield "watch", watching(stage)
    typos = ("orch wach @", "orch run basic_rp --issue 1", "orch run basic_pr --issue 7")
    yield "error", Terminal(stage, "typos").play(*typos)
    yield (
        "cleanup",
        Terminal(stage, "tidies").play("orch env cleanup --dry-run", "orch env cleanup"),
    )


def drawn(screen: str, width: int, title: str) -> str:
    """A terminal's screen with its colours as an SVG; text stays text. A style lasts beyond the end
    of a line, as in a terminal."""
    rows, colour, bold, dim = [], "", False, False
    for line in screen.rstrip("\n").split("\n"):
        spans, at = "", 0
        for match in [*_SGR.finditer(line), None]:
            if text := line[at : match.start() if match else len(line)]:
                style = f' fill="{colour}"' if colour else ""
                style += ' font-weight="bold"' if bold else ""
                style += ' opacity="0.6"' if dim else ""
                spans += f"<tspan{style}>{html.escape(text)}</tspan>"
            if match is None:
                break
            at = match.end()
            for code in match[1].split(";"):
                if code in ("", "0"):
                    colour, bold, dim = "", False, False
                colour = _PALETTE.get(code, "" if code == "39" else colour)
                bold, dim = bold or code == "1", dim or code == "2"
        rows.append(spans)
    return window(rows, width, title)


def main(argv: list[str]) -> int:
    folder = Path(argv[0]) if argv else Path(tempfile.mkdtemp(prefix="orch-scenes-"))
    folder.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        for colour in (True, False):
            mark = f"{size[0]}x{size[1]}{'' if colour else '-plain'}"
            with staged(size, colour=colour) as stage:
                for name, screen in path_of(stage):
                    picture = drawn(screen, size[0], f"{name}, as a terminal shows it")
                    (folder / f"{name}-{mark}.svg").write_text(picture, encoding="utf-8")
    with staged(README_SIZE, colour=True) as stage:
        Terminal(stage, "first").play('orch issue create "Add a --json flag"')
        picture = drawn(watching(stage), README_SIZE[0], "orch watch, as a terminal shows it")
    (ROOT / "docs" / "watch.svg").write_text(picture, encoding="utf-8")
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
