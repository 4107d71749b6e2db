"""What a ticket source tells: tickets as they stand there, and what people say below them.

Invariant: every text is data. Who somebody is, is their `id` at the source, which stays when they are
renamed; a name alone proves nothing. Times are RFC 3339 in UTC, empty where there is none.
"""

from __future__ import annotations

from typing import Literal

import msgspec

TrackedState = Literal["open", "in_progress", "closed"]


class Author(msgspec.Struct, frozen=True, omit_defaults=True):
    """`id` is empty for nobody (an account that is gone)."""

    id: str = ""
    name: str = ""
    bot: bool = False


class Tracked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A ticket as its source shows it.

    `source` is the source's name in our configuration, `source_id` what its tracker calls it (`12`,
    `PROJ-12`); only both together mean a ticket (H94). `repo` is the slug of the repository that the
    source is for. `word` is the tracker's own word for the state. `blocked_by` are the ids of open
    tickets that have to be over first: of this source as they are, of elsewhere in full
    (`owner/name#3`). `parent` likewise. `edited`, `editor`: the last change of title or body, where
    the tracker tells. `raw` is the tracker's answer, for reference.
    """

    source: str
    source_id: str
    repo: str
    title: str
    body: str = ""
    state: TrackedState = "open"
    word: str = ""
    labels: tuple[str, ...] = ()
    author: Author = Author()
    assignee: str = ""
    priority: str = ""
    url: str = ""
    milestone: str = ""
    parent: str = ""
    blocked_by: tuple[str, ...] = ()
    created: str = ""
    updated: str = ""
    edited: str = ""
    editor: Author = Author()
    raw: str = ""

    @property
    def id(self) -> str:
        """What people call it here: `thing:12`."""
        return f"{self.source}:{self.source_id}"


def apart(id: str) -> tuple[str, str]:
    """`SOURCE:ID`, as people call a ticket here, as its source and what its tracker calls it."""
    source, _, source_id = id.partition(":")
    return source, source_id


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a source. `cursor` is where the next look begins. `whole`: these are all its open
    tickets (and any number of others); without it only what has changed since the cursor."""

    tickets: tuple[Tracked, ...] = ()
    cursor: str = ""
    whole: bool = False


class Remark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody said below a ticket or a pull request (`source_id` names either). `id` is unique
    at the source. `app`: it was written by a program in somebody's name."""

    id: str
    source_id: str
    body: str
    author: Author = Author()
    created: str = ""
    updated: str = ""
    url: str = ""
    app: bool = False


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Who put a label on a ticket last, and when."""

    author: Author
    at: str
