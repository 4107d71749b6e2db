"""Jira's words for states and priorities, and what each means to us.

Invariant: pure. What a source's own tables say goes before everything else; then the word, then the
category, which is the same in every language; what nobody knows is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from orch.hosts.jira.shapes import Status
from orch.model.tracked import TrackedState

_STATES: Mapping[TrackedState, tuple[str, ...]] = {
    "open": ("to do", "open", "backlog", "new", "created", "reopened"),
    "in_progress": ("in progress", "in review", "in development", "review"),
    "closed": ("done", "closed", "resolved", "complete", "completed"),
}
_STATE_OF: dict[str, TrackedState] = {
    word: state for state, words in _STATES.items() for word in words
}
_CATEGORIES: Mapping[str, TrackedState] = {
    "new": "open", "indeterminate": "in_progress", "done": "closed",
}  # fmt: skip
_PRIORITIES = {
    "highest": "urgent", "blocker": "urgent", "critical": "urgent", "urgent": "urgent",
    "high": "high", "major": "high",
    "medium": "normal", "normal": "normal",
    "low": "low", "lowest": "low", "minor": "low", "trivial": "low",
}  # fmt: skip


class Words:
    """The tables of one source."""

    def __init__(self, states: Mapping[str, str], priorities: Mapping[str, str]) -> None:
        self._states = {folded(word): meaning for word, meaning in states.items()}
        self._priorities = {folded(word): meaning for word, meaning in priorities.items()}

    def state(self, status: Status | None) -> TrackedState:
        if status is None:
            return "open"
        word = folded(status.name)
        if word in self._states:
            return cast("TrackedState", self._states[word])
        return _STATE_OF.get(word) or _CATEGORIES.get(status.statusCategory.key, "open")

    def priority(self, word: str) -> str:
        """low, normal, high or urgent; empty for a word that nobody knows."""
        return self._priorities.get(folded(word)) or _PRIORITIES.get(folded(word), "")


def folded(word: str) -> str:
    """Words are the same whatever their capitals and spaces."""
    return " ".join(word.split()).casefold()
