"""What stands in the way of a pull request, in words for the books and for whoever mends it. A run
stores this module like its own workflow.

Invariant: no effects. What other people and their machines wrote stands in a prompt as a quotation,
with where it comes from (data, not instructions), and is cut where it is long.
"""

from collections.abc import Sequence

import msgspec

from orch.model.pull import Check, LineRemark, Verdict
from orch.model.pull_effects import PullLook
from orch.model.quoting import Quote, cut, fence_of, one_line, quoted, visible
from orch.model.review_rules import CHANGES

SHOWN = 4000
"""Characters of a failed check's output that its author is shown."""
SAID = 16 * 1024
"""Characters of a review that the author is shown."""
CI_FAILED = "ci_failed"
"""The code of checks that others run on what was pushed."""


class Complaint(msgspec.Struct, frozen=True):
    """What is wrong with a head. `code` for the books; `told` in full, for who mends it. `wishes` are
    the ids of the verdicts that it is made of, `people` who gave them."""

    code: str
    short: str
    told: str
    wishes: list[str] = []
    people: list[str] = []


def conflict(seen: PullLook) -> Complaint:
    files = ", ".join(seen.conflicts)
    short = f"{seen.pull.head} conflicts with {seen.pull.base} in {files}"
    return Complaint("merge_conflict", short, short)


def wished(verdicts: Sequence[Verdict]) -> Complaint:
    """What people who reviewed it want to be changed."""
    names = ", ".join(one_line(one.reviewer, 60) for one in verdicts)
    said = one_line(" ".join(_words(one) for one in verdicts), 300)
    told = "\n\n".join(
        quoted(Quote(what="review", text=_words(one), author=one.reviewer, at=one.at), SAID)
        for one in verdicts
    )
    asked = "People reviewed the pull request and ask for changes. Make those that concern it."
    return Complaint(
        CHANGES, f"{names} asked for changes: {said}", f"{asked}\n\n{told}",
        [one.id for one in verdicts], [one.reviewer for one in verdicts],
    )  # fmt: skip


def _words(verdict: Verdict) -> str:
    found = [verdict.body.strip(), *map(_remark, verdict.remarks)]
    return "\n".join(filter(None, found)) or "(no words)"


def _remark(remark: LineRemark) -> str:
    place = f"{remark.path}:{remark.line}" if remark.line else remark.path
    return f"{place}: {remark.body.strip()}"


def failing(checks: Sequence[Check]) -> Complaint:
    """What others' checks of the pushed commit say."""
    names = ", ".join(one_line(check.name, 80) for check in checks)
    told = "\n\n".join(
        quoted(Quote(what=f"check {check.name}", text=_result(check)), SHOWN) for check in checks
    )
    return Complaint(
        CI_FAILED, f"checks fail: {names}", f"Checks fail on what was pushed.\n\n{told}"
    )


def _result(check: Check) -> str:
    return "\n".join(filter(None, (check.summary.strip(), check.url))) or "(no words)"


def fenced(text: str, limit: int) -> str:
    """An agent's words for people to read: no markup, mention or mark in them means anything."""
    shown = cut(visible(text), limit)
    fence = fence_of(shown)
    return f"{fence}text\n{shown}\n{fence}" if shown else ""
