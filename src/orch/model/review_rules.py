"""What reviewers' verdicts mean for a pull request. Pure.

Invariant: only the word of somebody who may write to the repository counts; a wish for changes stands
until its reviewer says otherwise, an approval only for the commit that was looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from orch.model.pull import Verdict

CHANGES = "changes_requested"
"""The code of whatever a wish for changes holds up."""


def standing(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The wishes for changes that stand in the way of a merge, answered or not (H80)."""
    return [one for one in verdicts if one.trusted and one.state == "changes"]


def unanswered(verdicts: Iterable[Verdict], answered: Collection[str]) -> list[Verdict]:
    """Those of them that nobody has worked on. One that was made of an older head is still a wish."""
    return [one for one in standing(verdicts) if one.id not in answered]


def approval(verdicts: Iterable[Verdict], head_sha: str) -> Verdict | None:
    """The newest approval of this very commit."""
    found = [
        one for one in verdicts
        if one.trusted and one.state == "approved" and head_sha and one.commit == head_sha
    ]  # fmt: skip
    return found[-1] if found else None


def settled(verdicts: Collection[Verdict], head_sha: str, *, approved: bool) -> bool:
    """Whether people let it be merged: nobody wants changes, and where it has to be, it is
    approved."""
    return not standing(verdicts) and (not approved or approval(verdicts, head_sha) is not None)
