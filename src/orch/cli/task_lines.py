"""Tasks as lines on a terminal: a listing with reasons, and one task's story.

Invariant: nothing is wider than the terminal unless it was asked for; a reason is never cut away
before a title is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orch.cli.cleaning import clean, width
from orch.cli.cost import dollars, number, spell
from orch.cli.output import columns
from orch.cli.spans import age
from orch.cli.table import shortened

if TYPE_CHECKING:
    from orch.cli.output import Output


INDENT = 4
SEVERAL = 3
"""A reason that more tasks than these have is told once, below them."""


def lines(found: Sequence[dict[str, Any]], out: Output, *, wide: bool) -> None:
    """One line a task, and a second one for why it stands where it stands. A column in which no
    task says anything is left out."""
    rows = [
        [str(one["id"]), one["status"], one["repo"] or "-", clean(one["agent"] or "-")]
        for one in found
    ]
    heads = ["task", "status", "repo", "agent"]
    kept = [i for i in range(4) if i < 2 or any(row[i] != "-" for row in rows)]
    sizes = {i: max(len(heads[i]), *(width(row[i]) for row in rows)) for i in kept}
    room = max(20, columns() - sum(sizes.values()) - 2 * len(kept))
    head = "  ".join(heads[i].upper().ljust(sizes[i]) for i in kept)
    out.raw(out.paint(f"{head}  TITLE", "dim") + "\n")
    shared = {why: n for why, n in Counter(one["reason"] for one in found).items() if n > SEVERAL}
    for row, one in zip(rows, found, strict=True):
        cells = [
            (out.state(row[i]) if i == 1 else row[i]) + " " * (sizes[i] - width(row[i]))
            for i in kept
        ]
        title = clean(one["title"])
        cells.append(title if wide else shortened(title, room))
        out.raw("  ".join(cells).rstrip() + "\n")
        if one["reason"] and one["reason"] not in shared:
            for line in folded(clean(one["reason"]), columns() - INDENT, most=99 if wide else 2):
                out.raw(" " * INDENT + out.paint(line, "dim") + "\n")
    for why, count in shared.items():
        if why:
            out.note(f"{count} of these: {why}")


def folded(text: str, room: int, *, most: int) -> list[str]:
    """`text` in at most so many lines of `room` columns, broken between words."""
    found, line = [], ""
    for word in text.split():
        if line and width(line) + 1 + width(word) > room:
            found.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    found = [*found, line] if line else found
    if len(found) > most:
        found = [*found[: most - 1], " ".join(found[most - 1 :])]
    return [shortened(one, room) if most < 99 else one for one in found]


def story(record: dict[str, Any], out: Output, now: float) -> None:
    """A task at a glance: how it stands and why, what to do, who did what, how it came to this."""
    since = _age(record["history"][-1]["at"] if record["history"] else record["created_at"], now)
    out.raw(f"task {record['id']}: {clean(record['title'])}\n")
    out.raw(f"  {out.state(record['status'])} for {since}\n")
    for line in folded(clean(record["reason"] or ""), columns() - 2, most=99):
        out.line(f"  {line}")
    if record["hint"]:
        out.line(f"  try: {record['hint']}")
    if record["wake_at"]:
        out.line(f"  looked at again: {record['wake_at']}")
    _facts(record, out)
    if record["attempts"]:
        out.line()
        rows = [
            [
                a["id"],
                a["agent"] or a["role"],
                a["status"],
                _took(a, now),
                a["message"] or a["code"],
            ]
            for a in record["attempts"]
        ]
        _told(["attempt", "agent", "status", "took", "message"], rows, out)
    out.line()
    rows = [[_moment(step["at"]), step["to"], step["why"]] for step in record["history"]]
    _told(["at (utc)", "state", "why"], rows, out)


def _told(heads: Sequence[str], rows: Sequence[Sequence[str]], out: Output) -> None:
    """A table whose last column, a sentence, goes on in lines of its own."""
    cells = [[clean(cell) for cell in row] for row in rows]
    sizes = [max(map(width, column)) for column in zip(heads, *cells, strict=True)][:-1]
    room = max(24, columns() - sum(sizes) - 2 * len(sizes))
    indent = " " * (sum(sizes) + 2 * len(sizes))
    head = "  ".join(head.upper().ljust(size) for head, size in zip(heads, sizes, strict=False))
    out.raw(out.paint(f"{head}  {heads[-1].upper()}", "dim") + "\n")
    stated = [i for i, name in enumerate(heads) if name in ("status", "state")]
    for row in cells:
        first, *more = folded(row[-1], room, most=99) or [""]
        painted = [
            (out.state(cell) if i in stated else cell) + " " * (size - width(cell))
            for i, (cell, size) in enumerate(zip(row, sizes, strict=False))
        ]
        out.raw("  ".join([*painted, first]).rstrip() + "\n")
        for line in more:
            out.raw(f"{indent}{line}\n")


def _moment(at: str) -> str:
    """`2026-11-20 14:05:09`."""
    return at[:19].replace("T", " ")


def _facts(record: dict[str, Any], out: Output) -> None:
    who = " ".join(filter(None, (record["agent"], record["model"], record["complexity"])))
    pinned = " (asked for)" if record["pin"] else ""
    cost = record["cost"]
    facts = {
        "repo": record["repo"], "agent": f"{who}{pinned}" if who else "",
        "workflow": record["workflow"], "labels": ", ".join(record["labels"]),
        "issue": record["issue"], "parent": record["parent"],
        "children": ", ".join(map(str, record["children"])), "branch": record["branch"],
        "worktree": record["worktree"], "run": record["run"], "asked by": record["source"],
        "notes": ", ".join(record["notes"]),
        "cost": _cost(cost, len(record["attempts"])),
    }  # fmt: skip
    told = {name: str(value) for name, value in facts.items() if value}
    for pull in record["prs"]:
        told[f"{pull['repo']}#{pull['number']}"] = f"{pull['url']} ({pull['state']})"
    longest = max(map(len, told), default=0)
    if told:
        out.line()
    for name, value in told.items():
        out.line(f"{name:<{longest}}  {value}")


def _cost(cost: dict[str, Any], attempts: int) -> str:
    """Empty where nothing is known: `orch cost` says so."""
    if not attempts or (cost["usd"] is None and not cost["tokens_in"] and not cost["tokens_out"]):
        return ""
    tokens = f"{number(cost['tokens_in'])} tokens in, {number(cost['tokens_out'])} out"
    missing = cost["usd_unknown"] or cost["tokens_unknown"]
    return f"{tokens}, {dollars(cost['usd'])} USD" + (" (some of it unknown)" if missing else "")


def _took(attempt: dict[str, Any], now: float) -> str:
    begun, ended = _seconds(attempt["started_at"]), _seconds(attempt["ended_at"])
    return spell(max(0.0, (ended or now) - begun)) if begun else "-"


def _age(at: str, now: float) -> str:
    return age(now - _seconds(at)) if at else "-"


def _seconds(at: str | None) -> float:
    return datetime.fromisoformat(at).timestamp() if at else 0.0
