"""What labels say of a ticket where a tracker has no fields for it: how it stands, how urgent it is.

Invariant: pure. Labels are compared without regard to case, and passed on as they are. `status::x` is
a label of somebody's own (GitLab's scoped ones), `status:x` one of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orch.trackers import github_words
from orch.trackers.github_words import AT_WORK

if TYPE_CHECKING:
    from orch.model.task import TaskState
    from orch.model.tracked import TrackedState

_OURS = re.compile(r"status:(?!:).+", re.IGNORECASE | re.DOTALL)


def state_of(*, is_open: bool, labels: Sequence[str], states: Mapping[str, str]) -> TrackedState:
    """Closed is closed; of what is open the configured `states` of its labels say more."""
    if not is_open:
        return "closed"
    theirs = {word.lower(): state for word, state in states.items()}
    low = [label.lower() for label in labels]
    for label in low:
        if label in theirs:
            return theirs[label]  # type: ignore[return-value]
    return "in_progress" if AT_WORK.intersection(low) else "open"


def priority_of(labels: Sequence[str], configured: Mapping[str, str]) -> str:
    """The most urgent that a label says, empty where none says anything; `priority::high` too."""
    return github_words.priority_of(
        [*labels, *(label.replace("::", ":") for label in labels if "::" in label)], configured
    )


def colour(name: str) -> str:
    """Of a label that is made."""
    return github_words.label_of(name).color


def showing(
    labels: Sequence[str], state: TaskState, transitions: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """The labels to put on and to take off so that they show `state`: `status:STATE`, or what the
    configured `transitions` call it, in the place of every other such label."""
    wanted = transitions.get(state, f"status:{state}")
    family = {word.lower() for word in transitions.values()}
    stale = [one for one in labels
             if one != wanted and (_OURS.fullmatch(one) or one.lower() in family)]  # fmt: skip
    return ([] if wanted in labels else [wanted]), stale


def changing(
    labels: Sequence[str], add: Sequence[str], remove: Sequence[str]
) -> tuple[list[str], list[str]]:
    """What of it is still to do."""
    low = {label.lower() for label in labels}
    gone = {label.lower() for label in remove}
    wanted = [one for one in dict.fromkeys(add) if one.lower() not in low]
    return wanted, [label for label in labels if label.lower() in gone]
