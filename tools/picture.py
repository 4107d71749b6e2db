"""Makes `docs/demo.svg`, the picture of the README: what `orch demo` prints, as a terminal shows it.

Run as `.venv/bin/python tools/picture.py`. The text is the demo's own; only the throwaway folder's
name is shortened.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH, LINE, SIZE, CELL, MARGIN = 100, 19, 14, 8.48, 16
COLOURS = {"$": "#7ee787", "ok": "#7ee787", "FAIL": "#ff7b72", "time": "#8b949e", "": "#e6edf3"}


def main() -> int:
    done = subprocess.run(
        [sys.executable, "-m", "orch", "demo", "--no-keep"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        return 1
    lines = [line for line in shortened(done.stderr).splitlines() if line.strip()]
    (ROOT / "docs" / "demo.svg").write_text(drawn(lines), encoding="utf-8")
    return 0


def shortened(text: str) -> str:
    """Without the throwaway folder's path and the parts of commands that only a machine reads."""
    text = re.sub(r"\S*/orch-demo-\w+/\w+/worktrees/calculator/", "…/", text)
    text = re.sub(r"\S*/orch-demo-\w+", "/tmp/orch-demo", text)
    text = re.sub(r"'`add.*?' --labels", "@ticket.md --labels", text, flags=re.DOTALL)
    return re.sub(r" --params '.*'", " --params @params.json", text)


def colour(line: str) -> str:
    if line.startswith("$"):
        return COLOURS["$"]
    word = line.split()[0]
    return COLOURS.get(word, COLOURS[""])


def drawn(lines: list[str]) -> str:
    """The demo's lines, each in its colour."""
    rows = []
    for line in lines:
        cut = line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
        rows.append(f'<tspan fill="{colour(line)}">{html.escape(cut)}</tspan>')
    return window(rows, WIDTH, "orch demo, as a terminal shows it")


def window(rows: list[str], columns: int, title: str) -> str:
    """An SVG of one terminal window with these rows (spans of text); text stays text."""
    wide, high = round(columns * CELL + 2 * MARGIN), LINE * (len(rows) + 3)
    texts = "".join(
        f'<text x="{MARGIN}" y="{LINE * (number + 3)}" fill="{COLOURS[""]}" xml:space="preserve">'
        f"{row}</text>"
        for number, row in enumerate(rows)
        if row
    )
    dots = "".join(
        f'<circle cx="{20 + 20 * i}" cy="18" r="6" fill="{c}"/>'
        for i, c in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-size="{SIZE}"'
        f' font-family="ui-monospace, Menlo, Consolas, monospace"><title>{html.escape(title)}</title>'
        f'<rect width="{wide}" height="{high}" rx="8" fill="#0d1117"/>{dots}{texts}</svg>\n'
    )


if __name__ == "__main__":
    sys.exit(main())
