"""Messages of a person to a program that runs, and the way to its terminal.

Invariant: a message goes to exactly one live attempt, is typed at most once, and what became of it is
in the books; a word that could mean two attempts means none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from orch.api.attempts import named
from orch.api.facade import Orch
from orch.model import command as commands
from orch.model.attempt import FINAL, Attempt
from orch.model.delivery import UNKNOWN, Delivery, Undeliverable, message_bytes, undelivered
from orch.model.errors import Conflict, OrchError, UsageError
from orch.model.run import Run

_HINTS = {
    "pipes": "orch help config",
    "not_running": "orch logs {run}",
    UNKNOWN: "orch logs {run}:{attempt}",  # what came of it is in what the program wrote
    "no_answer": "orch doctor",
    "empty": 'orch send {run}:{attempt} "TEXT"',
    "control_character": "orch send {run}:{attempt} @FILE, without them",
    "not_text": "orch send {run}:{attempt} @FILE, in UTF-8",
    "line_too_long": 'orch send {run}:{attempt} "read FILE", with the text in FILE',
}
_LOOK = "orch attach {run}:{attempt}"


class Sent(NamedTuple):
    """What became of a message; `unnoted` says why the books do not have it, empty when they do."""

    attempt: Attempt
    size: int
    delivery: Delivery
    unnoted: str = ""

    @property
    def told(self) -> str:
        """What a person is told of one that was not delivered, or that nobody knows of."""
        return undelivered(self.delivery.code, self.delivery.reason)

    @property
    def hint(self) -> str:
        """The next command, where it was not delivered."""
        if self.delivery.delivered:
            return ""
        text = _HINTS.get(self.delivery.code, _LOOK)
        return text.format(run=self.attempt.run, attempt=self.attempt.id)


def live_attempt(orch: Orch, target: str, *, verb: str) -> Attempt:
    """The live attempt that `RUN[:AGENT]` means: AGENT is an agent's name, an attempt's name, role or
    id (a prefix will do). `verb` is the command whose hint is given."""
    word, _, agent = target.partition(":")
    run = orch.run(word)
    found = named(run, orch.store.attempts(run.id), agent)
    live = [a for a in found if a.status not in FINAL]
    exact = [a for a in live if a.id == agent]
    if len(exact or live) > 1:
        listed = ", ".join(f"{a.id} ({a.name or a.agent or a.role})" for a in live)
        raise UsageError(
            f"{target!r} could be {listed}", code="ambiguous",
            hint=f"orch {verb} {run.id}:{live[0].id}",
        )  # fmt: skip
    if not live:
        raise no_live_attempt(run, agent)
    return (exact or live)[0]


def no_live_attempt(run: Run, agent: str = "") -> Conflict:
    """Nothing of `run` is at work that a person could speak to."""
    who = f"agent {agent!r} of run {run.id}" if agent else f"run {run.id}"
    return Conflict(
        f"{who} has no program at work: the run is {run.status}",
        code="no_live_attempt",
        hint=f"orch logs {run.id}",
    )


def send(orch: Orch, attempt: Attempt, text: str) -> Sent:
    """Type `text` into the program's terminal, and note what became of it."""
    rooms = orch.rooms
    key = f"person/{attempt.id}/{rooms.ids.run_id()}"
    delivery = rooms.terminals.send(
        attempt.terminal, attempt.directory, text, key=key, took=rooms.took(attempt.agent)
    )
    size = len(text.encode("utf-8", "replace"))
    note = commands.NoteMessage(attempt.run, attempt.id, size, delivery)
    try:
        orch.store.send(note, rooms.person)
    except OrchError as error:  # it is said all the same: it cannot be taken back
        return Sent(attempt, size, delivery, unnoted=error.message)
    return Sent(attempt, size, delivery)


def look(attempt: Attempt, text: str) -> Sent:
    """`send` without sending: refuses what is no message."""
    try:
        size = len(message_bytes(text))
    except Undeliverable as why:
        return Sent(attempt, 0, why.delivery)
    return Sent(attempt, size, Delivery(delivered=True))


def way_to(orch: Orch, attempt: Attempt, *, read_only: bool) -> Sequence[str]:
    """The argv that joins a person with the attempt's terminal; refused when it has ended. A program
    that only waits for its next turn is kept for as long as this process, and what it becomes."""
    terminals = orch.rooms.terminals
    if terminals.probe(attempt.terminal, attempt.directory) not in ("alive", "unknown"):
        raise no_live_attempt(orch.run(attempt.run))
    return terminals.attach_command(attempt.terminal, read_only=read_only)
