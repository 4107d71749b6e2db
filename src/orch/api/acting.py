"""What agents do, told from what they write: records of their streams as actions, the rest as lines.

Invariant: nothing is stored but what was written: an action is read out of its record whenever
somebody looks (docs/adr/0010-actions-are-read-from-the-log.md). A line that is no record stays the
line that it is; a record is told once it is whole; of one that is not ended 1 MiB is held at most.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import msgspec

from orch.api.streaming import Ended
from orch.api.tails import Wrote
from orch.model.attempt import Attempt
from orch.model.errors import OrchError
from orch.model.event import AttemptEnded, Event
from orch.model.report import Action
from orch.ports import Acts

RECORD_LIMIT = 1024 * 1024
"""Characters of one record."""
WORDS_LIMIT = 300
"""Characters that are shown of words that come in pieces."""
_PASSED = "… (a record of more than 1 MiB)\n"

Other = TypeVar("Other")


class Did(NamedTuple):
    """One thing that an agent did."""

    attempt: Attempt
    action: Action


class Acting:
    """`acts` gives what reads the records of an agent, by its name. With `beside` each line is told
    too, before what it says."""

    def __init__(self, acts: Callable[[str], Acts | None], *, beside: bool = False) -> None:
        self._acts = acts
        self._beside = beside
        self._known: dict[str, Acts | None] = {}
        self._streams: dict[str, _Stream] = {}

    def told(
        self, changes: Iterable[Wrote | Other], *, over: bool = False
    ) -> Iterator[Wrote | Did | Other]:
        """The same changes with actions in the place of records. `over`: nothing follows."""
        for change in changes:
            if isinstance(change, Wrote):
                yield from self._wrote(change)
            else:
                yield from self._rest(_ended(change))
                yield change
        for attempt in list(self._streams) if over else ():
            yield from self._rest(attempt)

    def _wrote(self, wrote: Wrote) -> Iterator[Wrote | Did]:
        known = self._of(wrote.attempt.agent)
        if known is not None and wrote.stream == "pane" and not self._beside:
            return  # the screen of a program that also tells what it does: no lines, but drawing
        acts = known if wrote.stream == "stdout" else None
        if acts is None or self._beside:
            yield wrote
        if acts is not None:
            identifier = wrote.attempt.id
            if identifier not in self._streams:
                self._streams[identifier] = _Stream(wrote.attempt, acts)
            yield from self._heard(self._streams[identifier].take(wrote))

    def _rest(self, attempt: str) -> Iterator[Wrote | Did]:
        stream = self._streams.pop(attempt, None)
        if stream is not None:
            yield from self._heard(stream.end())

    def _heard(self, told: Iterable[Wrote | Did]) -> Iterator[Wrote | Did]:
        return (one for one in told if isinstance(one, Did) or not self._beside)

    def _of(self, agent: str) -> Acts | None:
        if agent and agent not in self._known:
            self._known[agent] = self._acts(agent)
        return self._known.get(agent)


class _Stream:
    """The standard output of one attempt. `_held` are the pieces of a record that is not ended,
    `_said` is what was said so far of words that come in pieces."""

    def __init__(self, attempt: Attempt, acts: Acts) -> None:
        self._attempt = attempt
        self._acts: Acts | None = acts
        self._inside = f"{attempt.worktree}/" if attempt.worktree else ""
        self._held: list[Wrote] = []
        self._size = 0
        self._passing = False
        self._said = ""
        self._used: tuple[str, dict[str, Any]] = ("", {})  # by which call of the model, and what

    def take(self, wrote: Wrote) -> Iterator[Wrote | Did]:
        ended = wrote.text.endswith("\n")
        if self._passing:
            self._passing = not ended
        elif self._held or (self._acts is not None and wrote.text.startswith(("{", "[{"))):
            self._held.append(wrote)
            self._size += len(wrote.text)
            if ended:
                yield from self._line()
            elif self._size > RECORD_LIMIT:
                self._drop()
                self._passing = True
                yield from self._silence()
                yield wrote._replace(text=_PASSED)
        else:
            yield from self._silence()
            yield wrote

    def end(self) -> Iterator[Wrote | Did]:
        """What is left."""
        yield from self._line()
        yield from self._silence()

    def _line(self) -> Iterator[Wrote | Did]:
        held = self._drop()
        found: list[Action] | None = None
        try:
            found = self._read("".join(one.text for one in held))
        except OrchError as fault:
            self._acts = None  # a plugin's: from here on what is written is shown
            yield Did(self._attempt, Action(kind="failed", text=fault.message))
        if found is None:
            yield from self._silence()
            yield from held
            return
        for action in found:
            yield from self._act(action)

    def _drop(self) -> list[Wrote]:
        held, self._held, self._size = self._held, [], 0
        return held

    def _read(self, line: str) -> list[Action] | None:
        """The actions of a line; None for one that is no record."""
        value, acts = _decoded(line), self._acts
        records = value if isinstance(value, list) and value else [value]
        if acts is None or not all(map(_is_record, records)):
            return None
        return [action for record in records for action in acts(record)]

    def _act(self, action: Action) -> Iterator[Did]:
        if action.part:
            self._said += action.text[: WORDS_LIMIT + 1 - len(self._said)]
            return
        yield from self._silence()
        if action.kind == "usage":
            before, self._used = self._used, (action.call, action.used)
            if before == self._used:  # one message is told in several records
                return
        elif self._inside and self._inside in action.text and action.kind in ("edit", "tool"):
            names = action.kind == "edit" or action.text.startswith(self._inside)
            if names:
                action = msgspec.structs.replace(action, text=action.text.replace(self._inside, ""))
        yield Did(self._attempt, action)

    def _silence(self) -> Iterator[Did]:
        """Words that came in pieces are over."""
        said, self._said = " ".join(self._said.split()), ""
        if said:
            said = said if len(said) <= WORDS_LIMIT else said[:WORDS_LIMIT] + "…"
            yield Did(self._attempt, Action(kind="message", text=said))


def _is_record(value: Any) -> bool:
    """A record says what it is; any other object is some program's output."""
    return isinstance(value, dict) and isinstance(value.get("type") or value.get("role"), str)


def _decoded(line: str) -> Any:
    """The JSON value, or None."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _ended(change: Any) -> str:
    """The attempt that writes no more."""
    if isinstance(change, Ended):
        return change.attempt.id
    data = change.data if isinstance(change, Event) else None
    return data.id if isinstance(data, AttemptEnded) else ""
