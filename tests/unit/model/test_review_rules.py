"""What reviewers say, as news of a pull request that somebody waits for."""

from __future__ import annotations

from typing import Any

import pytest

from orch.model import review_rules
from orch.model.effect import encode_effect
from orch.model.pull import Check, Verdict
from orch.model.pull_effects import ReviewPolicy, WaitForPR
from orch.model.pull_rules import asks_people, news_of, reason_of
from tests.records import a_pull

SEEN = a_pull(head_sha="a" * 40)
RED, PENDING, GREEN = (Check(name=word, state=word) for word in ("failure", "pending", "success"))  # type: ignore[arg-type]


def said(state: Any, number: str = "1", *, by: str = "ada", **more: Any) -> Verdict:
    words = {"trusted": True, "commit": SEEN.head_sha, **more}
    return Verdict(id=number, reviewer=by, state=state, **words)


CHANGES, YES = said("changes"), said("approved", "2", by="bob")
OLD_YES = said("approved", "2", by="bob", commit="b" * 40)
OLD_NO = said("changes", commit="b" * 40)
SHOUT = said("changes", "3", by="eve", trusted=False)
CHEER = said("approved", "4", by="eve", trusted=False)


@pytest.mark.parametrize(
    ("asked", "verdicts", "checks", "news"),
    [
        # a wish for changes is news once, whatever is waited for and whichever head it was made of
        ({"until": "merge", "reviews": True}, [CHANGES], [], "changes"),
        ({"until": "merge", "reviews": True}, [OLD_NO], [], "changes"),
        ({"until": "merge", "reviews": True, "answered": ["1"]}, [CHANGES], [], None),
        ({"until": "merge", "reviews": True, "answered": ["0"]}, [CHANGES], [], "changes"),
        ({"until": "merge", "reviews": True}, [SHOUT, YES], [], None),
        ({"until": "green", "reviews": True}, [CHANGES], [RED], "changes"),
        ({"until": "green", "reviews": True, "answered": ["1"]}, [CHANGES], [GREEN], "green"),
        ({"until": "review", "reviews": True}, [CHANGES, YES], [], "changes"),
        # who does not ask hears nothing: so do runs that began before
        ({"until": "merge"}, [CHANGES], [RED], None),
        ({"until": "green"}, [CHANGES], [], "green"),
        ({"until": "person"}, [CHANGES], [], None),
        ({"until": "person"}, [YES], [], None),
        # until reviewers let it be merged
        ({"until": "review", "answered": ["1"]}, [CHANGES], [], None),
        ({"until": "review", "answered": ["1"]}, [CHANGES, YES], [], None),
        ({"until": "review"}, [], [], "approved"),
        ({"until": "review"}, [SHOUT], [], "approved"),
        ({"until": "review", "approval": True}, [], [], None),
        ({"until": "review", "approval": True}, [CHEER], [], None),
        ({"until": "review", "approval": True}, [OLD_YES], [], None),
        ({"until": "review", "approval": True}, [YES], [], "approved"),
        ({"until": "review", "approval": True}, [SHOUT, YES], [], "approved"),
        # a person who is waited for may say it there
        ({"until": "person", "reviews": True}, [YES], [], "approved"),
        ({"until": "person", "reviews": True}, [YES, CHANGES], [], None),
        ({"until": "person", "reviews": True}, [], [], None),
        # checks of others
        ({"until": "merge", "failing": True}, [], [RED, PENDING], "failing"),
        ({"until": "merge", "failing": True}, [], [PENDING], None),
        ({"until": "review", "failing": True, "approval": True}, [], [RED], "failing"),
        ({"until": "green", "begin": 30}, [], [], None),
        ({"until": "green", "begin": 10}, [], [], "green"),
        ({"until": "green", "begin": 30}, [], [RED], "failing"),
    ],
)
def test_the_table_of_what_people_say(
    asked: dict[str, Any], verdicts: list[Verdict], checks: list[Check], news: str | None
) -> None:
    """H80, H84."""
    wait = WaitForPR(SEEN, timeout=60, **asked)
    found = news_of(wait, SEEN, checks, since=50, now=60, asked=False, verdicts=verdicts)
    assert found == news


@pytest.mark.parametrize("asked", [{"reviews": True}, {"until": "review"}])
def test_a_pull_request_that_ended_or_moved_has_no_other_news(asked: dict[str, Any]) -> None:
    wait = WaitForPR(SEEN, **asked)
    for changed, news in (
        ({"state": "merged"}, "merged"), ({"state": "closed"}, "closed"),
        ({"head_sha": "c" * 40}, "moved"),
    ):  # fmt: skip
        pull = a_pull(**{"head_sha": SEEN.head_sha, **changed})
        assert asks_people(wait)
        found = news_of(wait, pull, [RED], since=0, now=0, asked=False, verdicts=[CHANGES])
        assert found == news


def test_what_was_asked_for_before_there_were_reviews_is_written_as_it_was() -> None:
    """A journal holds it to the byte."""
    text = encode_effect(WaitForPR(SEEN, until="green", timeout=60)).decode()
    assert text.endswith('"until":"green","timeout":60.0}')
    assert not asks_people(WaitForPR(SEEN, until="green"))


def test_who_is_waited_for_is_told() -> None:
    waits = WaitForPR(SEEN, until="review", why="ada asked for changes and may look again")
    assert reason_of(waits, 1).message.endswith("is open; ada asked for changes and may look again")


def test_the_newest_approval_of_the_head_is_the_one() -> None:
    later = said("approved", "5", by="cy")
    assert review_rules.approval([YES, later, CHEER], SEEN.head_sha) is later
    assert review_rules.approval([said("approved", commit="")], "") is None


def test_where_people_review_there_is_something_to_do() -> None:
    assert not ReviewPolicy(repo="thing").cares
    assert ReviewPolicy(repo="thing", people=True).cares
