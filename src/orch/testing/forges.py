"""The contract of `orch.ports.Forge`, for ours and for anybody's.

A third party proves an adapter with:

    class TestMine(ForgeContract):
        @pytest.fixture
        def forge(self, clock): return MyForge(..., clock)

What a backend cannot be made to do from a test (a person who merges, a record that is damaged) is a
method here that skips until the adapter's test fills it in.
"""

from __future__ import annotations

from typing import Any

import pytest

from orch.model.errors import NotFound, UsageError
from orch.model.pull import Check, PullRequest
from orch.model.repo import Repo
from orch.ports import Forge


class SteppingClock:
    """A wall clock that a test moves: `at` seconds since the epoch."""

    def __init__(self) -> None:
        self.at = 1_763_697_600.0  # 2025-11-21T04:00:00Z

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


def a_repo(slug: str = "thing") -> Repo:
    return Repo(
        slug=slug,
        local_path=f"/src/{slug}",
        common_dir=f"/src/{slug}/.git",
        pinned_dir=f"/pins/{slug}",
        workspace_dir=f"/work-trees/{slug}",
        default_branch="main",
    )


def opened(forge: Forge, head: str, repo: Repo | None = None, **changed: Any) -> PullRequest:
    """A PR for `head` with everything else plausible."""
    words: dict[str, Any] = {
        "base": "main", "head_sha": "a" * 40, "title": "Title", "body": "Body", "draft": False,
        "labels": (), "key": "abc234",
    }  # fmt: skip
    return forge.open_pr(repo or a_repo(), head=head, **(words | changed))


