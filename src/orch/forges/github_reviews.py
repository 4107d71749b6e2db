"""Reviews at GitHub: what people decided, and what we say to a pull request.

Invariants:

- Of each reviewer the newest decision counts; what was dismissed, only commented on, or said by an
  account that is gone, is none. Whose word counts is GitHub's answer about their rights.
- A verdict of ours is given once for its key. Of a PR of our own GitHub takes no verdict: there it is
  a comment (H82), and a verdict never closes anything (H83).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orch.hosts.failures import Invalid
from orch.hosts.github.pulls import Verdict as Event
from orch.hosts.github.voice import fitting
from orch.hosts.service import sure
from orch.model import marks
from orch.model.pull import LineRemark, Verdict

if TYPE_CHECKING:
    from orch.hosts.github.client import GitHub
    from orch.hosts.github.facts import Review
    from orch.hosts.github.voice import Voice

_DECISIONS = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})


class Reviewing:
    """For projects by their full names."""

    def __init__(self, github: GitHub, voice: Voice) -> None:
        self._github, self._voice = github, voice

    def verdicts(self, project: str, number: int) -> list[Verdict]:
        """See `orch.ports.reviews.Reviewed`."""
        me = self._voice.me().id
        newest: dict[int, Review] = {}
        for review in self._reviews(project, number):
            if review.state in _DECISIONS and review.author.id not in (0, me):
                newest[review.author.id] = review
        found = [one for one in newest.values() if one.state != "DISMISSED"]
        if not found:
            return []
        remarks: dict[int, list[LineRemark]] = {}
        for comment in self._github.pulls.line_comments(project, number):
            line = LineRemark(comment.path, comment.line, comment.body)
            remarks.setdefault(comment.review, []).append(line)
        return [
            Verdict(
                id=str(one.id),
                reviewer=one.author.login,
                state="approved" if one.state == "APPROVED" else "changes",
                body=one.body,
                commit=one.commit,
                at=one.at,
                trusted=self._voice.may_write(project, one.author),
                remarks=tuple(remarks.get(one.id, ())),
            )
            for one in sorted(found, key=lambda one: (one.at, one.id))
        ]

    def judge(
        self, project: str, number: int, *, approve: bool, body: str, head_sha: str, key: str
    ) -> None:
        """See `orch.ports.reviews.Reviewed`."""
        me = self._voice.me().id
        given = self._reviews(project, number)
        if any(one.author.id == me and marks.has(one.body, key) for one in given):
            return
        if self._github.pulls.get(project, number).author.id != me:
            verdict: Event = "APPROVE" if approve else "REQUEST_CHANGES"
            try:
                sure(
                    self._github.reviews.create(
                        project, number, verdict=verdict, body=fitting(body, key),
                        head_sha=head_sha,
                    )
                )  # fmt: skip
            except Invalid as refused:
                if refused.code != "own_pull":
                    raise
            else:
                return
        word = "Approved" if approve else "Changes requested"
        self._voice.say(project, number, f"**{word}** at {head_sha[:12]}.\n\n{body}", key=key)

    def ask(self, project: str, number: int, names: Sequence[str]) -> None:
        """See `orch.ports.reviews.Reviewed`. Who has reviewed it was asked, too; its author cannot
        be."""
        pull = self._github.pulls.get(project, number)
        asked = {one.login.lower() for one in (pull.author, *pull.reviewers)}
        wanted = [name for name in names if name.lower() not in asked]
        if not wanted:
            return
        asked = {one.author.login.lower() for one in self._reviews(project, number)}
        wanted = list(dict.fromkeys(name for name in wanted if name.lower() not in asked))
        if wanted:
            sure(self._github.pulls.request_reviewers(project, number, wanted))

    def _reviews(self, project: str, number: int) -> list[Review]:
        found = self._github.reviews.of(project, number)
        return sorted(found, key=lambda one: (one.at, one.id))
