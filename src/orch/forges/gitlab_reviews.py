"""What reviewers at GitLab think of a merge request.

Invariant: a verdict is what GitLab shows as somebody's state now; its time is that of the note by
which GitLab recorded it, its commit the head that was there then. What nobody recorded stays empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from orch.hosts.failures import Missing
from orch.hosts.gitlab.talk import author, may_write
from orch.hosts.moments import seconds, utc
from orch.model.pull import LineRemark, Verdict

if TYPE_CHECKING:
    from orch.hosts.gitlab.client import GitLab
    from orch.hosts.gitlab.shapes import Note, Reviewer, User, Version

_RECORDED = {"approved": "approved this merge request", "changes": "requested changes"}


def verdicts(gitlab: GitLab, project: int, iid: int) -> list[Verdict]:
    """See `orch.ports.reviews.Reviewed`."""
    me = gitlab.me().id
    states: dict[int, tuple[User, Literal["approved", "changes"]]] = {
        user.id: (user, "approved") for user in gitlab.approvers(project, iid)
    }
    for one in _reviewers(gitlab, project, iid):
        if one.state == "requested_changes":
            states[one.user.id] = (one.user, "changes")
    states.pop(me, None)
    if not states:
        return []
    notes = gitlab.notes(project, "merge_requests", iid)
    versions = sorted(gitlab.versions(project, iid), key=lambda one: seconds(one.created_at))
    found = []
    for user, state in states.values():
        said = [note for note in notes if note.author and note.author.id == user.id]
        at = _recorded(said, _RECORDED[state])
        version = _version_at(versions, at)
        found.append(Verdict(
            id=f"{user.id}@{at}", reviewer=user.username, state=state, at=utc(at),
            commit=version.head_commit_sha if version else "",
            body=_summary(said, at, version),
            remarks=_lines(said) if state == "changes" else (),
            trusted=may_write(gitlab, project, author(user)),
        ))  # fmt: skip
    return sorted(found, key=lambda one: (one.at, one.id))


def _reviewers(gitlab: GitLab, project: int, iid: int) -> Sequence[Reviewer]:
    try:
        return gitlab.reviewers(project, iid)
    except Missing:
        return []  # older servers


def _recorded(said: Sequence[Note], words: str) -> str:
    """When GitLab wrote down that it came to be so."""
    notes = [note for note in said if note.system and (note.body or "").startswith(words)]
    return max((note.created_at for note in notes), key=seconds, default="")


def _version_at(versions: Sequence[Version], at: str) -> Version | None:
    """What the branch was then."""
    before = [one for one in versions if at and seconds(one.created_at) <= seconds(at)]
    return before[-1] if before else None


def _summary(said: Sequence[Note], at: str, version: Version | None) -> str:
    """The reviewer's last plain words on that version, up to the verdict."""
    begin = seconds(version.created_at) if version else 0.0
    plain = [
        note.body or "" for note in said
        if not note.system and note.position is None
        and begin <= seconds(note.created_at) <= (seconds(at) or float("inf"))
    ]  # fmt: skip
    return plain[-1] if plain else ""


def _lines(said: Sequence[Note]) -> tuple[LineRemark, ...]:
    """What was said on lines and is not settled."""
    return tuple(
        LineRemark(
            path=note.position.new_path or note.position.old_path or "",
            line=note.position.new_line or note.position.old_line or 0,
            body=note.body or "",
        )
        for note in said
        if note.position is not None and not note.resolved and not note.system
    )
