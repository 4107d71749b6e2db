"""Comments of which there is one each: found by their mark, edited in place, never made twice.

Invariants:

- A comment is ours by its author's id, never by its text: a mark that somebody has copied is theirs.
- Looked for before it is written, so that the same call again never makes a second one (H85); what
  came to be there twice is one again afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from orch.hosts.failures import Missing
from orch.model import marks

_CUT = "\n\n…"


class Said(NamedTuple):
    """A comment. `author` is an id; `created` sorts as text."""

    id: str
    body: str
    author: str
    created: str = ""


class Thread(Protocol):
    """The comments below one ticket or pull request. Writes raise `ToolFailed(outcome_unknown)`."""

    def one(self, id: str) -> Said | None:
        """The comment of that id below this ticket; None where it is not there."""

    def all(self) -> Sequence[Said]: ...
    def write(self, text: str) -> str: ...
    def edit(self, id: str, text: str) -> None: ...
    def remove(self, id: str) -> None: ...


def settle(thread: Thread, me: str, text: str, *, key: str, known: str = "") -> str:
    """The one comment of `me` with `key` says `text` (which carries the mark); its id."""
    there = thread.one(known) if known else None
    if there is None or there.author != me or not marks.has(there.body, key):
        there = _found(thread, me, key)
    if there is None:
        return thread.write(text)
    if there.body != text:
        thread.edit(there.id, text)
    return there.id


def fitting(body: str, key: str, longest: int) -> str:
    """`body` with the mark as its last line, within what the service takes."""
    whole = marks.marked(body, key)
    room = longest - (len(whole) - len(body.rstrip())) - len(_CUT)
    return whole if len(whole) <= longest else marks.marked(body[:room] + _CUT, key)


def _found(thread: Thread, me: str, key: str) -> Said | None:
    """The oldest of ours with the mark; its doubles are deleted."""
    ours = [one for one in thread.all() if one.author == me and marks.has(one.body, key)]
    ours.sort(key=lambda one: (one.created, len(one.id), one.id))
    for double in ours[1:]:
        try:
            thread.remove(double.id)
        except Missing:
            continue
    return ours[0] if ours else None
