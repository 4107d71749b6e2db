"""`orch watch`: a run while it goes on, as a board, as lines, or as JSON lines. Reads only.

Invariant: never drives a run and never touches it; leaving it leaves the run as it is. The exit code
says how the run stands, as that of `orch run` does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import examples, looking, output, shared
from orch.cli.output import Output
from orch.cli.words import Verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orch.api import Orch
    from orch.api.acting import Acting, Did
    from orch.api.following import Following
    from orch.api.tails import Wrote
    from orch.model.event import Event

    Change = Event | Wrote | Did

INTERRUPTED = 130
TICK_S = 1.0
"""Between two frames when nothing happens, and two looks at who drives."""
FRAME_S = 0.05
"""Between two frames when much happens."""
BACKLOG = 300
"""Lines of what was written before that a board may show: many records say nothing to people."""
RAW = "Also each line as it was written; on the board and in lines, in the place of the actions."


@click.command(
    cls=Verb,
    epilog=examples(
        "orch watch @", "orch watch 4f2a --agent impl", "orch watch @ --json | jq -c ."
    ),
)
@click.argument("run", default="@")
@click.option("--agent", default="", help="Only what this agent does (its name or attempt).")
@click.option("--raw", is_flag=True, help=RAW)
@shared
def watch(run: str, agent: str, raw: bool, as_json: bool, quiet: bool, no_color: bool) -> int:
    """Watch a run until it ends or waits for somebody: on a terminal a live board, else one line for
    each change.

    Of an agent that tells what it does (`docs/agents.md`: stream) each action is one line: a tool's
    call, an edit, its words, what failed. Other lines stay as they were written.

    With --json one object a line: {"type": "snapshot", "seq", "run"} first; then {"type": "event"}
    with the event's envelope (see `orch show --trace --json`), {"type": "action", "attempt", "name",
    "kind", "tool", "text"} (kind is message, tool, edit, failed, retry or usage; usage also has
    "used" and "call", which is empty for the sum), {"type": "output", "attempt", "name", "stream",
    "text"} for a line that tells no action (with --raw for each line, before its actions), and
    {"type": "driven", "driven"}; at last {"type": "end", "run"}. Leaving (Ctrl-C, exit code 130)
    does not touch the run.
    """
    out, orch = output(as_json, quiet, no_color), looking()
    from orch.api.following import Following

    board = not as_json and not quiet and is_screen(os.environ)
    lines = BACKLOG if board else 0
    following = Following(orch.rooms, orch.run(run).id, agent=agent, lines=lines)
    try:
        view = Picture if board else JsonView if as_json else Silent if quiet else Told
        stayed = _watch(view(orch, following, agent, out), following, actions(orch, raw, as_json))
    except KeyboardInterrupt:
        stayed = False
    finally:
        following.close()
    return _leave(orch, following.run.id, out, stayed=stayed)


def is_screen(environ: Mapping[str, str]) -> bool:
    """Whether standard output is a terminal on which the cursor can be moved."""
    return sys.stdout.isatty() and environ.get("TERM", "dumb") not in ("", "dumb")


def actions(orch: Orch, raw: bool, as_json: bool) -> Acting:
    """What tells actions from lines. `raw`: a person sees the lines only, JSON has both."""
    from orch.api.acting import Acting

    known = orch.rooms.acts if as_json or not raw else lambda agent: None
    return Acting(known, beside=raw)


def _watch(view: View, following: Following, acting: Acting) -> bool:
    """Until the run is over; False when somebody left before."""
    with view:
        while True:
            turn = following.turn(view.patience, view.wake)
            view.show(list(acting.told(turn.changes, over=turn.over)), over=turn.over)
            if turn.over or view.left:
                return turn.over


def _leave(orch: Orch, run: str, out: Output, *, stayed: bool) -> int:
    from orch.cli.runs import exit_code, summary

    record = orch.run_record(run)
    if not stayed:
        goes_on = "goes on" if record["driven"] else "was not touched"
        out.note(f"no longer watching; run {run} {goes_on}")
        return INTERRUPTED
    if out.quiet:
        out.line(run)
    elif not out.json:
        summary(orch, record, out)
    return exit_code(record)


class View:
    """What is shown of a run. `patience` is how long to wait for the next change at most."""

    patience = TICK_S
    wake: tuple[int, ...] = ()
    left = False

    def __init__(self, orch: Orch, following: Following, agent: str, out: Output) -> None:
        self.orch = orch
        self.following = following
        self.agent = agent
        self.out = out
        self.driven = True

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, changes: Sequence[Change], *, over: bool) -> None:
        raise NotImplementedError

    def about(self, event: Event) -> bool:
        """Whether an event concerns what is watched."""
        if not self.agent or not event.step:
            return True
        following = self.following
        return any(a.path == event.step and following.wants(a) for a in following.attempts.values())

    def driver_changed(self) -> bool:
        """Somebody began to drive the run, or nobody does any more."""
        run = self.following.run
        driven = self.following.over or self.orch.is_driven(run)
        changed, self.driven = driven != self.driven, driven
        return changed

    @property
    def notice(self) -> str:
        run = self.following.run.id
        if not self.driven:
            return f"nobody drives it: its process has ended; orch resume {run}"
        task = self.orch.store.task(self.following.run.task) if self.following.run.task else None
        if task is not None and task.state == "blocked" and task.reason:
            return task.reason
        missing = self.agent and self.following.waits_for_agent
        return f"no agent {self.agent!r} has started yet" if missing else ""


class Silent(View):
    """--quiet."""

    def show(self, changes: Sequence[Change], *, over: bool) -> None:
        return


class Told(View):
    """One line a change."""

    def __enter__(self) -> View:
        from orch.cli.narrate import Narrator
        from orch.cli.streams import Lines

        self.lines = Lines(self.out)
        told = _Aloud(json=False, quiet=False, colour=False)
        run = self.following.run
        self.narrator = Narrator(told, self.orch.store, [run.id])
        told.line(f"run {run.id} ({run.workflow}): {run.status}")
        if self.notice:
            told.line(self.notice)
        self.lines.flush()
        return self

    def show(self, changes: Sequence[Change], *, over: bool) -> None:
        from orch.api.acting import Did
        from orch.api.tails import Wrote
        from orch.cli.streams import label

        if self.driver_changed():
            self.lines.close()
            self.out.line(self.notice if not self.driven else "the run is driven again")
        known = self.following.attempts.values()
        for change in changes:
            if isinstance(change, Wrote):
                self.lines.wrote(change, label(change.attempt, known))
            elif isinstance(change, Did):
                self.lines.did(change, label(change.attempt, known))
            elif self.about(change):
                self.lines.close()
                self.narrator.show([change])
        if over:
            self.lines.close()
        self.left = not self.lines.flush()


class _Aloud(Output):
    """Narration is what was asked for: it goes to stdout."""

    def note(self, text: str) -> None:
        self.line(text)


class JsonView(View):
    """JSON lines."""

    def __enter__(self) -> View:
        from orch.cli.streams import JsonLines

        self.lines = JsonLines()
        seq, run = self.following.seq, self.following.run
        self.driven = self.following.over or self.orch.is_driven(run)
        self.lines.tell({"type": "snapshot", "seq": seq, "run": self.orch.record_of(run)})
        self.left = not self.lines.flush()
        return self

    def show(self, changes: Sequence[Change], *, over: bool) -> None:
        from orch.api.acting import Did
        from orch.api.tails import Wrote
        from orch.api.trace import event_record
        from orch.cli import deeds

        if self.driver_changed():
            self.lines.tell({"type": "driven", "driven": self.driven})
        for change in changes:
            if isinstance(change, Did | Wrote):
                self.lines.tell(deeds.record(change))
            elif self.about(change):
                self.lines.tell({"type": "event", **event_record(change)})
        if over:
            record = self.orch.run_record(self.following.run.id)
            self.lines.tell({"type": "end", "run": record})
        self.left = not self.lines.flush()


class Picture(View):
    """The board."""

    def __enter__(self) -> View:
        from orch.cli.board import Board
        from orch.cli.screen import Screen

        clock = self.orch.rooms.clock
        self.now = clock.monotonic
        self.board = Board(self.out, clock.now)
        self.screen = Screen()
        self.steps = {step.path: step for step in self.orch.store.steps(self.following.run.id)}
        self.stale: set[str] = set()
        self.drawn = self.looked = -1.0
        self.screen.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.screen.__exit__(*error)
        left = self.screen.left
        if left in (signal.SIGTERM, signal.SIGHUP):  # the screen is given back: end as we were told
            signal.signal(left, signal.SIG_DFL)
            os.kill(os.getpid(), left)

    @property
    def wake(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.screen.wake

    def show(self, changes: Sequence[Change], *, over: bool) -> None:
        from orch.api.acting import Did
        from orch.api.tails import Wrote

        self.screen.heard()
        for change in changes:
            if isinstance(change, Wrote):
                self.board.wrote(change)
            elif isinstance(change, Did):
                self.board.did(change)
            elif change.step:
                self.stale.add(change.step)
        self.left = bool(self.screen.left)
        now = self.now()
        self.patience = max(0.0, self.drawn + FRAME_S - now)
        if self.patience and not over:
            return
        if now - self.looked >= TICK_S:
            self.looked = now
            self.driver_changed()
        self._draw()
        self.drawn, self.patience = now, TICK_S

    def _draw(self) -> None:
        run = self.following.run
        for path in sorted(self.stale):
            step = self.orch.store.step(run.id, path)
            if step is not None:
                self.steps[path] = step
        self.stale.clear()
        attempts = list(self.following.attempts.values())
        steps = sorted(self.steps.values(), key=lambda step: step.planned_seq)
        if self.agent:
            attempts = [one for one in attempts if self.following.wants(one)]
            paths = {one.path for one in attempts}
            steps = [step for step in steps if step.path in paths]
        frame = self.board.frame(run, steps, attempts, self.notice, self.screen.size())
        self.screen.draw(frame)
