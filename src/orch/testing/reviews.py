"""The contract of `orch.ports.reviews.Reviewed`, for ours and for anybody's.

A third party proves an adapter with:

    class TestMine(ReviewedContract):
        @pytest.fixture
        def forge(self, service): return MyForge(...)

        def person_reviews(self, forge, number, state, **said): service.review(number, state, **said)

Reviewers are `WRITER`, who may write to the repository, and `STRANGER`, who may not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest

from orch.model.errors import NotFound
from orch.model.pull import LineRemark, PullRequest
from orch.ports.reviews import Reviewed
from orch.testing.forges import a_repo, opened

WRITER, STRANGER = "writer", "stranger"
KEY = "run/5.0123456789abcdef0123"
HEAD = "a" * 40


class ReviewedContract:
    """Subclass as `TestX` and give a `forge` fixture: an empty one, new for each test."""

    @pytest.fixture
    def forge(self) -> Any:
        raise NotImplementedError("give a fixture `forge` with an empty forge")

    # --- what the adapter's test fills in -----------------------------------------------------

    def pull(self, forge: Any) -> PullRequest:
        """An open PR of ours."""
        return opened(forge, "feat")

    def person_reviews(
        self, forge: Any, number: int, state: Literal["approved", "changes"], *, by: str = WRITER,
        body: str = "Because.", remarks: Sequence[LineRemark] = (),
    ) -> None:  # fmt: skip
        raise NotImplementedError("let a person review")

    def person_dismisses(self, forge: Any, number: int, by: str) -> None:
        """What `by` said is taken away."""
        pytest.skip("reviews cannot be dismissed here")

    def comments_there(self, forge: Any, number: int) -> list[str]:
        """The bodies below a PR as the service has them, oldest first."""
        pytest.skip("nobody can look at the service")

    def judged_there(self, forge: Any, number: int) -> int:
        """How many verdicts of ours the service has, whatever they became (H82)."""
        pytest.skip("nobody can look at the service")

    def asked_there(self, forge: Any, number: int) -> list[str]:
        """Who is asked for a review."""
        pytest.skip("nobody can look at the service")

    # --- the contract -------------------------------------------------------------------------

    def test_it_is_a_forge_with_reviews(self, forge: Any) -> None:
        assert isinstance(forge, Reviewed)
        number = self.pull(forge).number
        assert list(forge.verdicts(a_repo(), number)) == []

    def test_the_newest_verdict_of_each_reviewer_counts(self, forge: Any) -> None:
        pull = self.pull(forge)
        line = LineRemark("a.txt", 1, "Here.")
        self.person_reviews(forge, pull.number, "approved", by=WRITER)
        self.person_reviews(forge, pull.number, "approved", by=STRANGER, body="Nice.")
        self.person_reviews(forge, pull.number, "changes", by=WRITER, body="No.", remarks=[line])
        first, second = forge.verdicts(a_repo(), pull.number)
        assert (first.reviewer, first.state, first.body) == (STRANGER, "approved", "Nice.")
        assert (second.reviewer, second.state, second.body) == (WRITER, "changes", "No.")
        assert (first.trusted, second.trusted) == (False, True)
        assert second.remarks == (line,)
        assert second.commit == pull.head_sha
        assert second.at
        assert second.id != first.id
        assert forge.get_pr(a_repo(), pull.number).state == "open"  # H83

    def test_what_was_dismissed_is_none(self, forge: Any) -> None:
        number = self.pull(forge).number
        self.person_reviews(forge, number, "changes")
        self.person_dismisses(forge, number, WRITER)
        assert list(forge.verdicts(a_repo(), number)) == []

    def test_what_we_say_is_one_comment(self, forge: Any) -> None:
        number = self.pull(forge).number
        made = forge.say(a_repo(), number, "One", key=KEY)
        assert forge.say(a_repo(), number, "Two", key=KEY, known=made) == made
        assert forge.say(a_repo(), number, "Three", key=KEY) == made
        (body,) = self.comments_there(forge, number)
        assert body.startswith("Three")
        assert forge.say(a_repo(), number, "Other", key=f"{KEY}1") != made

    @pytest.mark.parametrize("approve", [True, False])
    def test_our_verdict_is_given_once_for_its_key(self, forge: Any, approve: bool) -> None:
        pull = self.pull(forge)
        for key in (KEY, KEY, f"{KEY}1"):
            forge.judge(
                a_repo(), pull.number, approve=approve, body="Why.", head_sha=pull.head_sha, key=key
            )
        assert self.judged_there(forge, pull.number) == 2
        assert list(forge.verdicts(a_repo(), pull.number)) == []  # ours is none
        assert forge.get_pr(a_repo(), pull.number).state == "open"

    def test_nobody_is_asked_twice(self, forge: Any) -> None:
        number = self.pull(forge).number
        for names in ([WRITER], [WRITER], []):
            forge.ask_reviewers(a_repo(), number, names)
        assert self.asked_there(forge, number) == [WRITER]

    @pytest.mark.parametrize("number", [0, 7, -1])
    def test_an_unknown_pr_is_refused(self, forge: Any, number: int) -> None:
        acts: list[Callable[[], object]] = [
            lambda: forge.verdicts(a_repo(), number),
            lambda: forge.say(a_repo(), number, "x", key=KEY),
            lambda: forge.ask_reviewers(a_repo(), number, [WRITER]),
            lambda: forge.judge(a_repo(), number, approve=True, body="x", head_sha=HEAD, key=KEY),
        ]
        for act in acts:
            with pytest.raises(NotFound) as missing:
                act()
            assert missing.value.code == "unknown_pr"
