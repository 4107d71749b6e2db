"""The board of a run: a picture of its steps, its programs and what they wrote last. Pure.

Invariant: a frame is never wider or higher than asked; what works is shown before what has ended;
text of strangers is cleaned; states are words, colour only repeats them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from orch.cli.cleaning import clean, clean_lines, width
from orch.cli.deeds import Deed, deed, tally
from orch.cli.narrate import PLAIN
from orch.cli.output import Output
from orch.cli.spans import elapsed
from orch.cli.streams import label
from orch.cli.table import shortened
from orch.model.attempt import FINAL, Attempt
from orch.model.effect import COMPOSITE_KINDS
from orch.model.run import Run
from orch.model.step import SETTLED, Step

if TYPE_CHECKING:
    from orch.api.acting import Did
    from orch.api.tails import Wrote

KEPT = 100
"""Lines kept of each program."""
_WORDS = {"confirmed": "done", "planned": "waiting", "intended": "running"}
_LEAST_STEPS = 2


class Board:
    """What is known, and its picture. `told` is asked for the state when a frame is made."""

    def __init__(self, out: Output, now: Callable[[], float]) -> None:
        self._out = out
        self._now = now
        self._written: dict[str, deque[str | Deed]] = {}
        self._half: set[str] = set()
        self._used: dict[str, str] = {}

    def wrote(self, wrote: Wrote) -> None:
        """Remember a line. A progress bar's line counts as it stands at its end."""
        identifier = wrote.attempt.id
        lines = self._written.setdefault(identifier, deque(maxlen=KEPT))
        text = clean_lines(wrote.text.rstrip("\r\n")).rsplit("\n", 1)[-1].replace("\t", "    ")
        if identifier in self._half and lines:
            before = lines.pop()
            text = before + text if isinstance(before, str) else text
        lines.append(text)
        if wrote.text.endswith("\n"):
            self._half.discard(identifier)
        else:
            self._half.add(identifier)

    def did(self, did: Did) -> None:
        """Remember an action; what was used stands behind the program's name."""
        identifier, action = did.attempt.id, did.action
        if action.kind == "usage":
            self._used[identifier] = tally(action)
            return
        self._half.discard(identifier)
        self._written.setdefault(identifier, deque(maxlen=KEPT)).append(deed(action))

    def frame(
        self, run: Run, steps: Sequence[Step], attempts: Sequence[Attempt], notice: str,
        size: tuple[int, int],
    ) -> list[str]:  # fmt: skip
        """The lines of a terminal of `size` (columns, rows)."""
        columns, rows = size
        head = self._head(run, notice, columns)
        foot = ["", self._out.paint(shortened(_foot(run), columns), "dim")]
        room = rows - len(head) - len(foot)
        listed = [s for s in enumerate(steps, 1) if s[1].kind not in COMPOSITE_KINDS]
        names = {a.path: label(a, attempts) for a in attempts}
        last = {a.path: a for a in attempts}
        resting = {path for path, a in last.items() if a.status in FINAL}
        least = min(len(attempts), max(3, room // 2))
        shown = _chosen(listed, max(_LEAST_STEPS, room - 2 - max(least, room * 2 // 3)))
        body = [
            self._step(number, step, names, columns, step.path in resting) for number, step in shown
        ]
        body = [*body, ""] if body else []
        body += self._programs(attempts, columns, room - len(body))
        body = body[:room]
        return [*head, *body, *[""] * (room - len(body)), *foot][:rows]

    def _head(self, run: Run, notice: str, columns: int) -> list[str]:
        until = run.ended_at or self._now()
        took = elapsed(max(0.0, until - run.created_at))
        first = shortened(f"run {run.id}  {clean(run.workflow)}  ", columns - 20)
        first += self._out.state(run.status) + f"  {took}"
        about = f"{run.issue.id}: {run.issue.title}" if run.issue else ""
        lines = [first, shortened(clean(f"{run.repo}  {about}".rstrip()), columns)]
        trouble = run.error or run.reason
        if trouble is not None:
            told = f"{trouble.message} [{trouble.code}]"
            lines.append(self._out.paint(shortened(clean(told), columns), "yellow"))
        if notice:
            lines.append(self._out.paint(shortened(clean(notice), columns), "yellow"))
        return [*lines, ""]

    def _step(
        self, number: int, step: Step, names: dict[str, str], columns: int, resting: bool
    ) -> str:
        """`resting`: its last program is over, and the next one waits."""
        what = PLAIN.get(step.kind, step.kind.partition("/")[0])
        what += f" {names[step.path]}" if step.path in names else ""
        state = _state_of(step)
        state = "waiting" if resting and state == "running" else state
        until = step.settled_at or self._now()
        took = elapsed(max(0.0, until - step.planned_at))
        room = max(8, _name_room(columns) - 6)  # states stand below each other
        failure = step.outcome.failure if step.outcome is not None else None
        line = f"{number:>4}  {_padded(what, room)}  "
        line += self._out.state(state) + " " * max(0, 9 - len(state)) + f" {took:>8}"
        left = columns - 6 - room - 2 - 9 - 1 - 8 - 2
        if failure is not None and left > 8:
            line += "  " + shortened(clean(failure.message), left)
        return line

    def _programs(self, attempts: Sequence[Attempt], columns: int, room: int) -> list[str]:
        """Those at work with their last lines, then those that have ended, the last one first."""
        live = [attempt for attempt in attempts if attempt.status not in FINAL]
        over = [attempt for attempt in reversed(attempts) if attempt.status in FINAL]
        talking = live or over[:1]
        rest = over[len(talking) - len(live) :]
        if len(talking) + (1 if rest else 0) > room:
            kept = max(0, room - 1)
            more = f"… and {len(attempts) - kept} more: orch ps, orch logs -f"
            return [
                *(self._program(one, attempts, columns) for one in talking[:kept]),
                shortened(more, columns),
            ][:room]
        ended = min(len(rest), max(1, (room - len(talking)) // 4)) if rest else 0
        left = room - len(talking) - ended
        lines: list[str] = []
        for number, attempt in enumerate(talking):
            share = left // len(talking) + (number < left % len(talking))
            lines.append(self._program(attempt, attempts, columns))
            lines += self._last(attempt.id, share, columns)
        return lines + [self._program(one, attempts, columns) for one in rest[:ended]]

    def _program(self, attempt: Attempt, attempts: Sequence[Attempt], columns: int) -> str:
        until = attempt.ended_at or self._now()
        took = elapsed(max(0.0, until - attempt.started_at))
        state = "stopping" if attempt.stop and attempt.status not in FINAL else attempt.status
        name = _padded(label(attempt, attempts), _name_room(columns))
        line = f"{self._out.paint(name, 'bold')}  {self._out.state(state)}"
        line += " " * max(0, 9 - len(state)) + f" {took:>8}"
        left = columns - width(name) - 2 - 9 - 1 - 8 - 2
        if left > 8:
            used = "" if attempt.message else self._used.get(attempt.id, "")
            if used and width(used) < left - 2:
                line += "  " + self._out.paint(used, "dim")
                left -= width(used) + 2
            about = clean(attempt.message or attempt.branch) if left > 8 else ""
            # the ends of branches tell them apart, their beginnings are the ticket's
            line += "  " + shortened(about, left, keep_end=not attempt.message)
        return line

    def _last(self, attempt: str, count: int, columns: int) -> list[str]:
        lines = list(self._written.get(attempt, ()))[-count:] if count > 0 else []
        bar, room = self._out.paint("|", "dim"), columns - 4
        shown = (
            line.line(room, self._out) if isinstance(line, Deed) else shortened(line, room)
            for line in lines
        )
        return [f"  {bar} {line}" for line in shown]


def _name_room(columns: int) -> int:
    """Columns for the name of a program."""
    return min(38 if columns >= 100 else 28, max(8, columns - 44))


def _state_of(step: Step) -> str:
    if step.kind.startswith("Gate/") and step.status not in SETTLED:
        return "blocked"
    return _WORDS.get(step.status, step.status)


def _chosen(steps: Sequence[tuple[int, Step]], count: int) -> list[tuple[int, Step]]:
    """Those at work and the last ones that were settled, in the order of the run."""
    order = sorted(steps, key=lambda s: (s[1].status not in SETTLED, s[1].settled_at, s[0]))
    return sorted(order[-count:], key=lambda s: s[0])


def _padded(text: str, room: int) -> str:
    short = shortened(clean(text), room)
    return short + " " * (room - width(short))


def _foot(run: Run) -> str:
    return f"q or Ctrl-C leaves, the run goes on    orch logs -f {run.id[:7]}"
