"""Moving an issue along its workflow, as far as its project lets us.

Invariants:

- The state is looked at before anything is moved, and again where nobody knows what became of a move.
- What a person has closed is not opened again, and nothing goes back from where it is already.
- A move that needs an answer which only a person can give is refused, with the fields' names.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from orch.hosts.failures import Unknown
from orch.hosts.jira.shapes import NeededField, Status, Transition
from orch.model.errors import Conflict
from orch.trackers.jira.words import Words, folded

if TYPE_CHECKING:
    from orch.hosts.jira.client import Jira
    from orch.model.task import TaskState

_log = logging.getLogger(__name__)
_WORDS: Mapping[str, str] = {"in_progress": "In Progress", "in_review": "In Review"}
_ENDS = {
    True: ("done", "closed", "resolved", "complete", "completed"),
    False: ("cancelled", "canceled", "won't do", "won't fix", "declined", "rejected", "abandoned"),
}
_RESOLUTIONS = {
    True: ("done", "fixed", "resolved", "complete", "completed"),
    False: ("won't do", "won't fix", "cancelled", "canceled", "declined", "rejected"),
}
_ENDINGS = ("done", "cancelled")


class Moves:
    """Of one source: `transitions` maps our states to the names of states there."""

    def __init__(
        self, jira: Jira, words: Words, transitions: Mapping[str, str], *, resolution: str = ""
    ) -> None:
        self._jira, self._words = jira, words
        self._named = dict(transitions)
        self._resolution = resolution

    def show(self, key: str, state: TaskState) -> None:
        """The state that stands for ours. None does: nothing. No way there: a line in the log."""
        wanted = self._named.get(state) or _WORDS.get(state, "")
        now = self._status(key)
        if state in _ENDINGS or not wanted or self._is(now, wanted) or self._closed(now):
            return
        ways = self._jira.issues.transitions(key)
        way = _leading(ways, wanted)
        if way is None and state == "in_progress" and state not in self._named:
            # Where it is called otherwise (another language), the category still says it.
            if now.statusCategory.key == "indeterminate":
                return
            way = next((one for one in ways if one.to.statusCategory.key == "indeterminate"), None)
        if way is None:
            _log.warning("%s stays in %r: no transition leads from there to %r (there are: %s)",
                         key, now.name, wanted, _shown(ways))  # fmt: skip
            return
        self._go(key, way, done=None)

    def end(self, key: str, *, done: bool) -> None:
        """Over. `Conflict(no_transition)` where nothing leads there."""
        now = self._status(key)
        if self._closed(now):
            return
        ways = self._jira.issues.transitions(key)
        named = self._named.get("done" if done else "cancelled", "")
        way = _leading(ways, named) if named else self._ending(ways, done)
        if way is None:
            wanted = f"to {named!r}" if named else "to a state that ends it"
            raise Conflict(
                f"{key} cannot be closed: no transition leads from {now.name!r} {wanted}"
                f" (there are: {_shown(ways)}).",
                code="no_transition",
                hint=f"Close it at {self._jira.browse(key)}, or name a state in transitions.",
            )
        self._go(key, way, done=done)

    def _ending(self, ways: list[Transition], done: bool) -> Transition | None:
        """By its name, then by its category; of several that fit, one that needs nothing."""
        ends = [one for one in ways if self._closed(one.to)]
        named = [one for word in _ENDS[done] for one in ends if folded(one.to.name) == word]
        others = [one for one in ends if folded(one.to.name) not in _ENDS[not done]]
        fit = named or others or ends
        return next((one for one in fit if not _asked(one)), fit[0] if fit else None)

    def _go(self, key: str, way: Transition, *, done: bool | None) -> None:
        fields: dict[str, Any] = {}
        missing = []
        for name, field in _asked(way).items():
            value = (
                self._resolved(field, done) if name == "resolution" and done is not None else None
            )
            if value is None:
                missing.append(field.name or name)
            else:
                fields[name] = value
        if missing:
            raise Conflict(
                f"{key} cannot go to {way.to.name!r}: its screen asks for {', '.join(missing)}.",
                code="fields_required",
                hint=f"Do it at {self._jira.browse(key)}, or name another state in transitions.",
            )
        moved = self._jira.issues.move(key, way.id, fields)
        if isinstance(moved, Unknown) and not self._is(self._status(key), way.to.name):
            raise moved.error()

    def _resolved(self, field: NeededField, done: bool | None) -> dict[str, str] | None:
        words = _RESOLUTIONS[bool(done)]
        words = (folded(self._resolution), *words) if self._resolution and done else words
        names = [str(one.get("name", "")) for one in field.allowedValues or ()]
        found = (name for word in words for name in names if folded(name) == word)
        first = next(found, "")
        return {"name": first} if first else None

    def _status(self, key: str) -> Status:
        return self._jira.issues.get(key, fields=("status",)).issue.fields.status or Status()

    def _closed(self, status: Status) -> bool:
        return self._words.state(status) == "closed"

    def _is(self, status: Status, word: str) -> bool:
        return folded(status.name) == folded(word)


def _leading(ways: Iterable[Transition], wanted: str) -> Transition | None:
    """The transition to that state, or the one of that name."""
    word, ways = folded(wanted), list(ways)
    by_target = (one for one in ways if folded(one.to.name) == word)
    return next(by_target, None) or next((one for one in ways if folded(one.name) == word), None)


def _asked(way: Transition) -> dict[str, NeededField]:
    """What its screen does not let one leave out."""
    return {name: field for name, field in (way.fields or {}).items()
            if field.required and not field.hasDefaultValue}  # fmt: skip


def _shown(ways: Iterable[Transition]) -> str:
    return ", ".join(repr(one.to.name) for one in ways) or "none"
