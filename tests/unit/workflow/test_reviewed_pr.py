"""`reviewed_pr`: no pull request without the approval of a reviewer, given as data."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orch.model.effect import AddWorktree, Commit, CreatePR, RunAgent
from orch.model.errors import NoChange, ReviewRejected, StepError
from orch.model.step import Outcome
from orch.workflow.driver import Request
from orch.workflow.program import Program
from orch.workflow.sources import Modules, builtin_source, collect
from tests.records import a_ticket
from tests.unit.workflow.book import Book, arrive, standing
from tests.unit.workflow.stage import Stage, gives
from tests.unit.workflow.test_templates import BASE, tree, world

ISSUE = a_ticket(title="Add a --json flag", body="It should print JSON.")
TREE = tree()


class Play:
    """One run of the template. `verdicts` are the reviewer's answers, (approved, comments...);
    `tips` what `Commit` gives, one after another, the last one for ever."""

    def __init__(
        self, *verdicts: tuple[Any, ...], tips: tuple[str, ...] = ("c" * 40,), **arguments: Any
    ) -> None:
        self.verdicts, self.tips = list(verdicts), list(tips)
        self.arguments = {"issue": ISSUE, **arguments}
        self.stage: Stage | None = None
        entry = builtin_source("reviewed_pr")
        self.module: Any = Modules(collect(entry, None)).load(entry.module)

    def program(self) -> Program[Any]:
        made: Program[Any] = self.module.reviewed_pr(**self.arguments)
        return made

    def run(self) -> Any:
        self.stage = Stage(self.program())
        return self.stage.run(self.answer)

    def of(self, kind: type) -> list[Any]:
        """What the template asked for of that kind, not what carries out its composites."""
        assert self.stage is not None
        requests = self.stage.requests.values()
        inside = ("/create_worktree/", "/create_pr/")
        return [
            r.effect
            for r in requests
            if isinstance(r.effect, kind) and not any(word in r.path for word in inside)
        ]

    def answer(self, request: Request) -> Outcome:
        effect = request.effect
        if isinstance(effect, Commit):
            return gives(self.tips.pop(0) if len(self.tips) > 1 else self.tips[0])
        if isinstance(effect, RunAgent) and effect.schema is not None:
            approved, *comments = self.verdicts.pop(0)
            return gives({"approved": approved, "comments": comments})
        return world(request)


def test_an_approved_change_becomes_a_pull_request_that_says_so() -> None:
    play = Play((True, "a nit"), impl_agent="one", review_agent="two")
    assert play.run().title == ISSUE.title
    (pull,) = play.of(CreatePR)
    assert "Approved" in pull.body
    assert "- a nit" in pull.body
    work, review = play.of(RunAgent)
    assert (work.agent, work.schema, review.agent) == ("one", None, "two")
    assert review.schema.shape is play.module.Verdict


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
    work, review = play.of(RunAgent)
    assert work.env == TREE
    assert review.env != TREE
    assert f"git diff {BASE.commit} {'c' * 40}" in review.prompt
    assert ISSUE.body in review.prompt


def test_comments_go_back_to_the_first_agent() -> None:
    play = Play((False, "flow.py:3 leaks", "no test"), (True,), tips=("c" * 40, "d" * 40))
    play.run()
    first, _, mend, _ = play.of(RunAgent)
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
    assert len([a for a in play.of(RunAgent) if a.schema]) == rounds
    assert len(play.of(RunAgent)) == rounds * 2
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
    assert len(play.of(RunAgent)) == 1


def test_an_impossible_bound_is_refused_before_anything_is_asked_for() -> None:
    play = Play(max_reviews=0)
    with pytest.raises(StepError, match="max_reviews is 0"):
        play.run()
    assert play.stage is not None
    assert play.stage.asked == []


ENDINGS: list[list[tuple[Any, ...]]] = [
    [(True,)],
    [(False, "no"), (True, "better")],
    [(False, "no"), (False, "still no")],
]


@pytest.mark.parametrize("verdicts", ENDINGS)
def test_h101_a_crash_after_any_move_replays_to_the_same_place(
    verdicts: list[tuple[Any, ...]],
) -> None:
    play = Play(*verdicts)
    book = Book(play.program())
    while not book.stage.finished:
        path = next(iter(book.stage.open))
        book.move([(path, play.answer(book.stage.open[path]))])
    for page in book.pages:
        driver, arrived = arrive(page, play.program())
        ended = arrived.progress.finished
        assert page.stand == standing(arrived.requests, driver.waiting, arrived.interrupted, ended)
        assert (ended, arrived.progress.value, arrived.progress.failure) == page.end
        driver.close()
    assert len(book.pages) > 8
