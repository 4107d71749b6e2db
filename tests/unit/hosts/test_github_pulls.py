"""Pull requests on real branches: found by head, merged by head, checked and reviewed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orch.hosts.failures import Invalid, Missing, Refused, Unknown
from orch.hosts.github.checks import rollup
from orch.hosts.github.client import GitHub
from orch.hosts.github.facts import Merged, Pull, Review
from orch.model.pull import Check
from tests.standins.github import pulls as standin_pulls
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Check as CheckRun, Repo

R = "octo/hello"
Connected = Callable[..., GitHub]


def branch(repo: Repo, name: str, text: str = "x") -> str:
    return repo.git.commit(name, {f"{name.replace('/', '-')}.txt": text}, start="main")


@pytest.fixture
def pull(repo: Repo, github: GitHub) -> Pull:
    branch(repo, "orch/feat")
    made = github.pulls.create(R, head="orch/feat", base="main", title="T", body="B")
    assert isinstance(made, Pull)
    return made


def test_h60_a_pull_is_found_by_its_head_over_all_states_and_pages(
    standin: GitHubStandIn, repo: Repo, github: GitHub, pull: Pull
) -> None:
    octo = standin.world.users["octo"]
    standin.world.set_state(octo, repo.issues[pull.number], "closed")
    for _ in range(105):
        made = standin_pulls.open_pull(
            standin.world, octo, repo, title="again", head="orch/feat", base="main"
        )
        standin.world.set_state(octo, made, "closed")
    found = github.pulls.with_head(R, "orch/feat")
    assert [one.number for one in found] == list(range(106, 0, -1))
    assert {one.state for one in found} == {"closed"}
    assert github.pulls.with_head(R, "orch") == []


def test_h94_a_fork_with_the_same_branch_is_another_head(
    standin: GitHubStandIn, repo: Repo, github: GitHub, pull: Pull
) -> None:
    fork = standin.world.fork(repo, "eve")
    fork.git.commit("orch/feat", {"evil.txt": "x"}, start="main")
    standin_pulls.open_pull(
        standin.world, standin.world.users["eve"], repo, title="mine",
        head="eve:orch/feat", base="main",
    )  # fmt: skip
    assert [one.number for one in github.pulls.with_head(R, "orch/feat")] == [pull.number]
    standin.world.deaf_to_head = True
    assert [one.number for one in github.pulls.with_head(R, "orch/feat")] == [pull.number]
    (theirs,) = github.pulls.with_head(R, "orch/feat", owner="eve")
    assert (theirs.head_repo, theirs.foreign, pull.foreign) == ("eve/hello", True, False)


def test_h65_a_pull_whose_fork_is_gone_has_no_head_repository(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    fork = standin.world.fork(repo, "eve")
    fork.git.commit("feat", {"a.txt": "x"}, start="main")
    eve = standin.world.users["eve"]
    made = standin_pulls.open_pull(
        standin.world, eve, repo, title="mine", head="eve:feat", base="main"
    )
    standin.world.remove_repo(fork)
    made.author = None
    shown = github.pulls.get(R, made.number)
    assert (shown.head_repo, shown.head_owner, shown.author.login) == ("", "eve", "ghost")
    assert shown.foreign
    assert [one.number for one in github.pulls.with_head(R, "feat", owner="eve")] == [1]
    assert github.pulls.with_head(R, "feat") == []


def test_a_second_pull_of_a_head_is_refused_by_name(
    standin: GitHubStandIn, repo: Repo, github: GitHub, pull: Pull
) -> None:
    with pytest.raises(Invalid) as caught:
        github.pulls.create(R, head="orch/feat", base="main", title="again")
    assert caught.value.code == "pull_exists"
    with pytest.raises(Invalid) as caught:
        github.pulls.create(R, head="main", base="main", title="nothing")
    assert caught.value.code == "no_commits"
    branch(repo, "other")
    standin.faults.add("POST .*/pulls", "late")
    assert isinstance(github.pulls.create(R, head="other", base="main", title="x"), Unknown)
    assert len(github.pulls.with_head(R, "other")) == 1
    assert standin.audit.duplicates(R) == []


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_merge_is_real_and_merged_is_what_github_says(
    method: str, repo: Repo, github: GitHub, pull: Pull
) -> None:
    branch(repo, "orch/feat", "more")
    head = repo.git.tip("orch/feat")
    done = github.pulls.merge(R, pull.number, head_sha=head, method=method, title="Title (#1)")
    assert isinstance(done, Merged)
    assert repo.git.tip("main") == done.sha
    shown = github.pulls.get(R, pull.number)
    assert (shown.state, shown.merged_sha, shown.head_sha) == ("merged", done.sha, head)
    assert shown.merged_at
    assert shown.merged_by.login == "octo"
    assert [one.path for one in github.pulls.files(R, pull.number)] == ["orch-feat.txt"]


def test_a_head_that_moved_is_not_merged(repo: Repo, github: GitHub, pull: Pull) -> None:
    branch(repo, "orch/feat", "pushed meanwhile")
    with pytest.raises(Refused) as caught:
        github.pulls.merge(R, pull.number, head_sha=pull.head_sha, method="squash")
    assert caught.value.code == "head_moved"
    assert github.pulls.get(R, pull.number).state == "open"


def test_what_cannot_be_merged_is_told(repo: Repo, github: GitHub, pull: Pull) -> None:
    repo.git.commit("main", {"orch-feat.txt": "other"})
    shown = github.pulls.get(R, pull.number)
    assert (shown.mergeable, shown.mergeable_state, shown.merged_sha) == (False, "dirty", "")
    with pytest.raises(Refused) as caught:
        github.pulls.merge(R, pull.number, head_sha=pull.head_sha, method="merge")
    assert caught.value.code == "not_mergeable"


def test_a_merge_whose_answer_is_lost_is_looked_at(
    standin: GitHubStandIn, github: GitHub, pull: Pull
) -> None:
    standin.faults.add("PUT .*/merge", "lost")
    done = github.pulls.merge(R, pull.number, head_sha=pull.head_sha, method="squash")
    assert isinstance(done, Unknown)
    assert github.pulls.get(R, pull.number).state == "merged"


def test_a_draft_is_made_ready(repo: Repo, github: GitHub) -> None:
    branch(repo, "feat")
    made = github.pulls.create(R, head="feat", base="main", title="T", draft=True)
    assert isinstance(made, Pull)
    assert made.draft
    with pytest.raises(Refused):
        github.pulls.merge(R, made.number, head_sha=made.head_sha, method="merge")
    assert github.pulls.ready(made) is None
    assert not github.pulls.get(R, made.number).draft


def test_h81_closed_is_not_merged(repo: Repo, github: GitHub, pull: Pull) -> None:
    closed = github.pulls.close(R, pull.number)
    assert isinstance(closed, Pull)
    assert (closed.state, closed.merged_at, closed.merged_sha) == ("closed", "", "")
    again = github.pulls.reopen(R, pull.number)
    assert isinstance(again, Pull)
    assert again.state == "open"
    changed = github.pulls.update(R, pull.number, title="New", body="Other")
    assert isinstance(changed, Pull)
    assert (changed.title, changed.body) == ("New", "Other")
    repo.git.delete("orch/feat")
    assert github.pulls.get(R, pull.number).state == "closed"
    with pytest.raises(Invalid):
        github.pulls.reopen(R, pull.number)


def test_checks_and_statuses_are_one_list(repo: Repo, github: GitHub, pull: Pull) -> None:
    sha = pull.head_sha
    assert github.checks.of(R, sha) == []
    runs = [("unit", "completed", "failure"), ("unit", "completed", "success"),
            ("lint", "completed", "skipped"), ("slow", "in_progress", None),
            ("gate", "completed", "action_required"), ("odd", "completed", "brand_new")]  # fmt: skip
    for number, (name, status, conclusion) in enumerate(runs):
        repo.checks.append(CheckRun(number, name, sha, status, conclusion))
    made = github.checks.set_status(R, sha, Check(name="orch", state="pending"))
    assert isinstance(made, Check)
    assert (made.name, made.state) == ("orch", "pending")
    github.checks.set_status(R, sha, Check(name="orch", state="success", url="https://x"))
    found = {check.name: check.state for check in github.checks.of(R, sha)}
    assert found == {"unit": "success", "lint": "neutral", "slow": "pending", "gate": "pending",
                     "odd": "pending", "orch": "success"}  # fmt: skip
    assert rollup(github.checks.of(R, sha)) == "pending"
    github.checks.set_status(R, sha, Check(name="unit", state="failure"))
    assert rollup(github.checks.of(R, sha)) == "failing"


def test_more_checks_than_a_page_has_are_all_read(repo: Repo, github: GitHub, pull: Pull) -> None:
    for number in range(130):
        repo.checks.append(CheckRun(number, f"c{number}", pull.head_sha))
    repo.checks.append(CheckRun(999, "last", pull.head_sha, "completed", "failure"))
    assert rollup(github.checks.of(R, pull.head_sha)) == "failing"


def test_rollup_of_nothing_is_none() -> None:
    assert rollup([]) == "none"
    assert rollup([Check(name="a", state="neutral"), Check(name="b", state="success")]) == "passing"


def test_h82_ones_own_pull_cannot_be_approved_and_says_so(
    standin: GitHubStandIn, github: GitHub, pull: Pull, connected: Connected
) -> None:
    with pytest.raises(Invalid) as caught:
        github.reviews.create(R, pull.number, verdict="APPROVE", body="fine")
    assert caught.value.code == "own_pull"
    cat = connected(environ=standin.environ("cat"))
    made = cat.reviews.create(
        R, pull.number, verdict="APPROVE", body="fine", head_sha=pull.head_sha
    )
    assert isinstance(made, Review)
    github.reviews.create(R, pull.number, verdict="COMMENT", body="thanks")
    shown = [(one.author.login, one.state, one.commit) for one in github.reviews.of(R, pull.number)]
    assert shown == [("cat", "APPROVED", pull.head_sha), ("octo", "COMMENTED", pull.head_sha)]


def test_words_on_lines_and_reviewers(
    standin: GitHubStandIn, repo: Repo, github: GitHub, pull: Pull
) -> None:
    cat = standin.world.users["cat"]
    standin_pulls.line_comment(standin.world, cat, repo.issues[pull.number], "why?", "a.txt", 3)
    (said,) = github.pulls.line_comments(R, pull.number)
    assert (said.path, said.line, said.issue, said.author.login) == ("a.txt", 3, pull.number, "cat")
    asked = github.pulls.request_reviewers(R, pull.number, ["cat"])
    assert isinstance(asked, Pull)
    with pytest.raises(Invalid):
        github.pulls.request_reviewers(R, pull.number, ["octo"])


def test_branches_are_looked_at_and_deleted_at_their_tip(
    repo: Repo, github: GitHub, pull: Pull
) -> None:
    assert github.repositories.branch(R, "orch/feat") == pull.head_sha
    assert github.repositories.branch(R, "nothing") == ""
    assert github.repositories.delete_branch(R, "orch/feat", expected="0" * 40) is False
    assert github.repositories.delete_branch(R, "orch/feat", expected=pull.head_sha) is True
    assert github.repositories.branch(R, "orch/feat") == ""


def test_who_may_write_is_asked_of_github(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    may = {who: github.repositories.may_write(R, who) for who in ("octo", "cat", "eve", "nobody")}
    assert may == {"octo": True, "cat": True, "eve": False, "nobody": False}
    shown = github.repositories.get(R)
    assert (shown.default_branch, shown.permission, shown.parent) == ("main", "admin", "")
    standin.world.fork(repo, "eve")
    assert github.repositories.get("eve/hello").parent == R
    with pytest.raises(Missing):
        github.repositories.get("octo/nothing")
