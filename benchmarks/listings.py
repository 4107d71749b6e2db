"""Listings of many things against the same listing of ten, in a home of their own each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks import programs

FEW, MANY = 10, 10_000
_LONG_AGO = 1_700_000_000


def tickets(folder: Path) -> tuple[float, float]:
    """CPU seconds of `tickets list` with `MANY` and with `FEW`, neither for the first time."""
    homes = {count: _home(folder / str(count), count) for count in (MANY, FEW)}

    def listed(count: int) -> float:
        argv = [programs.ORCH, "tickets", "list"]
        return programs.cpu_seconds(argv, {**os.environ, "ORCH_HOME": str(homes[count])})

    for count in homes:
        listed(count)
    ours, theirs = programs.in_turn(lambda _: listed(MANY), lambda _: listed(FEW), 9)
    return ours, theirs


def _home(home: Path, count: int) -> Path:
    vault = home / "vault"
    vault.mkdir(parents=True)
    for n in range(1, count + 1):
        state = "open" if n % 3 else "resolved"
        path = vault / f"ISSUE-{n:03}.md"
        path.write_text(
            f'---\ntitle: "Title number {n} of the thing"\nstatus: {state}\nlabels: [bug, cli]\n'
            f"repo: thing\n---\n\n{'Words and words.' * 12}\n"
        )
        os.utime(path, (_LONG_AGO, _LONG_AGO))
    return home


def rows(folder: Path, row: Any) -> list[dict[str, Any]]:
    """One promise a listing; `row` is `benchmarks.__main__.row`."""
    ours, theirs = tickets(folder / "tickets")
    what = f"orch tickets list with {MANY:,} against {FEW}"
    return [row(what, ours * 1000, theirs * 1000, "ms CPU", most=3)]
