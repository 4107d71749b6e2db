"""People at GitLab, and the notes below an issue or merge request.

Invariant: who somebody is, is their number; nobody is taken for a bot or a person by what they say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from orch.hosts.gitlab.client import DEVELOPER, LONGEST, GitLab, Kind, inert
from orch.hosts.gitlab.shapes import Note, User
from orch.hosts.moments import utc
from orch.hosts.sticky import Said, fitting, settle
from orch.model.tracked import Author

_GHOST = "ghost"
_BOT = re.compile(
    r"(?:project|group)_\d+_bot(?:_[0-9a-f]+)?|service_account_\w+|support-bot|alert-bot"
)


def author(user: User | None) -> Author:
    """The same person; nobody where the account is gone, whose things GitLab gives to a ghost."""
    if user is None or user.username == _GHOST:
        return Author()
    bot = bool(user.bot) or bool(_BOT.fullmatch(user.username))
    return Author(id=str(user.id), name=user.username, bot=bot)


def may_write(gitlab: GitLab, project: int, who: Author) -> bool:
    """Whether that person may push there. False for nobody and for bots."""
    if who.bot or not (who.id.isascii() and who.id.isdigit()):
        return False
    if gitlab.access_level(project, int(who.id)) < DEVELOPER:
        return False
    return not author(gitlab.user(int(who.id))).bot


def say(
    gitlab: GitLab, project: int, kind: Kind, iid: int, body: str, *, key: str, known: str = ""
) -> str:
    """The one note of ours with `key` says `body`; its id."""
    text = inert(body).replace("\r\n", "\n")  # as GitLab keeps it
    thread = NoteThread(gitlab, project, kind, iid)
    return settle(thread, str(gitlab.me().id), fitting(text, key, LONGEST), key=key, known=known)


class NoteThread:
    """`orch.hosts.sticky.Thread` over the notes of one issue or merge request."""

    def __init__(self, gitlab: GitLab, project: int, kind: Kind, iid: int) -> None:
        self._gitlab, self._at = gitlab, (project, kind, iid)

    def one(self, id: str) -> Said | None:
        if not (id.isascii() and id.isdigit()):
            return None
        note = self._gitlab.note(*self._at, int(id))
        return _said(note) if note else None

    def all(self) -> Sequence[Said]:
        return [_said(note) for note in self._gitlab.notes(*self._at) if not note.system]

    def write(self, text: str) -> str:
        return str(self._gitlab.write_note(*self._at, text).id)

    def edit(self, id: str, text: str) -> None:
        self._gitlab.edit_note(*self._at, int(id), text)

    def remove(self, id: str) -> None:
        self._gitlab.delete_note(*self._at, int(id))


def _said(note: Note) -> Said:
    return Said(str(note.id), note.body or "", author(note.author).id, utc(note.created_at))
