"""GitLab's merge requests as pull requests, over HTTP to the stand-in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from orch.forges.gitlab import GitLabForge
from orch.hosts.failures import Forbidden
from orch.hosts.gitlab.client import GITLAB
from orch.model import marks
from orch.model.errors import Conflict, MergeConflict, NotFound, ToolFailed, UsageError
from orch.model.pull import LineRemark, PullRequest
from orch.model.repo import Repo
from orch.ports import Forge
from orch.testing.forges import ForgeContract, SteppingClock, a_repo, opened
from orch.testing.repositories import MemoryRepositories, refused
from orch.testing.reviews import STRANGER, WRITER, ReviewedContract
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
from tests.standins.gitlab.server import GitLabStandIn
from tests.standins.gitlab.world import Item, Project

TITLES = {
    "": "h",
    "\x1b[31m\x00": "[31m",
    "a\nb\r\n": "a b",
    '"\\': '"\\',
    "$(touch x) --flag {0}": "$(touch x) --flag {0}",
    "Draft: x": "x",
    "x" * 60_000: "x" * 254 + "…",
}


@pytest.fixture
def gitlab(clock: SteppingClock) -> Iterator[GitLabStandIn]:
    with GitLabStandIn(clock.now) as made:
        for slug in SLUGS:
            made.world.add_project(f"group/{slug}", octo=40, cat=30, eve=10)
        made.world.grows = "a" * 40
        yield made


@pytest.fixture
def forge(
    gitlab: GitLabStandIn, clock: SteppingClock, hands: MemoryRepositories
) -> Iterator[GitLabForge]:
    service = caller(GITLAB, gitlab, clock)
    yield GitLabForge("gitlab", service, hands.git, {slug: f"group/{slug}" for slug in SLUGS})
    service.close()


@pytest.fixture
def project(gitlab: GitLabStandIn) -> Project:
    return gitlab.world.at("group/thing")


class TestGitLabForge(ForgeContract):
    @pytest.fixture
    def forge(self, forge: GitLabForge, gitlab: GitLabStandIn, project: Project) -> GitLabForge:
        self.gitlab = gitlab
        project.branches["orch/x-1"] = "b" * 40
        return forge

    def settle(self, forge: Any, repo: Repo, number: int, state: str) -> None:
        project = self.gitlab.world.at(f"group/{repo.slug}")
        self.gitlab.world.settle(project, project.merges[number], state)

    def test_a_new_pr_is_open_and_has_what_was_given(self, forge: Forge) -> None:
        """As in the contract, but that GitLab sorts labels by their names."""
        made = opened(
            forge, "orch/x-1", base="trunk", head_sha="b" * 40, title="T: “é”", body="B\r\n\n",
            draft=True, labels=("bug", "a b"), key="k234",
        )  # fmt: skip
        assert (made.repo, made.number, made.state) == ("thing", 1, "open")
        assert (made.head, made.base, made.head_sha) == ("orch/x-1", "trunk", "b" * 40)
        assert (made.title, made.draft, made.labels) == ("T: “é”", True, ("a b", "bug"))
        assert made.body.startswith("B")
        assert made.forge == forge.name
        assert made.created == "2025-11-21T04:00:00Z"
        assert made.url
        assert forge.get_pr(a_repo(), 1) == made

    @pytest.mark.parametrize("text", TITLES)
    def test_titles_and_bodies_are_data(self, forge: Forge, text: str) -> None:
        """GitLab takes titles of 1 to 255 characters on a line, and one that begins with `Draft:`
        makes a draft."""
        made = opened(forge, "h", title=text, body=text + ".")
        again = forge.get_pr(a_repo(), made.number)
        assert (again.title, again.draft) == (TITLES[text], False)
        assert again.body.startswith(text + ".")


class TestGitLabReviews(ReviewedContract):
    @pytest.fixture
    def forge(
        self, forge: GitLabForge, gitlab: GitLabStandIn, project: Project, clock: SteppingClock
    ) -> GitLabForge:
        self.gitlab, self.project, self.clock = gitlab, project, clock
        for name, level in ((WRITER, 30), (STRANGER, 10)):
            project.members[gitlab.world.add_user(name).id] = level
        return forge

    def person_reviews(
        self, forge: Any, number: int, state: str, *, by: str = WRITER, body: str = "Because.",
        remarks: Sequence[LineRemark] = (),
    ) -> None:  # fmt: skip
        merge = self.project.merges[number]
        self.clock.at += 1  # verdicts are ordered by their times
        for one in remarks:
            at = {"new_path": one.path, "new_line": one.line}
            self.gitlab.world.say(merge, by, one.body, position=at, resolvable=True)
        self.gitlab.world.say(merge, by, body)
        said = "requested_changes" if state == "changes" else state
        self.gitlab.judge(merge, by, said)

    def person_dismisses(self, forge: Any, number: int, by: str) -> None:
        self.gitlab.judge(self.project.merges[number], by, "unreviewed")

    def comments_there(self, forge: Any, number: int) -> list[str]:
        return [note.body for note in self.project.merges[number].notes if not note.system]

    def judged_there(self, forge: Any, number: int) -> int:
        """GitLab has one approval of each person; what was said with each is a note."""
        return len(self.comments_there(forge, number))

    def asked_there(self, forge: Any, number: int) -> list[str]:
        users = self.gitlab.world.users
        return [users[one].username for one in self.project.merges[number].more["reviewers"]]


def a_pull(forge: GitLabForge, project: Project, **words: Any) -> tuple[PullRequest, Item]:
    pull = opened(forge, "orch/a", **words)
    return pull, project.merges[pull.number]


@pytest.mark.parametrize("strategy", ["merge", "squash"])
def test_a_merge_names_the_head_and_says_which_commit_did_it(
    forge: GitLabForge, project: Project, strategy: str
) -> None:
    message = merged_once(forge, project, strategy)
    assert project.merges[1].more["message"] == message


def test_h80_a_head_that_moves_while_we_look_is_not_merged(
    forge: GitLabForge, gitlab: GitLabStandIn, project: Project
) -> None:
    a_pull(forge, project)
    gitlab.faults.add(
        "repository/branches", "then", then=lambda: gitlab.push(project, "orch/a", "c" * 40)
    )
    with refused(Conflict, "head_moved"):
        merged(forge)
    assert forge.get_pr(a_repo(), 1).state == "open"
    with refused(Conflict, "head_moved"):
        merged(forge)
    assert merged(forge, expected_head="c" * 40).head_sha == "c" * 40


@pytest.mark.parametrize("fault", ["lost", "late", "cut"])
def test_a_merge_whose_answer_is_lost_is_found(
    forge: GitLabForge, gitlab: GitLabStandIn, project: Project, fault: Any
) -> None:
    a_pull(forge, project)
    gitlab.faults.add("PUT .*/merge$", fault)
    with refused(ToolFailed, "outcome_unknown"):
        merged(forge)
    assert merged(forge).state == "merged"
    assert len(gitlab.requests("PUT")) == 1


@pytest.mark.parametrize("fault", ["lost", "late"])
def test_h85_a_pr_whose_answer_is_lost_is_found(
    forge: GitLabForge, gitlab: GitLabStandIn, project: Project, fault: Any
) -> None:
    gitlab.faults.add("POST", fault)
    with refused(ToolFailed, "outcome_unknown"):
        opened(forge, "orch/a")
    assert opened(forge, "orch/a").number == 1
    assert len(project.merges) == 1


def test_a_list_that_lags_makes_no_second_pr(
    forge: GitLabForge, gitlab: GitLabStandIn, project: Project, clock: SteppingClock
) -> None:
    opened(forge, "orch/a")
    gitlab.lag_s = 5
    with refused(Conflict, "host_refused"):
        opened(forge, "orch/a")
    clock.at += 6
    assert opened(forge, "orch/a").number == 1
    assert len(project.merges) == 1


def test_what_stands_in_the_way_of_a_merge(
    forge: GitLabForge, gitlab: GitLabStandIn, project: Project
) -> None:
    a_pull(forge, project, draft=True)
    with refused(Conflict, "pr_draft"):
        merged(forge)
    forge.set_check(a_repo(), "a" * 40, "unit", "failure")
    project.merges[1].title = "Title"
    with refused(Conflict, "checks_failed"):
        merged(forge)
    project.conflicts.add(1)
    with refused(MergeConflict, "merge_conflict"):
        merged(forge, ignore_checks=True)
    project.conflicts.clear()
    with refused(UsageError, "strategy_refused"):
        merged(forge, strategy="rebase", ignore_checks=True)
    tip = project.branches.pop("orch/a")
    with refused(Conflict, "head_gone"):
        merged(forge, ignore_checks=True)
    project.branches["orch/a"] = tip
    assert forge.close_pr(a_repo(), 1).state == "closed"
    with refused(Conflict, "pr_closed"):
        merged(forge, ignore_checks=True)
    assert forge.reopen_pr(a_repo(), 1).state == "open"
    project.members[gitlab.world.add_user("octo").id] = 30
    with pytest.raises(Forbidden):
        merged(forge, ignore_checks=True)
    project.members[gitlab.world.add_user("octo").id] = 40
    project.merges[1].title = "Draft: Title"
    assert merged(forge, ignore_checks=True).state == "merged"


def test_jobs_and_pipelines_are_checks(forge: GitLabForge, project: Project) -> None:
    def status(name: str, state: str, **more: Any) -> dict[str, Any]:
        return {"id": 1, "name": name, "status": state, "created_at": None, **more}

    project.statuses["a" * 40] = [
        status("lint", "success"), status("unit", "running"), status("deploy", "manual"),
        status("flaky", "failed", allow_failure=True), status("e2e", "canceled"),
    ]  # fmt: skip
    project.pipelines["a" * 40] = [
        {"id": 1, "status": "failed", "source": "push"},
        {"id": 2, "status": "running", "source": "push"},
        {"id": 3, "status": "failed", "source": "external"},
    ]
    found = {one.name: one.state for one in forge.checks(a_repo(), "a" * 40)}
    assert found == {
        "lint": "success", "unit": "pending", "deploy": "neutral", "flaky": "neutral",
        "e2e": "failure", "pipeline (push)": "pending",
    }  # fmt: skip


def test_verdicts_are_of_the_head_that_was_looked_at(
    forge: GitLabForge, gitlab: GitLabStandIn, project: Project, clock: SteppingClock
) -> None:
    _, item = a_pull(forge, project)
    clock.at += 10
    gitlab.judge(item, "eve", "approved")
    clock.at += 10
    gitlab.push(project, "orch/a", "c" * 40)
    clock.at += 10
    line = {"new_path": "a.py", "new_line": 3, "old_path": "a.py", "old_line": None}
    gitlab.world.say(item, "cat", "wrong", position=line, resolvable=True)
    gitlab.world.say(item, "cat", "settled", position=line, resolvable=True, resolved=True)
    gitlab.world.say(item, "cat", "Not yet.")
    gitlab.judge(item, "cat", "requested_changes")
    gitlab.judge(item, "octo", "approved")
    eve, cat = forge.verdicts(a_repo(), 1)
    assert (eve.reviewer, eve.state, eve.trusted, eve.commit) == (
        "eve",
        "approved",
        False,
        "a" * 40,
    )
    assert (cat.reviewer, cat.state, cat.trusted, cat.commit) == ("cat", "changes", True, "c" * 40)
    assert (cat.body, cat.remarks) == ("Not yet.", (LineRemark("a.py", 3, "wrong"),))
    gitlab.judge(item, "eve", "unapproved")
    assert [one.reviewer for one in forge.verdicts(a_repo(), 1)] == ["cat"]


@pytest.mark.parametrize("own", [True, False])
def test_h82_our_verdict_is_an_approval_where_gitlab_takes_one(
    forge: GitLabForge, gitlab: GitLabStandIn, project: Project, own: bool
) -> None:
    _, item = a_pull(forge, project)
    project.approve_own = own
    for _ in range(2):
        forge.judge(a_repo(), 1, approve=True, body="Good.", head_sha="a" * 40, key=KEY)
    assert [one.username for one in item.more["approved"]] == (["octo"] if own else [])
    said = [note.body for note in item.notes if not note.system]
    assert said == [marks.marked("Good.", KEY)]
    with refused(Conflict, "head_moved"):
        forge.judge(a_repo(), 1, approve=True, body="Good.", head_sha="c" * 40, key=KEY)


def test_people_are_asked_once_and_words_are_one_note(
    forge: GitLabForge, gitlab: GitLabStandIn, project: Project
) -> None:
    _, item = a_pull(forge, project)
    forge.ask_reviewers(a_repo(), 1, ["cat", "@eve"])
    puts = len(gitlab.requests("PUT"))
    forge.ask_reviewers(a_repo(), 1, ["Cat"])
    assert len(gitlab.requests("PUT")) == puts
    assert {gitlab.world.users[number].username for number in item.more["reviewers"]} == {
        "cat",
        "eve",
    }
    with refused(NotFound, "unknown_reviewer"):
        forge.ask_reviewers(a_repo(), 1, ["nobody"])
    made = forge.say(a_repo(), 1, "One", key=KEY)
    assert forge.say(a_repo(), 1, "Two", key=KEY, known=made) == made
    assert [note.body for note in item.notes] == [marks.marked("Two", KEY)]


def test_a_branch_of_that_name_in_a_fork_is_another_one(
    forge: GitLabForge, gitlab: GitLabStandIn, project: Project
) -> None:
    """H60"""
    _, item = a_pull(forge, project)
    item.more["fork"] = 77
    assert forge.find_pr(a_repo(), "orch/a") is None
    gitlab.world.settle(project, item, "merged")
    with refused(Conflict, "branch_foreign"):
        forge.delete_head(a_repo(), 1)


def test_the_branch_of_a_merged_pr_is_deleted_if_it_is_ours_and_as_merged(
    gitlab: GitLabStandIn, project: Project, forge: GitLabForge, hands: MemoryRepositories
) -> None:
    deleted_as_merged(
        forge,
        hands,
        gitlab.world,
        lambda: gitlab.world.settle(project, project.merges[1], "merged"),
    )


def test_it_is_a_plugin_for_repositories_of_its_server(
    gitlab: GitLabStandIn, clock: SteppingClock, tmp_path: Path
) -> None:
    plugged("gitlab", gitlab, "glpat-octo", "group", clock, tmp_path)
