"""`./dev bench`: every promise about speed, measured and judged in one run.

Writes `docs/benchmarks.json` and the table `docs/benchmarks.md`; ends with 1 when one is missed.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import endings, journal, listings, programs, service, watching, webhooks

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as name:
        folder = Path(name)
        for measure in (
            _command_line,
            _listings,
            _main_job,
            _journal,
            _agents,
            _endings,
            _books,
            _service,
            _webhooks,
        ):
            found = measure(folder)
            rows.extend(found)
            for item in found:
                sys.stderr.write(f"{item['what']}: {item['ratio']:.2f} ({item['promise']})\n")
    write(rows)
    missed = [row["what"] for row in rows if not row["kept"]]
    sys.stdout.write(f"{len(rows) - len(missed)} kept, {len(missed)} missed {missed or ''}\n")
    return 1 if missed else 0


def row(
    what: str, ours: float, theirs: float, unit: str, *, most: float = 0, least: float = 0
) -> dict[str, Any]:
    """One promise: the ratio of ours to the other, at most or at least so much."""
    ratio = ours / theirs
    promise = f"at most {most:g}" if most else f"at least {least:g}"
    kept = ratio <= most if most else ratio >= least
    return {
        "what": what, "ours": ours, "theirs": theirs, "unit": unit, "ratio": ratio,
        "promise": promise, "kept": kept,
    }  # fmt: skip


def _command_line(folder: Path) -> list[dict[str, Any]]:
    place = programs.Place(folder / "cli", 0)
    bare = [sys.executable, "-c", "pass"]

    def cpu(argv: list[str]) -> float:
        return statistics.fmean(programs.cpu_seconds(argv, place.environ) for _ in range(5))

    found = []
    for what, argv, most in (
        ("orch --version against python -c pass", [programs.ORCH, "--version"], 2),
        ("orch repo list against python -c pass", [programs.ORCH, "repo", "list"], 7),
    ):
        ours, theirs = programs.in_turn(lambda _, a=argv: cpu(a), lambda _: cpu(bare), 7)
        found.append(row(what, ours * 1000, theirs * 1000, "ms CPU", most=most))
    return found


def _listings(folder: Path) -> list[dict[str, Any]]:
    return listings.rows(folder, row)


def _main_job(folder: Path) -> list[dict[str, Any]]:
    found = []
    for seconds, most, rounds in ((2, 1.2, 3), (0, 4.0, 9)):
        place = programs.Place(folder / f"job-{seconds}", seconds)
        ours, theirs = programs.in_turn(place.orch, place.by_hand, rounds)
        what = f"basic_pr against a shell script, an agent of {seconds} s"
        found.append(row(what, ours * 1000, theirs * 1000, "ms", most=most))
    return found


def _journal(folder: Path) -> list[dict[str, Any]]:
    def raw(_: int) -> float:
        return journal.in_folder(folder, lambda place: journal.raw_commits(place, 2000))

    found = []
    for what, text, least in (
        ("journaled steps in sequence against raw commits", journal.SEQUENCE, 0.15),
        ("journaled steps, Gather of 20, against raw commits", journal.GATHER, 0.4),
    ):

        def steps(_: int, text: str = text) -> float:
            return journal.in_folder(
                folder, lambda place: journal.steps_per_second(place, text, 1000)
            )

        ours, theirs = programs.in_turn(steps, raw, 3)
        found.append(row(what, ours, theirs, "a second", least=least))
    taken = statistics.median(journal.replay_ms() for _ in range(9))
    found.append(row("replay of 1,000 steps against 50 ms", taken, 50.0, "ms", most=1))
    return found


def _agents(folder: Path) -> list[dict[str, Any]]:
    """Fifty agents at once, ten lines a second each, in fifty worktrees of one repository."""
    seen = watching.fifty_agents(folder / "agents")
    ended = [a for a in seen.attempts if a["status"] == "succeeded"]
    told = len(seen.delays)
    found = [
        row("agents of 50 at once that finished", len(ended), watching.AGENTS, "agents", least=1),
        row("their lines that a watcher got", told, watching.AGENTS * watching.LINES, "", least=1),
        row("p95 from writing to a watcher against 100 ms", seen.p95_ms, 100.0, "ms", most=1),
    ]
    if seen.peak_mib:
        what = "memory of the engine (wrappers apart) against 80 MiB"
        found.append(row(what, seen.peak_mib, 80.0, "MiB", most=1))
    return found


def _endings(folder: Path) -> list[dict[str, Any]]:
    return endings.rows(folder, row)


def _books(folder: Path) -> list[dict[str, Any]]:
    few = watching.Books(folder / "few", 10)
    many = watching.Books(folder / "many", 1000)
    found = []
    for words in (("ps",), ("show", "@")):
        ours, theirs = programs.in_turn(
            lambda _, words=words: many.seconds(*words),
            lambda _, words=words: few.seconds(*words), 9,
        )  # fmt: skip
        what = f"orch {' '.join(words)} with 1,000 runs against ten"
        found.append(row(what, ours * 1000, theirs * 1000, "ms", most=3))
    return found


def _service(folder: Path) -> list[dict[str, Any]]:
    return service.rows(folder, row)


def _webhooks(folder: Path) -> list[dict[str, Any]]:
    return webhooks.rows(folder, row)


def write(rows: list[dict[str, Any]]) -> None:
    system, python = f"{platform.system()} {platform.machine()}", platform.python_version()
    machine = f"{system}, {os.cpu_count()} cores, Python {python}"
    body = {"machine": machine, "rows": rows}
    (ROOT / "docs" / "benchmarks.json").write_text(json.dumps(body, indent=1) + "\n", "utf-8")
    lines = [
        "# Benchmarks",
        "",
        f"Medians of runs in turn on one machine ({machine}), made by `./dev bench`.",
        "Ratios carry over, absolute figures do not.",
        "",
        "| what | ours | the other | unit | ratio | promised | kept |",
        "|---|--:|--:|---|--:|---|---|",
    ]
    lines += [
        f"| {item['what']} | {item['ours']:.1f} | {item['theirs']:.1f} | {item['unit']} |"
        f" {item['ratio']:.2f} | {item['promise']} | {'yes' if item['kept'] else 'NO'} |"
        for item in rows
    ]
    (ROOT / "docs" / "benchmarks.md").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
