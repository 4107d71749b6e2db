"""Makes `docs/demo.svg`, the picture of the README: what `orch demo` prints, as a terminal shows it.

Run as `.venv/bin/python tools/picture.py`. The text is the demo's own; only the throwaway folder's
name is shortened.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH, LINE, SIZE = 100, 19, 14
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
    """An SVG of one terminal window; text stays text."""
    height = LINE * (len(lines) + 3)
    rows = []
    for number, line in enumerate(lines):
        y = LINE * (number + 3)
        cut = line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
        rows.append(
            f'<text x="16" y="{y}" fill="{colour(line)}" xml:space="preserve">'
            f"{html.escape(cut)}</text>"
        )
    dots = "".join(
        f'<circle cx="{20 + 20 * i}" cy="18" r="6" fill="{c}"/>'
        for i, c in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))
    )
    title = json.dumps("orch demo, as a terminal shows it")[1:-1]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 {height}" font-size="{SIZE}"'
        f' font-family="ui-monospace, Menlo, Consolas, monospace"><title>{title}</title>'
        f'<rect width="880" height="{height}" rx="8" fill="#0d1117"/>{dots}'
        + "".join(rows)
        + "</svg>\n"
    )


if __name__ == "__main__":
    sys.exit(main())
