"""Plays a first-time user's path in a real terminal and keeps what is seen as pictures.

Run as `.venv/bin/python -m tools.scenes [FOLDER]`: help, first run, watching, an error and a cleanup,
at 80×24 and 200×50, with and without colour, as SVG files in FOLDER (default: a temporary one). The
scene of watching, at 100×26, also becomes `docs/watch.svg`, the picture of the README.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZES = ((80, 24), (200, 50))
LIMIT_S = 60.0
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_PALETTE = {
    "30": "#484f58", "31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff",
    "35": "#d2a8ff", "36": "#56d4dd", "37": "#e6edf3",
}  # fmt: skip


class Stage:
    """A home, a repository with its remote, two agents that take their time, a tmux of our own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.socket = place / "tmux"
        kept = {name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ}
        self.environ = {
            **kept, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(place), "GIT_CONFIG_NOSYSTEM": "1", "PS1": "$ ",
            "GIT_AUTHOR_NAME": "Pat", "GIT_AUTHOR_EMAIL": "pat@localhost",
            "GIT_COMMITTER_NAME": "Pat", "GIT_COMMITTER_EMAIL": "pat@localhost",
        }  # fmt: skip

    def build(self) -> None:
        from orch.compose import make_sample

        files = {"app.py": "print('hello')\n", ".gitignore": "__pycache__/\n"}
        make_sample(self.place / "thing", self.place / "remote.git", files, self.environ)
        home = self.place / ".orch"
        home.mkdir(mode=0o700)
        lines = ['[defaults]\nagent = "impl"\n']
        for name, words in (("impl", "writing app.py"), ("tests", "writing test_app.py")):
            script = [
                {"say": "reading the ticket"}, {"wait": {"seconds": 1}}, {"say": words},
                {"write": {"path": f"{name}.txt", "text": "done\n"}}, {"wait": {"seconds": 4}},
                {"say": "all of it is there"},
            ]  # fmt: skip
            (home / f"{name}.json").write_text(json.dumps(script), encoding="utf-8")
            table = f'[agents.{name}]\nkind = "scripted"\nscript = "{home}/{name}.json"\n'
            lines.append(table)
        (home / "config.toml").write_text("\n".join(lines), encoding="utf-8")
        (home / "config.toml").chmod(0o600)

    def orch(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "orch", *words], cwd=self.place / "thing", env=self.environ,
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), "-f", "/dev/null", *words], env=self.environ,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def played(self, command: str, until: str, size: tuple[int, int], *, colour: bool) -> str:
        """What the screen shows once `until` (a pattern) stands there, with its colours."""
        width, height = size
        quiet = "" if colour else "NO_COLOR=1 "
        self.tmux(
            "new-session", "-d", "-s", "scene", "-x", str(width), "-y", str(height),
            "-c", str(self.place / "thing"), "env PS1='$ ' sh",
        )  # fmt: skip
        try:
            self.tmux("send-keys", "-t", "scene", f"clear; {quiet}{command}", "Enter")
            deadline, screen = time.monotonic() + LIMIT_S, ""
            while time.monotonic() < deadline:
                screen = self.tmux("capture-pane", "-e", "-p", "-t", "scene")
                if re.search(until, _SGR.sub("", screen)):
                    return screen
                time.sleep(0.1)
            raise TimeoutError(f"{command} did not show {until!r}:\n{screen}")
        finally:
            self.tmux("kill-session", "-t", "scene")
            while self.socket.exists() and self._there():  # the last session takes the server along
                time.sleep(0.02)

    def _there(self) -> bool:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), "list-sessions"], env=self.environ,
            capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode == 0


def drawn(screen: str, width: int, title: str) -> str:
    """A terminal's screen with its colours as an SVG; text stays text."""
    lines = screen.rstrip("\n").split("\n")
    step, cell = 19, 8.4
    rows, colour, bold, dim = [], "", False, False
    for number, line in enumerate(lines):
        spans, at = [], 0
        for match in [*_SGR.finditer(line), None]:
            text = line[at : match.start() if match else len(line)]
            if text:
                style = f' fill="{colour}"' if colour else ""
                style += ' font-weight="bold"' if bold else ""
                style += ' opacity="0.6"' if dim else ""
                spans.append(f"<tspan{style}>{html.escape(_SGR.sub('', text))}</tspan>")
            if match is None:
                break
            at = match.end()
            for code in match[1].split(";"):
                if code in ("", "0"):
                    colour, bold, dim = "", False, False
                colour = _PALETTE.get(code, "" if code == "39" else colour)
                bold, dim = bold or code == "1", dim or code == "2"
        y = step * (number + 3)
        rows.append(
            f'<text x="16" y="{y}" fill="#e6edf3" xml:space="preserve">{"".join(spans)}</text>'
        )
    wide, high = int(width * cell + 32), step * (len(lines) + 3)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-size="14"'
        f' font-family="ui-monospace, Menlo, Consolas, monospace"><title>{html.escape(title)}</title>'
        f'<rect width="{wide}" height="{high}" rx="8" fill="#0d1117"/>{"".join(rows)}</svg>\n'
    )


def main(argv: list[str]) -> int:
    folder = Path(argv[0]) if argv else Path(tempfile.mkdtemp(prefix="orch-scenes-"))
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="sc"))
    stage = Stage(place)
    try:
        stage.build()
        stage.orch("issue", "create", "Add a --json flag", "--body", "It should print JSON.")
        run = "orch run multi_agent --issue 1 --params"
        params = """'{"impl_agent": "impl", "test_agent": "tests"}'"""
        for size in SIZES:
            for colour in (True, False):
                scenes = (
                    ("help", "orch --help | head -22", r"Options|run "),
                    ("run", f"{run} {params}", r"\(multi_agent\): done"),
                    ("error", "orch run basic_pr --issue 7", r"try: "),
                    ("cleanup", "orch env cleanup --dry-run", r"kept|would|nothing"),
                )
                for name, command, until in scenes:
                    screen = stage.played(command, until, size, colour=colour)
                    mark = f"{size[0]}x{size[1]}{'' if colour else '-plain'}"
                    (folder / f"{name}-{mark}.svg").write_text(
                        drawn(screen, size[0], name), "utf-8"
                    )
        for size, mark in (((80, 24), "80x24"), ((200, 50), "200x50"), ((100, 26), "readme")):
            words = ["run", "multi_agent", "--issue", "1", "--params", params.strip("'")]
            running = subprocess.Popen(
                [sys.executable, "-m", "orch", *words], cwd=place / "thing", env=stage.environ,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            time.sleep(0.6)  # until it is the last run
            screen = stage.played("orch watch @", r"writing app\.py(.*\n)+", size, colour=True)
            running.wait()
            picture = drawn(screen, size[0], "orch watch, as a terminal shows it")
            (folder / f"watch-{mark}.svg").write_text(picture, "utf-8")
            if mark == "readme":
                shown = picture.replace(str(place), "~")
                (ROOT / "docs" / "watch.svg").write_text(shown, "utf-8")
    finally:
        subprocess.run(
            ["tmux", "-S", str(stage.socket), "kill-server"], capture_output=True, check=False
        )
        shutil.rmtree(place, ignore_errors=True)
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
