"""`reviewed_pr`: no pull request without the approval of a reviewer, given as data.

The generator is played by hand, composites and all; its agents are records of what was asked.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orch.model.effect import AddWorktree, Commit, CreatePR, CreateWorktree
from orch.model.errors import NoChange, ReviewRejected
from orch.model.worktree import Worktree
from orch.workflow.program import Program
from orch.workflow.sources import Modules, builtin_source, collect
from tests.records import a_pull, a_ticket, a_worktree

ISSUE = a_ticket(title="Add a --json flag", body="It should print JSON.")
TREE = a_worktree("work", base_commit="b" * 40)


class Asked(msgspec.Struct, frozen=True):
    """What an agent is asked for, with any `output_format`."""

    env: Worktree
    prompt: str
    agent: str | None = None
    name: str | None = None
    output_format: Any = None


class Play:
    """One run of the template. `verdicts` are the reviewer's answers, (approved, comments...);
    `tips` what `Commit` gives, one after another, the last one for ever."""

    def __init__(
        self, *verdicts: tuple[Any, ...], tips: tuple[str, ...] = ("c" * 40,), **arguments: Any
    ) -> None:
        entry = builtin_source("reviewed_pr")
        self.module: Any = Modules(collect(entry, None)).load(entry.module)
        self.module.RunAgent = Asked
        self.verdicts, self.tips = list(verdicts), list(tips)
        self.asked: list[Any] = []
        self.arguments = {"issue": ISSUE, **arguments}

    def run(self) -> Any:
        return self._drive(self.module.reviewed_pr(**self.arguments))

    def of(self, kind: type) -> list[Any]:
        return [item for item in self.asked if isinstance(item, kind)]

    def _drive(self, program: Program[Any]) -> Any:
        routine = program.function(*program.args, **program.kwargs)
        try:
            item = next(routine)
            while True:
                try:
                    answer = self._answer(item)
                except (NoChange, ReviewRejected) as error:
                    item = routine.throw(error)
                else:
                    item = routine.send(answer)
        except StopIteration as stop:
            return stop.value

    def _answer(self, item: Any) -> Any:
        if isinstance(item, Program):
            return self._drive(item)
        self.asked.append(item)
        match item:
            case CreateWorktree():
                return TREE
            case AddWorktree():
                return a_worktree(item.suffix or "", base_commit=item.base_commit)
            case Commit():
                return self.tips.pop(0) if len(self.tips) > 1 else self.tips[0]
            case Asked(output_format=None):
                return "did it"
            case Asked():
                approved, *comments = self.verdicts.pop(0)
                return item.output_format(approved=approved, comments=comments)
            case CreatePR():
                return a_pull(title=item.title, body=item.body)
        raise AssertionError(item)


def test_an_approved_change_becomes_a_pull_request_that_says_so() -> None:
    play = Play((True, "a nit"), impl_agent="one", review_agent="two")
    pull = play.run()
    assert pull.title == ISSUE.title
    assert "Approved" in pull.body
    assert "- a nit" in pull.body
    work, review = play.of(Asked)
    assert (work.agent, review.agent, review.output_format) == ("one", "two", play.module.Verdict)


def test_the_verdict_is_data_with_a_schema() -> None:
    verdict = Play().module.Verdict
    assert msgspec.convert({"approved": False, "comments": ["no"]}, verdict).comments == ["no"]
    for wrong in ({}, {"approved": "yes"}, {"approved": True, "comments": "fine"}, "LGTM"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, verdict)


def test_the_reviewer_sees_the_very_commit_in_a_worktree_of_its_own() -> None:
    play = Play((True,))
    play.run()
    (seen,) = play.of(AddWorktree)
    assert (seen.base_branch, seen.base_commit) == (TREE.branch, "c" * 40)
    work, review = play.of(Asked)
    assert work.env == TREE
    assert review.env != TREE
    assert f"git diff {'b' * 40} {'c' * 40}" in review.prompt
    assert ISSUE.body in review.prompt


def test_comments_go_back_to_the_first_agent() -> None:
    play = Play((False, "flow.py:3 leaks", "no test"), (True,), tips=("c" * 40, "d" * 40))
    play.run()
    first, _, mend, _ = play.of(Asked)
    assert (mend.name, mend.env) == ("impl-2", first.env)
    assert "- flow.py:3 leaks\n- no test" in mend.prompt
    assert ISSUE.body in mend.prompt
    assert [tree.base_commit for tree in play.of(AddWorktree)] == ["c" * 40, "d" * 40]


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_no_approval_within_the_bound_is_no_pull_request(rounds: int) -> None:
    play = Play(*[(False, f"round {n}") for n in range(9)], max_reviews=rounds)
    with pytest.raises(ReviewRejected) as caught:
        play.run()
    assert (caught.value.code, caught.value.data["comments"]) == (
        "not_approved", [f"round {rounds - 1}"],
    )  # fmt: skip
    assert len([a for a in play.of(Asked) if a.output_format]) == rounds
    assert len(play.of(Asked)) == rounds * 2
    assert play.of(CreatePR) == []


def test_a_refusal_without_a_reason_is_told_as_one() -> None:
    play = Play((False,), (False,))
    with pytest.raises(ReviewRejected, match="gave no reason"):
        play.run()


def test_what_is_written_after_the_review_was_not_approved() -> None:
    play = Play((True,), tips=("c" * 40, "d" * 40))
    with pytest.raises(ReviewRejected) as caught:
        play.run()
    assert caught.value.code == "changed_after_review"
    assert play.of(CreatePR) == []


def test_h75_no_change_is_not_shown_to_a_reviewer() -> None:
    play = Play((True,), tips=(TREE.base_commit,))
    with pytest.raises(NoChange):
        play.run()
    assert len(play.of(Asked)) == 1


def test_an_impossible_bound_is_refused_before_anything_is_asked_for() -> None:
    play = Play(max_reviews=0)
    with pytest.raises(ValueError, match="max_reviews is 0"):
        play.run()
    assert play.asked == []
