"""What of the forge `github` is GitHub's own: forks, reviews, lost answers, names that changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from orch.forges.github import GitHubForge
from orch.hosts.failures import Invalid
from orch.model import marks
from orch.model.errors import ConfigError, Conflict, MergeConflict, NotFound, ToolFailed
from orch.model.pull import LineRemark, PullRequest
from orch.ports.reviews import Reviewed
from orch.testing.forges import a_repo, opened
from orch.testing.repositories import refused
from orch.testing.reviews import STRANGER, WRITER, ReviewedContract
from tests.githubrooms import a_project, standin as standin
from tests.integration.test_github_forge import (
    Make,
    R,
    clock as clock,
    making as making,
)
from tests.standins.github import pulls
from tests.standins.github.faults import Chances
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Check, Milestone, Repo

KEY = "run/5.0123456789abcdef0123"


@pytest.fixture
def repo(standin: GitHubStandIn) -> Repo:
    return a_project(standin, R)


@pytest.fixture
def forge(making: Make, repo: Repo) -> GitHubForge:
    return making()


def pushed(repo: Repo, branch: str = "feat", **files: str) -> str:
    return repo.git.commit(branch, files or {f"{branch}.txt": "work\n"}, start="main")


@pytest.fixture
def pull(forge: GitHubForge, repo: Repo) -> PullRequest:
    return opened(forge, "feat", head_sha=pushed(repo), key=KEY)


@pytest.fixture
def review(standin: GitHubStandIn, repo: Repo) -> Callable[..., Any]:
    """`review(login, event)` on the first PR."""

    def given(login: str, event: str, body: str = "Because.") -> Any:
        standin.world.clock.advance(1)
        user = standin.world.users[login]
        return pulls.review(standin.world, user, repo.issues[1], event, body)

    return given


def merged(forge: GitHubForge, **more: Any) -> PullRequest:
    words: dict[str, Any] = {"strategy": "squash", "expected_head": "", "key": "run/5#1"}
    return forge.merge_pr(a_repo(), 1, **(words | more))


# --- whose a pull request is ------------------------------------------------------------------


def test_h65_h94_a_strangers_fork_with_the_same_branch_is_not_ours(
    forge: GitHubForge, repo: Repo, standin: GitHubStandIn
) -> None:
    world = standin.world
    eve = world.users["eve"]
    fork = world.fork(repo, "eve")
    fork.git.commit("feat", {"evil.txt": "x\n"}, start="main")
    theirs = pulls.open_pull(world, eve, repo, title="Mine", head="eve:feat", base="main")
    assert forge.find_pr(a_repo(), "feat") is None
    assert forge.list_prs(a_repo()) == ()
    made = opened(forge, "feat", head_sha=pushed(repo))
    assert made.number != theirs.number
    world.deaf_to_head = True
    world.remove_repo(fork)
    found = forge.find_pr(a_repo(), "feat")
    assert found is not None
    assert found.number == made.number
    assert forge.get_pr(a_repo(), theirs.number).head == "feat"
    pulls.merge(world, world.users["octo"], theirs)
    with refused(Conflict, "branch_foreign"):
        forge.delete_head(a_repo(), theirs.number)
    assert repo.git.tip("feat") == made.head_sha


def test_h65_neither_is_a_fork_of_the_same_owner(
    forge: GitHubForge, repo: Repo, standin: GitHubStandIn
) -> None:
    world = standin.world
    fork = world.add_repo("octo/copy", parent=repo)
    fork.git.take(repo.git)
    fork.git.commit("feat", {"theirs.txt": "x\n"}, start="main")
    pulls.open_pull(
        world, world.users["octo"], repo, title="T", head="feat", base="main", head_repo=fork
    )
    assert forge.find_pr(a_repo(), "feat") is None
    assert opened(forge, "feat", head_sha=pushed(repo)).number == 2


def test_an_issue_is_no_pull_request(
    forge: GitHubForge, repo: Repo, standin: GitHubStandIn
) -> None:
    standin.world.new_issue(standin.world.users["cat"], repo, "An issue")
    for act in (forge.get_pr, forge.refresh_pr, forge.close_pr, forge.verdicts):
        with refused(NotFound, "unknown_pr"):
            act(a_repo(), 1)


def test_h60_the_pull_request_is_found_on_any_page_and_after_a_new_name(
    forge: GitHubForge, making: Make, repo: Repo, standin: GitHubStandIn, pull: PullRequest
) -> None:
    world = standin.world
    for number in range(100):
        repo.git.point(f"refs/heads/b{number}", pull.head_sha)
        made = pulls.open_pull(
            world, world.users["cat"], repo, title="T", head=f"b{number}", base="main"
        )
        made.state = "closed"
    world.deaf_to_head = True
    found = forge.find_pr(a_repo(), "feat")
    assert found is not None
    assert found.number == 1
    world.deaf_to_head = False
    world.rename(repo, "newowner/renamed")
    repo.rights["octo"] = "admin"
    found = making().find_pr(a_repo(), "feat")
    assert found is not None
    assert found.number == 1
    assert "newowner/renamed" in found.url


def test_h64_the_base_is_the_one_that_was_asked_for(forge: GitHubForge, repo: Repo) -> None:
    repo.git.commit("release/1.0", {"x.txt": "x\n"}, start="main")
    made = opened(forge, "feat", base="release/1.0", head_sha=pushed(repo))
    assert made.base == "release/1.0"
    pushed(repo, "other")
    with pytest.raises(Invalid):
        opened(forge, "other", base="gone")
    assert forge.find_pr(a_repo(), "other") is None


def test_a_repository_that_is_elsewhere_is_refused(making: Make) -> None:
    forge = making(projects={})
    with refused(ConfigError, "no_project"):
        forge.get_pr(a_repo(), 1)


# --- opening ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["lost", "late", "cut"])
def test_after_a_lost_answer_the_same_call_finds_what_was_opened(
    forge: GitHubForge, repo: Repo, standin: GitHubStandIn, fault: Any
) -> None:
    standin.world.lag_s = 5
    standin.faults.add(f"^POST /repos/{R}/pulls$", fault)
    sha = pushed(repo)
    with refused(ToolFailed, "outcome_unknown"):
        opened(forge, "feat", head_sha=sha, labels=("bug",), key=KEY)
    # Asked again before the lists show it: GitHub itself says that there is one.
    with refused(ToolFailed, "outcome_unknown"):
        opened(forge, "feat", head_sha=sha, labels=("bug",), key=KEY)
    standin.world.clock.advance(30)
    made = opened(forge, "feat", head_sha=sha, labels=("bug",), key=KEY)
    assert (made.number, made.labels) == (1, ("bug",))
    assert standin.audit.duplicates(R) == []
    assert opened(forge, "feat", head_sha=sha, labels=("bug",), key=KEY) == made


def test_a_new_pull_request_gets_what_is_configured(
    making: Make, repo: Repo, standin: GitHubStandIn
) -> None:
    repo.milestones.append(Milestone(7, 1, "1.0"))
    forge = making(reviewers=["cat", "octo", "nobody"], milestone="1.0")
    made = opened(forge, "feat", head_sha=pushed(repo))
    issue = repo.issues[made.number]
    assert issue.milestone is repo.milestones[0]
    assert issue.pull is not None
    assert issue.pull.reviewers == []  # one name is wrong, and GitHub takes none; it is in the log
    forge = making(reviewers=["cat", "octo"], milestone="2.0")
    again = opened(forge, "feat2", head_sha=pushed(repo, "feat2"))
    issue = repo.issues[again.number]
    assert issue.milestone is None
    assert issue.pull is not None
    assert [user.login for user in issue.pull.reviewers] == ["cat"]


# --- merging ----------------------------------------------------------------------------------


def test_a_merge_whose_answer_was_lost_is_found(
    forge: GitHubForge, repo: Repo, standin: GitHubStandIn, pull: PullRequest
) -> None:
    standin.faults.add(f"^PUT /repos/{R}/pulls/1/merge", "late")
    with refused(ToolFailed, "outcome_unknown"):
        merged(forge)
    tip = repo.git.tip("main")
    done = merged(forge)
    assert (done.state, done.merged_sha, repo.git.tip("main")) == ("merged", tip, tip)


def test_h80_a_trusted_wish_for_changes_stands_in_the_way(
    forge: GitHubForge, repo: Repo, pull: PullRequest, review: Callable[..., Any]
) -> None:
    review("eve", "REQUEST_CHANGES")
    assert merged(forge, trial=True).state == "open"
    given = review("cat", "REQUEST_CHANGES")
    review("cat", "COMMENT")
    for more in ({}, {"ignore_checks": True}, {"trial": True}):
        with refused(Conflict, "changes_requested") as caught:
            merged(forge, **more)
        assert caught.value.data == {"reviewers": ["cat"]}
    given.state = "DISMISSED"
    assert merged(forge, trial=True).state == "open"
    review("cat", "REQUEST_CHANGES")
    review("cat", "APPROVE")
    assert merged(forge).state == "merged"


def test_h84_what_is_not_known_to_be_good_is_not_merged(
    forge: GitHubForge, repo: Repo, pull: PullRequest
) -> None:
    for number, conclusion in enumerate(("action_required", "brand_new", None)):
        repo.checks[:] = [Check(number, "ci", pull.head_sha, "completed", conclusion)]
        with refused(Conflict, "checks_pending"):
            merged(forge)
    for number, conclusion in enumerate(("failure", "timed_out", "cancelled"), 10):
        repo.checks[:] = [Check(number, "ci", pull.head_sha, "completed", conclusion)]
        with refused(Conflict, "checks_failed"):
            merged(forge)
    repo.checks[:] = [Check(20, "ci", pull.head_sha, "completed", "skipped")]
    assert merged(forge).state == "merged"


def test_what_github_has_not_found_out_yet_is_asked_again(
    forge: GitHubForge, repo: Repo, standin: GitHubStandIn
) -> None:
    opened(forge, "feat", head_sha=pushed(repo, **{"README.md": "ours\n"}))
    repo.git.commit("main", {"README.md": "theirs\n"})
    standin.world.undecided = 3
    with refused(MergeConflict, "merge_conflict"):
        merged(forge, trial=True)
    assert standin.world.undecided == 0
    standin.world.undecided = 99
    with refused(Conflict, "merge_refused"):
        merged(forge)
    assert repo.issues[1].state == "open"


def test_what_github_refuses_is_explained_by_a_look(
    forge: GitHubForge, repo: Repo, standin: GitHubStandIn, pull: PullRequest
) -> None:
    standin.faults.add("/pulls/1/merge", "status", status=405)
    with refused(Conflict, "merge_refused"):
        merged(forge)
    moved = ""

    def push() -> None:
        nonlocal moved
        moved = repo.git.commit("feat", {"late.txt": "x\n"})

    standin.faults.add("/pulls/1/reviews", "then", then=push)
    with refused(Conflict, "head_moved") as caught:
        merged(forge)
    assert caught.value.data == {"expected": pull.head_sha, "head": moved}
    cat = standin.world.users["cat"]

    def merge() -> None:
        pulls.merge(standin.world, cat, repo.issues[1])

    standin.faults.add("/pulls/1/reviews", "then", then=merge)
    assert merged(forge).state == "merged"  # H81: whoever did it


# --- reviews ----------------------------------------------------------------------------------


def test_the_newest_decision_of_each_reviewer_counts(
    forge: GitHubForge, repo: Repo, standin: GitHubStandIn, pull: PullRequest,
    review: Callable[..., Any],
) -> None:  # fmt: skip
    world = standin.world
    assert isinstance(forge, Reviewed)
    assert forge.verdicts(a_repo(), 1) == ()
    review("cat", "APPROVE")
    review("eve", "APPROVE", "Nice.")
    given = review("cat", "REQUEST_CHANGES", "No.")
    pulls.line_comment(world, given.author, repo.issues[1], "Here.", "feat.txt", 1, given)
    pulls.line_comment(world, given.author, repo.issues[1], "Unrelated.", "feat.txt", 1)
    review("cat", "COMMENT", "And then?")
    review("octo", "COMMENT", "Ours.")
    first, second = forge.verdicts(a_repo(), 1)
    assert (first.reviewer, first.state, first.trusted) == ("eve", "approved", False)
    assert (second.reviewer, second.state, second.trusted) == ("cat", "changes", True)
    assert (second.body, second.commit, second.id) == ("No.", pull.head_sha, str(given.id))
    assert second.remarks == (LineRemark("feat.txt", 1, "Here."),)
    given.state = "DISMISSED"
    assert [one.reviewer for one in forge.verdicts(a_repo(), 1)] == ["eve"]
    repo.issues[1].pull.reviews[1].author = None  # type: ignore[union-attr]
    assert forge.verdicts(a_repo(), 1) == ()


def test_our_verdict_is_given_once(
    making: Make, repo: Repo, standin: GitHubStandIn, pull: PullRequest
) -> None:
    forge = making(login="cat")
    words: dict[str, Any] = {"approve": False, "body": "No.", "head_sha": pull.head_sha}
    standin.faults.add(f"^POST /repos/{R}/pulls/1/reviews", "lost")
    with refused(ToolFailed, "outcome_unknown"):
        forge.judge(a_repo(), 1, key=KEY, **words)
    for _ in range(2):
        forge.judge(a_repo(), 1, key=KEY, **words)
    (given,) = repo.issues[1].pull.reviews  # type: ignore[union-attr]
    assert (given.state, given.commit) == ("CHANGES_REQUESTED", pull.head_sha)
    assert given.body == marks.marked("No.", KEY)
    assert repo.issues[1].state == "open"  # H83
    forge.judge(a_repo(), 1, key=f"{KEY}1", **(words | {"approve": True}))
    assert [one.state for one in repo.issues[1].pull.reviews] == [  # type: ignore[union-attr]
        "CHANGES_REQUESTED", "APPROVED",
    ]  # fmt: skip


@pytest.mark.parametrize("approve", [True, False])
def test_h82_of_our_own_pull_request_it_is_a_comment(
    forge: GitHubForge, repo: Repo, pull: PullRequest, approve: bool
) -> None:
    for _ in range(2):
        forge.judge(a_repo(), 1, approve=approve, body="Why.", head_sha=pull.head_sha, key=KEY)
    assert repo.issues[1].pull.reviews == []  # type: ignore[union-attr]
    (comment,) = repo.issues[1].comments
    assert ("Approved" if approve else "Changes requested") in comment.body
    assert pull.head_sha[:12] in comment.body
    assert comment.body.endswith(marks.mark(KEY))


def test_nobody_is_asked_twice(
    forge: GitHubForge, repo: Repo, standin: GitHubStandIn, pull: PullRequest,
    review: Callable[..., Any],
) -> None:  # fmt: skip
    def asked() -> int:
        return len(standin.requests("requested_reviewers"))

    forge.ask_reviewers(a_repo(), 1, ["cat", "octo"])
    assert asked() == 1
    forge.ask_reviewers(a_repo(), 1, ["Cat"])
    repo.issues[1].pull.reviewers.clear()  # type: ignore[union-attr]
    review("cat", "COMMENT")
    forge.ask_reviewers(a_repo(), 1, ["cat", "octo"])
    assert asked() == 1


def test_what_we_say_is_one_comment(forge: GitHubForge, repo: Repo, pull: PullRequest) -> None:
    made = forge.say(a_repo(), 1, "One", key=KEY)
    assert forge.say(a_repo(), 1, "Two", key=KEY, known=made) == made
    assert [one.body for one in repo.issues[1].comments] == [marks.marked("Two", KEY)]
    with refused(NotFound, "unknown_pr"):
        forge.say(a_repo(), 7, "x", key=KEY)


def test_the_same_calls_through_lost_answers_and_lagging_lists_make_each_thing_once(
    making: Make, repo: Repo, standin: GitHubStandIn
) -> None:
    world, forge = standin.world, making()
    world.lag_s = 5.0
    standin.faults.chances = Chances(seed=11, lost=60, late=60, failed=40)

    def ended(act: Callable[[], Any]) -> Any:
        while True:
            try:
                return act()
            except ToolFailed:
                world.clock.advance(30)

    for number in range(6):
        branch, key = f"orch/{number}", f"run/{number}.0123456789abcdef0123"
        sha = pushed(repo, branch, **{f"f{number}.txt": "x\n"})
        made = ended(
            lambda branch=branch, key=key, sha=sha: opened(
                forge, branch, head_sha=sha, labels=("bug",), key=key
            )
        )
        ended(lambda sha=sha: forge.set_check(a_repo(), sha, "orch", "success"))
        ended(lambda made=made, key=key: forge.say(a_repo(), made.number, "Hi", key=key))
        done = ended(
            lambda made=made, sha=sha: forge.merge_pr(
                a_repo(), made.number, strategy="squash", expected_head=sha, key="run/9#1"
            )
        )
        assert done.state == "merged"
    assert sum(standin.audit.faults().values()) >= 5
    assert standin.audit.duplicates(R) == []
    assert len(repo.issues) == 6
    assert all(len(issue.comments) == 1 for issue in repo.issues.values())


class TestReviewsAtGitHub(ReviewedContract):
    @pytest.fixture(autouse=True)
    def _given(self, standin: GitHubStandIn, repo: Repo) -> None:
        self.world, self.repo = standin.world, repo
        repo.rights[WRITER] = "write"
        for login in (WRITER, STRANGER):
            standin.world.add_user(login)

    @pytest.fixture
    def forge(self, making: Make) -> GitHubForge:
        return making()

    def pull(self, forge: Any) -> PullRequest:
        return opened(forge, "feat", head_sha=pushed(self.repo))

    def person_reviews(
        self, forge: Any, number: int, state: Any, *, by: str = WRITER, body: str = "Because.",
        remarks: Sequence[LineRemark] = (),
    ) -> None:  # fmt: skip
        self.world.clock.advance(1)
        issue, user = self.repo.issues[number], self.world.users[by]
        event = "APPROVE" if state == "approved" else "REQUEST_CHANGES"
        given = pulls.review(self.world, user, issue, event, body)
        for one in remarks:
            pulls.line_comment(self.world, user, issue, one.body, one.path, one.line, given)

    def person_dismisses(self, forge: Any, number: int, by: str) -> None:
        pull = self.repo.issues[number].pull
        assert pull is not None
        for given in pull.reviews:
            given.state = "DISMISSED"

    def comments_there(self, forge: Any, number: int) -> list[str]:
        return [one.body for one in self.repo.issues[number].comments]

    def judged_there(self, forge: Any, number: int) -> int:
        """Of our own PR they are comments."""
        return len(self.comments_there(forge, number))

    def asked_there(self, forge: Any, number: int) -> list[str]:
        pull = self.repo.issues[number].pull
        assert pull is not None
        return [user.login for user in pull.reviewers]
