"""Comments of one source: our own, each at most once, and what people say.

Invariant: a comment is ours where its author is our account and it carries the mark (on Cloud in a
property, on Data Center in the text); what carries a mark and is somebody else's is somebody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orch.hosts.failures import Missing, Unknown
from orch.hosts.jira import jql
from orch.hosts.jira.shapes import Comment
from orch.hosts.moments import seconds, stamp, utc
from orch.model import marks
from orch.model.tracked import Remark
from orch.trackers import sources
from orch.trackers.jira import bodies
from orch.trackers.jira.tickets import author_of

if TYPE_CHECKING:
    from orch.hosts.jira.client import Jira


class Talk:
    def __init__(self, jira: Jira, project: str, *, overlap_s: int) -> None:
        self._jira, self._project, self._overlap_s = jira, project, overlap_s

    # --- ours -------------------------------------------------------------------------------

    def put(self, issue: str, body: str, *, key: str, known: str, ours: str) -> str:
        """The id of the one comment with `key`, which says `body`."""
        cloud = self._jira.cloud
        wanted = bodies.written(body, key=key, cloud=cloud)
        mine = self._mine(issue, key, ours)
        if not mine:
            made = self._jira.comments.create(issue, *wanted)
            if isinstance(made, Unknown):
                raise made.error()
            return made.id
        kept = next((one for one in mine if one.id == known), mine[0])
        for other in mine:
            if other is not kept:
                gone = self._jira.comments.delete(issue, other.id)
                if isinstance(gone, Unknown):
                    raise gone.error()
        if bodies.says(kept.body, wanted.body):
            return kept.id
        try:
            edited = self._jira.comments.update(issue, kept.id, *wanted)
        except Missing:  # a person has deleted it meanwhile
            edited = self._jira.comments.create(issue, *wanted)
        if isinstance(edited, Unknown):
            raise edited.error()
        return edited.id

    def _mine(self, issue: str, key: str, ours: str) -> list[Comment]:
        """Oldest first."""
        said = [
            one for one in self._jira.comments.of(issue) if one.author and one.author.id == ours
        ]
        if self._jira.cloud:
            found = [one for one in self._jira.comments.marked(said) if one.key() == key]
        else:
            found = [one for one in said if marks.has(bodies.read(one.body), key)]
        return sorted(found, key=lambda one: int(one.id) if one.id.isdigit() else 0)

    # --- theirs -----------------------------------------------------------------------------

    def since(self, cursor: str, ours: str) -> tuple[tuple[Remark, ...], str]:
        """What was said since; a time is read again in which the search may have lagged behind, and
        what was told of it before is left out. Without a cursor nothing is told."""
        self._jira.server()
        now = self._jira.caller.server_time()
        began = stamp(now)
        since = sources.heard_since(cursor, began, self._overlap_s)
        said = [one for one in self._changed(now - seconds(since)) if utc(one[1].updated) >= since]
        return sources.news(cursor, began, self._remarks(said, ours), self._overlap_s)

    def _changed(self, ago_s: float) -> list[tuple[str, Comment]]:
        """Every comment of the issues that changed in the last so many seconds."""
        found = []
        minutes = int(ago_s // 60) + 2
        asked = jql.every(jql.within(self._project), jql.since("updated", minutes))
        for issue, _ in self._jira.issues.search(asked, fields=("comment",)):
            shown = issue.fields.comment
            whole = shown is not None and shown.total <= len(shown.comments)
            said = shown.comments if shown and whole else self._jira.comments.of(issue.key)
            found += [(issue.key, one) for one in said]
        return found

    def _remarks(self, found: Sequence[tuple[str, Comment]], ours: str) -> tuple[Remark, ...]:
        """With the marks of our own, so that they are known as such wherever they are read."""
        own = [one for _, one in found if one.author and one.author.id == ours]
        keys = {one.id: one.key() for one in self._jira.comments.marked(own)} if own else {}
        return tuple(
            Remark(
                id=one.id,
                source_id=issue,
                body=bodies.read(one.body, key=keys.get(one.id, "")),
                author=author_of(one.author),
                created=utc(one.created),
                updated=utc(one.updated),
                url=f"{self._jira.browse(issue)}?focusedCommentId={one.id}",
                app=author_of(one.author).bot,
            )
            for issue, one in found
        )
