"""Pull requests of Gitea and Forgejo, over HTTP to the stand-in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from orch.forges.gitea import GiteaForge
from orch.hosts.gitea.client import GITEA
from orch.model import marks
from orch.model.errors import Conflict, MergeConflict, NotFound, ToolFailed
from orch.model.pull import LineRemark, PullRequest
from orch.model.repo import Repo as OurRepo
from orch.ports import Forge
from orch.testing.forges import ForgeContract, SteppingClock, a_repo, opened
from orch.testing.repositories import MemoryRepositories, refused
from orch.testing.reviews import WRITER, ReviewedContract
from tests.integration.hosted import caller, clock as clock
from tests.integration.hosted_forges import (
    KEY,
    SLUGS,
    deleted_as_merged,
    hands as hands,
    merged,
    merged_once,
    plugged,
)
from tests.standins.gitea.server import GiteaStandIn
from tests.standins.gitea.world import Item, Repo

TITLES = {
    "": "h",
    "\x1b[31m\x00": "[31m",
    "a\nb\r\n": "a b",
    "$(touch x) --flag {0}": "$(touch x) --flag {0}",
    "WIP: x": "x",
    "x" * 60_000: "x" * 254 + "…",
}


@pytest.fixture
def gitea(clock: SteppingClock) -> Iterator[GiteaStandIn]:
    with GiteaStandIn(clock.now) as made:
        for slug in SLUGS:
            made.world.add_repo(f"octo/{slug}", octo="admin", cat="write")
        made.world.add_user("eve")
        made.world.grows = "a" * 40
        yield made


@pytest.fixture
def forge(
    gitea: GiteaStandIn, clock: SteppingClock, hands: MemoryRepositories
) -> Iterator[GiteaForge]:
    service = caller(GITEA, gitea, clock)
    yield GiteaForge("gitea", service, hands.git, {slug: f"octo/{slug}" for slug in SLUGS})
    service.close()


@pytest.fixture
def project(gitea: GiteaStandIn) -> Repo:
    return gitea.world.repos["octo/thing"]


class TestGiteaForge(ForgeContract):
    @pytest.fixture
    def forge(self, forge: GiteaForge, gitea: GiteaStandIn, project: Repo) -> GiteaForge:
        self.gitea = gitea
        project.branches["orch/x-1"] = "b" * 40
        return forge

    def settle(self, forge: Any, repo: OurRepo, number: int, state: str) -> None:
        place = self.gitea.world.repos[f"octo/{repo.slug}"]
        self.gitea.world.settle(place, place.items[number], state)

    @pytest.mark.parametrize("text", TITLES)
    def test_titles_and_bodies_are_data(self, forge: Forge, text: str) -> None:
        """Titles have 1 to 255 characters on a line, and one that begins with `WIP:` is a draft."""
        made = opened(forge, "h", title=text, body=text + ".")
        again = forge.get_pr(a_repo(), made.number)
        assert (again.title, again.draft) == (TITLES[text], False)
        assert again.body.startswith(text + ".")


class TestGiteaReviews(ReviewedContract):
    @pytest.fixture
    def forge(self, forge: GiteaForge, gitea: GiteaStandIn, project: Repo) -> GiteaForge:
        self.gitea, self.project = gitea, project
        project.rights[gitea.world.add_user(WRITER).id] = "write"
        return forge

    def person_reviews(
        self, forge: Any, number: int, state: str, *, by: str = WRITER, body: str = "Because.",
        remarks: Sequence[LineRemark] = (),
    ) -> None:  # fmt: skip
        lines = tuple(
            {"id": n, "path": one.path, "position": one.line, "body": one.body}
            for n, one in enumerate(remarks)
        )
        said = "REQUEST_CHANGES" if state == "changes" else "APPROVED"
        self.gitea.judge(self.project, self.project.items[number], by, said, body, lines)

    def person_dismisses(self, forge: Any, number: int, by: str) -> None:
        for one in self.project.items[number].pull["reviews"]:
            one["dismissed"] = True

    def comments_there(self, forge: Any, number: int) -> list[str]:
        lines = self.project.items[number].lines
        return [line.body for line in lines if line.type == "comment"]

    def judged_there(self, forge: Any, number: int) -> int:
        """Those on our own pull request are comments."""
        return len(self.comments_there(forge, number))

    def asked_there(self, forge: Any, number: int) -> list[str]:
        return [one.login for one in self.project.items[number].pull["asked"]]


def a_pull(forge: GiteaForge, project: Repo, **words: Any) -> tuple[PullRequest, Item]:
    pull = opened(forge, "orch/a", **words)
    return pull, project.items[pull.number]


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_a_merge_names_the_head_and_says_which_commit_did_it(
    forge: GiteaForge, project: Repo, strategy: str
) -> None:
    message = merged_once(forge, project, strategy)
    sent = project.items[1].pull
    assert (sent["style"], sent["message"]) == (strategy, message)


def test_h80_a_head_that_moves_while_we_look_is_not_merged(
    forge: GiteaForge, gitea: GiteaStandIn, project: Repo
) -> None:
    a_pull(forge, project)
    gitea.faults.add(
        "GET .*/statuses", "then", then=lambda: project.branches.update({"orch/a": "c" * 40})
    )
    with refused(Conflict, "head_moved"):
        merged(forge)
    assert forge.get_pr(a_repo(), 1).state == "open"
    assert merged(forge, expected_head="c" * 40).head_sha == "c" * 40


@pytest.mark.parametrize("fault", ["lost", "late"])
def test_a_merge_whose_answer_is_lost_is_found(
    forge: GiteaForge, gitea: GiteaStandIn, project: Repo, fault: Any
) -> None:
    a_pull(forge, project)
    gitea.faults.add("POST .*/merge$", fault)
    with refused(ToolFailed, "outcome_unknown"):
        merged(forge)
    assert merged(forge).state == "merged"
    assert len(gitea.requests("/merge")) == 1


@pytest.mark.parametrize("fault", ["lost", "late", "cut"])
def test_h85_a_pr_whose_answer_is_lost_is_found(
    forge: GiteaForge, gitea: GiteaStandIn, project: Repo, fault: Any
) -> None:
    gitea.faults.add("POST", fault)
    with refused(ToolFailed, "outcome_unknown"):
        opened(forge, "orch/a")
    assert opened(forge, "orch/a").number == 1
    assert len(project.items) == 1


def test_h60_a_branch_is_found_on_the_last_page_and_when_it_is_gone(
    forge: GiteaForge, gitea: GiteaStandIn, project: Repo
) -> None:
    first, item = a_pull(forge, project)
    gitea.world.settle(project, item, "merged")
    del project.branches["orch/a"]
    for number in range(120):
        opened(forge, f"h{number}")
    found = forge.find_pr(a_repo(), "orch/a")
    assert found is not None
    assert (found.number, found.head, found.state) == (first.number, "orch/a", "merged")
    assert len(forge.list_prs(a_repo())) == 121


def test_what_stands_in_the_way_of_a_merge(
    forge: GiteaForge, gitea: GiteaStandIn, project: Repo
) -> None:
    a_pull(forge, project, draft=True)
    with refused(Conflict, "pr_draft"):
        merged(forge)
    project.items[1].title = "Title"
    forge.set_check(a_repo(), "a" * 40, "unit", "failure")
    with refused(Conflict, "checks_failed"):
        merged(forge)
    project.conflicts.add(1)
    with refused(MergeConflict, "merge_conflict"):
        merged(forge, ignore_checks=True)
    project.conflicts.clear()
    tip = project.branches.pop("orch/a")
    with refused(Conflict, "head_gone"):
        merged(forge, ignore_checks=True)
    forge.close_pr(a_repo(), 1)
    with refused(Conflict, "head_gone"):
        forge.reopen_pr(a_repo(), 1)
    project.branches["orch/a"] = tip
    with refused(Conflict, "pr_closed"):
        merged(forge, ignore_checks=True)
    assert forge.reopen_pr(a_repo(), 1).state == "open"
    project.rights[gitea.world.add_user("octo").id] = "read"
    with refused(Conflict, "merge_refused"):
        merged(forge, ignore_checks=True)
    project.rights[gitea.world.add_user("octo").id] = "write"
    project.items[1].title = "WIP: Title"
    assert merged(forge, ignore_checks=True).state == "merged"


def test_verdicts_are_the_newest_of_each_and_of_a_commit(
    forge: GiteaForge, gitea: GiteaStandIn, project: Repo
) -> None:
    _, item = a_pull(forge, project)
    gitea.judge(project, item, "cat", "APPROVED")
    gitea.judge(project, item, "eve", "APPROVED")
    gitea.judge(project, item, "dog", "REQUEST_CHANGES", dismissed=True)
    gitea.judge(project, item, "octo", "COMMENT", "ours")
    project.branches["orch/a"] = "c" * 40
    lines = (
        {"id": 1, "path": "a.py", "position": 3, "original_position": 0, "body": "wrong"},
        {"id": 2, "path": "a.py", "position": 0, "original_position": 9, "body": "why gone?"},
        {"id": 3, "path": "a.py", "position": 5, "original_position": 0, "body": "settled",
         "resolver": {"id": 1, "login": "cat"}},
    )  # fmt: skip
    gitea.judge(project, item, "cat", "REQUEST_CHANGES", "Not yet.", lines)
    gitea.judge(project, item, "cat", "COMMENT", "by the way")
    eve, cat = forge.verdicts(a_repo(), 1)
    assert (eve.reviewer, eve.state, eve.trusted, eve.commit) == (
        "eve",
        "approved",
        False,
        "a" * 40,
    )
    assert (cat.reviewer, cat.state, cat.trusted, cat.commit) == ("cat", "changes", True, "c" * 40)
    assert cat.body == "Not yet."
    assert cat.remarks == (LineRemark("a.py", 3, "wrong"), LineRemark("a.py", 9, "why gone?"))


def test_our_verdict_is_one_review(forge: GiteaForge, gitea: GiteaStandIn, project: Repo) -> None:
    _, item = a_pull(forge, project)
    item.user = gitea.world.add_user("cat")
    gitea.faults.add("POST .*/reviews", "lost")
    with refused(ToolFailed, "outcome_unknown"):
        forge.judge(a_repo(), 1, approve=False, body="No.", head_sha="a" * 40, key=KEY)
    forge.judge(a_repo(), 1, approve=False, body="No.", head_sha="a" * 40, key=KEY)
    (review,) = item.pull["reviews"]
    assert (review["state"], review["body"]) == ("REQUEST_CHANGES", marks.marked("No.", KEY))
    with refused(Conflict, "head_moved"):
        forge.judge(a_repo(), 1, approve=True, body="Yes.", head_sha="c" * 40, key=KEY)


def test_h82_our_verdict_on_our_own_is_a_comment(forge: GiteaForge, project: Repo) -> None:
    _, item = a_pull(forge, project)
    for _ in range(2):
        forge.judge(a_repo(), 1, approve=True, body="Good.", head_sha="a" * 40, key=KEY)
    assert item.pull["reviews"] == []
    said = [line.body for line in item.lines if line.type == "comment"]
    assert said == [marks.marked("Good.", KEY)]


def test_people_are_asked_once_and_words_are_one_comment(
    forge: GiteaForge, gitea: GiteaStandIn, project: Repo
) -> None:
    _, item = a_pull(forge, project)
    forge.ask_reviewers(a_repo(), 1, ["cat", "@eve"])
    forge.ask_reviewers(a_repo(), 1, ["Cat"])
    assert [user.login for user in item.pull["asked"]] == ["cat", "eve"]
    with refused(NotFound, "unknown_reviewer"):
        forge.ask_reviewers(a_repo(), 1, ["nobody"])
    made = forge.say(a_repo(), 1, "One", key=KEY)
    assert forge.say(a_repo(), 1, "Two", key=KEY, known=made) == made
    assert [line.body for line in item.lines] == [marks.marked("Two", KEY)]


def test_the_branch_of_a_merged_pr_is_deleted_if_it_is_ours_and_as_merged(
    gitea: GiteaStandIn, project: Repo, forge: GiteaForge, hands: MemoryRepositories
) -> None:
    deleted_as_merged(
        forge, hands, gitea.world, lambda: gitea.world.settle(project, project.items[1], "merged")
    )
    project.items[1].pull["fork"] = 77
    assert forge.find_pr(a_repo(), "orch/a") is None
    with refused(Conflict, "branch_foreign"):
        forge.delete_head(a_repo(), 1)


def test_it_is_a_plugin_for_repositories_of_its_server(
    gitea: GiteaStandIn, clock: SteppingClock, tmp_path: Path
) -> None:
    plugged("forgejo", gitea, "t-octo", "octo", clock, tmp_path)