class ForgeContract:
    """Subclass as `TestX` and give a `forge` fixture: an empty one, new for each test."""

    @pytest.fixture
    def clock(self) -> SteppingClock:
        return SteppingClock()

    @pytest.fixture
    def forge(self, clock: Any) -> Any:
        raise NotImplementedError("give a fixture `forge` with an empty forge")

    def reopened(self, forge: Any) -> Any:
        """The same PRs, as another process would find them."""
        return forge

    def settle(self, forge: Any, repo: Repo, number: int, state: str) -> None:
        """What a person does who merges (`merged`) or closes (`closed`) a PR."""
        pytest.skip("this forge's PRs cannot be settled by the test")

    def test_a_new_pr_is_open_and_has_what_was_given(self, forge: Forge) -> None:
        made = opened(
            forge, "orch/x-1", base="trunk", head_sha="b" * 40, title="T: “é”", body="B\r\n\n",
            draft=True, labels=("bug", "a b"), key="k234",
        )  # fmt: skip
        assert (made.repo, made.number, made.state) == ("thing", 1, "open")
        assert (made.head, made.base, made.head_sha) == ("orch/x-1", "trunk", "b" * 40)
        assert (made.title, made.draft, made.labels) == ("T: “é”", True, ("bug", "a b"))
        assert made.body.startswith("B")
        assert made.forge == forge.name
        assert made.created == "2025-11-21T04:00:00Z"
        assert made.url
        assert self.reopened(forge).get_pr(a_repo(), 1) == made

    def test_the_body_carries_the_key_in_a_comment(self, forge: Forge) -> None:
        made = opened(forge, "h", body="Text <!-- orch:v1:forged -->", key="k234")
        assert made.body.startswith("Text <!-- orch:v1:forged -->")
        assert made.body.endswith("<!-- orch:v1:k234 -->")
        assert opened(forge, "h2", body="", key="k235").body == "<!-- orch:v1:k235 -->"

    @pytest.mark.parametrize("key", ["a b", "a-->", "a\nb", "a--b", "x" * 201, "é"])
    def test_a_key_that_could_end_the_comment_is_refused(self, forge: Forge, key: str) -> None:
        with pytest.raises(UsageError) as refused:
            opened(forge, "h", key=key)
        assert refused.value.code == "bad_key"
        assert forge.list_prs() == ()

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "\x1b[31m\x00",
            "a\nb\r\n",
            '"\\',
            "👩‍👩‍👧‍👦\u202e",
            "$(touch x) --flag {0}",
            "x" * 60_000,
        ],
    )
    def test_titles_and_bodies_are_data(self, forge: Forge, text: str) -> None:
        made = opened(forge, "h", title=text, body=text + ".")
        again = self.reopened(forge).get_pr(a_repo(), made.number)
        assert again.title == text
        assert again.body.startswith(text + ".")

    def test_text_that_is_no_unicode_is_refused_before_anything_changes(self, forge: Forge) -> None:
        for words in ({"title": "\udcff"}, {"body": "\udcff"}, {"labels": ("\udcff",)}):
            with pytest.raises(UsageError) as refused:
                opened(forge, "h", **words)
            assert refused.value.code == "not_utf8"
        assert forge.list_prs() == ()

    def test_h85_one_head_has_one_pr(self, forge: Forge) -> None:
        first = opened(forge, "h", key="k1")
        again = opened(self.reopened(forge), "h", key="k2", title="Other", base="elsewhere")
        assert again == first
        assert self.reopened(forge).list_prs() == (first,)

    @pytest.mark.parametrize("state", ["merged", "closed"])
    def test_a_pr_that_a_person_settled_is_an_answer(self, forge: Forge, state: str) -> None:
        first = opened(forge, "h")
        self.settle(forge, a_repo(), first.number, state)
        again = opened(self.reopened(forge), "h", key="k2")
        assert (again.number, again.state) == (first.number, state)
        found = self.reopened(forge).find_pr(a_repo(), "h")
        assert found is not None
        assert found.state == state
        assert len(forge.list_prs()) == 1

    def test_heads_are_compared_whole_and_to_the_letter(self, forge: Forge) -> None:
        heads = ["orch/a", "orch/a-1", "orch/A", "a", "orch/a/b", "orch/a "]
        assert [opened(forge, head).number for head in heads] == [1, 2, 3, 4, 5, 6]
        for number, head in enumerate(heads, 1):
            found = forge.find_pr(a_repo(), head)
            assert found is not None
            assert found.number == number
        assert forge.find_pr(a_repo(), "orch/") is None
        assert forge.find_pr(a_repo(), "") is None

    def test_h94_repositories_do_not_see_one_another(self, forge: Forge) -> None:
        one, two = a_repo("one"), a_repo("two")
        first = opened(forge, "h", one, title="in one")
        assert forge.find_pr(two, "h") is None
        second = opened(forge, "h", two, title="in two")
        assert (first.number, second.number) == (1, 1)
        assert first.url != second.url
        assert forge.get_pr(one, 1).title == "in one"
        assert forge.get_pr(two, 1).title == "in two"
        assert forge.list_prs(one) == (first,)
        assert set(forge.list_prs()) == {first, second}

    def test_listings_are_newest_first(self, forge: Forge, clock: SteppingClock) -> None:
        made = []
        for number, slug in enumerate(["b", "a", "b", "c", "a"]):
            clock.at += 1
            made.append(opened(forge, f"h{number}", a_repo(slug)))
        listed = self.reopened(forge).list_prs()
        assert list(listed) == made[::-1]
        assert [pr.number for pr in forge.list_prs(a_repo("b"))] == [2, 1]
        clock.at -= 1000
        assert opened(forge, "late", a_repo("b")).number == 3
        assert [pr.number for pr in forge.list_prs(a_repo("b"))] == [3, 2, 1]

    def test_nothing_there_is_empty_and_not_found(self, forge: Forge) -> None:
        assert forge.list_prs() == ()
        assert forge.list_prs(a_repo()) == ()
        assert forge.find_pr(a_repo(), "h") is None
        for number in (0, 1, -1, 10**12):
            with pytest.raises(NotFound) as missing:
                forge.get_pr(a_repo(), number)
            assert missing.value.code == "unknown_pr"

    @pytest.mark.parametrize("slug", ["", ".", "..", "../x", "a/b", "/etc", "-x", "a\n", "a" * 300])
    def test_a_slug_cannot_lead_anywhere_else(self, forge: Forge, slug: str) -> None:
        with pytest.raises(UsageError) as refused:
            opened(forge, "h", a_repo(slug))
        assert refused.value.code == "bad_name"

    # --- checks

    def test_checks_hang_on_a_commit_and_are_listed_by_name(
        self, forge: Forge, clock: SteppingClock
    ) -> None:
        head, other = "a" * 40, "b" * 64
        assert forge.checks(a_repo(), head) == ()
        made = forge.set_check(
            a_repo(), head, "unit: “é” 3.11", "pending", url="https://x/1", summary="1\n\x1b[2J"
        )
        assert made == Check(
            name="unit: “é” 3.11", state="pending", url="https://x/1", summary="1\n\x1b[2J",
            at="2025-11-21T04:00:00Z",
        )  # fmt: skip
        lint = forge.set_check(a_repo(), head, "lint", "failure")
        assert self.reopened(forge).checks(a_repo(), head) == (lint, made)
        assert forge.checks(a_repo(), other) == forge.checks(a_repo("two"), head) == ()
        clock.at += 60
        again = forge.set_check(a_repo(), head, made.name, "success")
        assert (again.state, again.url, again.at) == ("success", "", "2025-11-21T04:01:00Z")
        assert self.reopened(forge).checks(a_repo(), head) == (lint, again)

    @pytest.mark.parametrize("name", ["", " a", "a\n", "a\x1b", "x" * 101])
    def test_a_check_needs_a_name_that_can_be_shown(self, forge: Forge, name: str) -> None:
        with pytest.raises(UsageError) as refused:
            forge.set_check(a_repo(), "a" * 40, name, "success")
        assert refused.value.code == "bad_check"
        assert forge.checks(a_repo(), "a" * 40) == ()

    @pytest.mark.parametrize("state", ["", "green", "Success"])
    def test_a_check_has_one_of_four_states(self, forge: Forge, state: Any) -> None:
        with pytest.raises(UsageError) as refused:
            forge.set_check(a_repo(), "a" * 40, "unit", state)
        assert refused.value.code == "bad_check"
        assert "pending, success, failure, neutral" in refused.value.message

    @pytest.mark.parametrize("commit", ["", "abc", "../x", "A" * 40, "a" * 41, "/etc", "HEAD"])
    def test_a_check_needs_a_full_commit_id(self, forge: Forge, commit: str) -> None:
        for act in (
            lambda: forge.checks(a_repo(), commit),
            lambda: forge.set_check(a_repo(), commit, "unit", "success"),
        ):
            with pytest.raises(UsageError) as refused:
                act()
            assert refused.value.code == "bad_name"
