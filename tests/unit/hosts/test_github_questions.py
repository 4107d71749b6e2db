"""What is asked of GitHub: whole lists, answers that still hold, limits, and what is asked again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orch.hosts.failures import (
    Forbidden,
    Limited,
    Missing,
    NoCredential,
    Unanswered,
    Unknown,
    Unreadable,
)
from orch.hosts.github.client import GitHub
from orch.hosts.github.facts import Comment
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Repo

R = "octo/hello"
Connected = Callable[..., GitHub]


def furnish(standin: GitHubStandIn, repo: Repo, count: int) -> None:
    octo = standin.world.users["octo"]
    for number in range(1, count + 1):
        standin.world.new_issue(octo, repo, f"Issue {number}")


def open_pull(standin: GitHubStandIn, repo: Repo, branch: str, login: str = "octo") -> None:
    from tests.standins.github import pulls

    repo.git.commit(branch, {f"{branch}.txt": "x\n"}, start="main")
    actor = standin.world.users[login]
    pulls.open_pull(standin.world, actor, repo, title=branch, head=branch, base="main")


def test_h93_all_pages_are_read_and_a_missing_one_is_an_error(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    furnish(standin, repo, 250)
    assert [issue.number for issue in github.issues.all(R)] == list(range(1, 251))
    standin.faults.add(r"GET .*/issues\?.*page=3", "status", times=99)
    with pytest.raises(Unanswered):
        github.issues.all(R)


def test_h45_a_pull_request_is_no_issue(standin: GitHubStandIn, repo: Repo, github: GitHub) -> None:
    furnish(standin, repo, 1)
    open_pull(standin, repo, "feat")
    assert [issue.number for issue in github.issues.all(R)] == [1]
    assert [issue.number for issue in github.related.changed(R)] == [1]
    assert [issue.number for issue in github.issues.created_by(R, "octo")] == [1]
    assert list(github.related.of(R, [1, 2, 3])) == [1]


def test_pages_that_shift_while_they_are_read_lose_nothing(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    """A new issue and a change to an old one come between two pages of each list."""
    furnish(standin, repo, 150)
    octo = standin.world.users["octo"]

    def shift() -> None:
        standin.world.new_issue(octo, repo, "new")
        seen = repo.issues[len(repo.issues) - 145]  # the 6th, then the 7th: on first pages
        standin.world.edit_issue(octo, seen, title="changed")

    standin.faults.add(r"GET .*/issues\?", "then", then=shift)
    numbers = [issue.number for issue in github.issues.all(R)]
    assert numbers == sorted(set(numbers))
    assert set(range(1, 151)) <= set(numbers)

    standin.faults.add("POST /graphql Sync", "then", then=shift)
    found = {issue.number: issue.title for issue in github.related.changed(R)}
    assert set(range(1, 152)) <= set(found)
    assert found[7] == "changed"
    assert standin.faults.left == 0


def test_an_answer_that_still_holds_costs_nothing(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    furnish(standin, repo, 150)
    first = github.issues.all(R)
    before = github.figures()
    assert github.issues.all(R) == first
    after = github.figures()
    assert after.requests["unchanged"] == 2
    assert after.spent == before.spent
    assert after.allowances["core"].left == before.allowances["core"].left
    standin.world.edit_issue(standin.world.users["octo"], repo.issues[3], title="other")
    assert github.issues.all(R)[2].title == "other"


def test_what_one_person_may_see_is_not_given_to_another(
    standin: GitHubStandIn, repo: Repo, connected: Connected
) -> None:
    from orch.hosts.kept import InMemory

    repo.private = True
    kept = InMemory()
    connected("octo", kept=kept).repositories.get(R)
    with pytest.raises(Missing):
        connected("eve", kept=kept, environ=standin.environ("eve")).repositories.get(R)


def test_a_question_is_asked_again_and_not_for_ever(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    furnish(standin, repo, 1)
    for kind in ("status", "lost", "dropped", "late", "cut"):
        standin.faults.add("GET .*/issues/1$", kind)  # type: ignore[arg-type]
        assert github.issues.get(R, 1).title == "Issue 1"
    github.close()  # the last fault has left a connection that the server has closed
    standin.faults.add("GET .*/issues/1$", "status", times=99, status=503)
    asked = len(standin.requests("/issues/1"))
    with pytest.raises(Unanswered, match="503"):
        github.issues.get(R, 1)
    assert len(standin.requests("/issues/1")) - asked == 4


def test_a_page_of_html_with_200_is_no_answer(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    standin.faults.add("GET .*/issues", "page")
    with pytest.raises(Unreadable):
        github.issues.all(R)


def test_h96_a_403_for_missing_rights_holds_nothing_up(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    furnish(standin, repo, 1)
    standin.faults.add("GET .*/issues", "forbidden")
    with pytest.raises(Forbidden) as caught:
        github.issues.all(R)
    assert "issues=write" in caught.value.hint
    assert len(github.issues.all(R)) == 1


def test_too_fast_is_told_with_the_time_and_nothing_is_sent_before(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    standin.faults.add("GET .*/issues", "secondary", seconds=40)
    with pytest.raises(Limited) as caught:
        github.issues.all(R)
    assert caught.value.kind == "secondary"
    assert 38 < caught.value.retry_at - standin.world.clock() <= 42
    asked = len(standin.log)
    with pytest.raises(Limited):
        github.comments.of(R, 1)
    assert len(standin.log) == asked
    standin.world.clock.advance(42)
    assert github.issues.all(R) == []
    assert standin.limits.sinned == 0


def test_a_short_limit_is_waited_for(standin: GitHubStandIn, repo: Repo, github: GitHub) -> None:
    standin.faults.add("GET .*/issues", "too_many", seconds=1)
    standin.faults.add("POST .*/issues", "too_many", seconds=1)
    assert github.issues.all(R) == []
    assert not isinstance(github.issues.create(R, title="x"), Unknown)
    assert standin.faults.left == 0


def test_the_reserve_of_the_person_is_never_touched(
    standin: GitHubStandIn, repo: Repo, connected: Connected
) -> None:
    """Also by a client that begins when little is left, and by several threads at once."""
    furnish(standin, repo, 3)
    standin.limits.core = 60
    github = connected(reserve=20)
    stopped = []

    def work() -> None:
        for number in range(40):
            try:
                github.issues.happenings(R, 1 + number % 3)
                github.comments.of(R, 1 + number % 3, since=f"2026-01-01T00:00:{number:02}Z")
            except Limited as limit:
                stopped.append(limit)
                return

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {limit.code for limit in stopped} == {"host_reserve"}
    assert standin.limits.lowest["core"] == 20
    with pytest.raises(Limited):
        connected(reserve=20).issues.happenings(R, 1)
    assert standin.limits.lowest["core"] == 20
    standin.world.clock.advance(3601)
    assert github.issues.get(R, 1).number == 1


def test_points_that_are_spent_are_waited_for_and_not_asked_for(
    standin: GitHubStandIn, repo: Repo, connected: Connected
) -> None:
    standin.limits.core = standin.limits.graphql = 3
    github = connected(reserve=0)
    for _ in range(3):
        github.issues.all(R, since=f"2026-01-0{_ + 1}T00:00:00Z")
    with pytest.raises(Limited) as caught:
        github.issues.all(R)
    assert caught.value.kind == "primary"
    assert 3500 < caught.value.retry_at - standin.world.clock() < 3700
    assert standin.limits.sinned == 0


def test_limits_of_graphql_come_with_200_and_are_limits(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    github.related.changed(R)
    window = standin.limits.window("octo", "graphql")
    window.used = window.limit  # somebody else has spent them meanwhile
    with pytest.raises(Limited):
        github.related.changed(R)


def test_a_server_that_counts_nothing_is_not_asked_again(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    standin.limits.enabled = False
    github.issues.all(R)
    github.issues.all(R)
    assert len(standin.requests("/rate_limit")) == 1
    assert github.figures().requests["look"] == 1


def test_h94_a_number_means_something_only_in_its_repository(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    other = standin.world.add_repo("octo/other")
    furnish(standin, repo, 1)
    standin.world.new_issue(standin.world.users["octo"], other, "Other")
    assert github.issues.get(R, 1).title == "Issue 1"
    assert github.issues.get("octo/other", 1).repo == "octo/other"
    with pytest.raises(Missing):
        github.issues.get(R, 2)


def test_what_moved_is_found_where_it_is_now(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    furnish(standin, repo, 3)
    other = standin.world.add_repo("octo/other")
    standin.world.transfer(repo.issues[2], other)
    moved = github.issues.get(R, 2)
    assert (moved.repo, moved.number, moved.title) == ("octo/other", 1, "Issue 2")
    standin.world.remove_issue(repo.issues[3])
    with pytest.raises(Missing) as caught:
        github.issues.get(R, 3)
    assert caught.value.code == "host_gone"
    standin.world.rename(repo, "octo/renamed")
    assert github.repositories.get(R).name == "octo/renamed"
    assert [issue.title for issue in github.issues.all(R)] == ["Issue 1"]
    assert isinstance(github.comments.create(R, 1, "written to the new place"), Comment)
    assert len(repo.issues[1].comments) == 1


def test_a_token_goes_to_no_other_place(
    standin: GitHubStandIn, repo: Repo, github: GitHub, tmp_path: Path
) -> None:
    with GitHubStandIn(tmp_path / "evil") as evil:
        standin.world.moved[R] = f"x/../..@{evil.url}"
        original, standin.url = standin.url, evil.url
        for ask in (lambda: github.issues.all(R), lambda: github.comments.create(R, 1, "x")):
            with pytest.raises(Unreadable, match="another place"):
                ask()
        standin.url = original
        assert evil.log == []


def test_a_token_that_is_not_taken_says_which_and_what_to_do(
    standin: GitHubStandIn, repo: Repo, connected: Connected
) -> None:
    environ = {**standin.environ("octo"), "GITHUB_TOKEN": "gho_wrong"}
    with pytest.raises(NoCredential) as caught:
        connected(environ=environ).issues.all(R)
    assert "GITHUB_TOKEN" in caught.value.message
    assert "gho_wrong" not in repr(caught.value.as_dict())
    assert caught.value.hint == "export GITHUB_TOKEN=…"


def test_unknown_fields_and_nulls_are_no_trouble(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    """H65: a ghost's issue and comment, without a body."""
    furnish(standin, repo, 1)
    issue = repo.issues[1]
    comment = standin.world.new_comment(standin.world.users["octo"], issue, "hi")
    issue.author = comment.author = None
    issue.body = None
    shown = github.issues.get(R, 1)
    assert (shown.author.login, shown.body) == ("ghost", "")
    assert github.comments.of(R, 1)[0].author.login == "ghost"
    assert github.related.changed(R)[0].author.login == "ghost"
    assert b'"title": "Issue 1"' in shown.raw
