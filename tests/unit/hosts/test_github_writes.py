"""What is written to GitHub: once, or nobody knows; labels, comments, relations, boards."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from orch.hosts.failures import Forbidden, Invalid, Limited, Missing, Unanswered, Unknown
from orch.hosts.github.client import GitHub
from orch.hosts.github.facts import Comment, Issue, Label, Link
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.views import stamp
from tests.standins.github.world import Repo

R = "octo/hello"


@pytest.fixture
def issue(github: GitHub) -> Issue:
    made = github.issues.create(R, title="First", body="Body", labels=["bug"])
    assert isinstance(made, Issue)
    return made


@pytest.mark.parametrize("kind", ["lost", "late", "cut"])
def test_a_write_whose_answer_is_lost_is_unknown_and_never_repeated(
    kind: str, standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    standin.faults.add("POST .*/comments", kind)  # type: ignore[arg-type]
    made = github.comments.create(R, issue.number, "<!-- orch:v1:k -->")
    assert isinstance(made, Unknown)
    assert made.request == "POST /repos/octo/hello/issues/1/comments"
    assert made.error().code == "outcome_unknown"
    assert [one.body for one in github.comments.of(R, issue.number)] == ["<!-- orch:v1:k -->"]
    assert standin.audit.duplicates(R) == []


@pytest.mark.parametrize("kind", ["dropped", "status", "page"])
def test_a_write_that_may_have_been_done_is_unknown_also_when_it_was_not(
    kind: str, standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    standin.faults.add("POST .*/comments", kind)  # type: ignore[arg-type]
    assert isinstance(github.comments.create(R, issue.number, "x"), Unknown)
    assert github.comments.of(R, issue.number) == []


def test_a_mutation_whose_answer_is_lost_is_unknown(
    standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    other = github.issues.create(R, title="Second")
    assert isinstance(other, Issue)
    standin.faults.add("POST /graphql AddSubIssue", "lost")
    assert isinstance(github.related.add_child(issue.node, other.node), Unknown)
    assert github.related.of(R, [1])[1].children == (Link(R, 2),)
    with pytest.raises(Invalid):
        github.related.add_child(issue.node, other.node)


def test_a_mutation_that_was_done_and_then_failed_is_unknown(
    standin: GitHubStandIn, issue: Issue, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub answers with a result and an error beside it."""
    from tests.standins.github import graph

    error = {"type": "FORBIDDEN", "path": ["addSubIssue", "issue"], "message": "No"}
    answer = {"data": {"addSubIssue": {"issue": None}}, "errors": [error]}
    monkeypatch.setattr(graph.Graph, "run", lambda *_: answer)
    assert isinstance(github.related.add_child(issue.node, "x"), Unknown)


def test_what_surely_did_not_happen_is_an_error(
    standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    standin.faults.add("POST .*/comments", "forbidden")
    with pytest.raises(Forbidden):
        github.comments.create(R, 1, "x")
    standin.faults.add("POST .*/comments", "secondary", seconds=40)
    with pytest.raises(Limited):
        github.comments.create(R, 1, "x")
    standin.world.clock.advance(42)
    with pytest.raises(Invalid) as caught:
        github.issues.create(R, title="  ")
    assert caught.value.data["fields"] == ["title"]
    with pytest.raises(Missing):
        github.comments.create(R, 99, "x")


def test_where_nobody_listens_nothing_was_written(connected: Callable[..., GitHub]) -> None:
    environ = {"GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_TOKEN": "x"}
    with pytest.raises(Unanswered):
        connected(environ=environ, reserve=0).comments.create(R, 1, "x")


def test_an_issue_is_read_changed_and_closed(
    standin: GitHubStandIn, issue: Issue, github: GitHub, repo: Repo
) -> None:
    from tests.standins.github.world import Milestone

    repo.milestones.append(Milestone(7, 1, "1.0"))
    changed = github.issues.update(R, 1, title="New", assignees=["cat"], milestone=1)
    assert isinstance(changed, Issue)
    assert [one.login for one in changed.assignees] == ["cat"]
    assert github.repositories.milestones(R)[0].title == "1.0"
    assert github.related.changed(R)[0].milestone == changed.milestone
    cleared = github.issues.update(R, 1, milestone=0)
    assert isinstance(cleared, Issue)
    assert cleared.milestone is None
    closed = github.issues.close(R, 1, reason="not_planned")
    assert isinstance(closed, Issue)
    assert (closed.state, closed.reason) == ("closed", "not_planned")
    kinds = [(one.kind, one.actor.login) for one in github.issues.happenings(R, 1)]
    assert kinds == [("labeled", "octo"), ("renamed", "octo"), ("closed", "octo")]


def test_rest_and_graphql_tell_the_same_of_an_issue(issue: Issue, github: GitHub) -> None:
    github.labels.change(R, 1, add=["x", "y"])
    one, (other,) = github.issues.get(R, 1), github.related.changed(R)
    differing = {"raw", "related"}
    for name in set(one.__struct_fields__) - differing:
        assert getattr(one, name) == getattr(other, name), name


def test_comments_are_edited_and_deleted(issue: Issue, github: GitHub) -> None:
    made = github.comments.create(R, 1, "one")
    assert isinstance(made, Comment)
    github.comments.update(R, made.id, "two")
    assert github.comments.get(R, made.id).body == "two"
    assert [one.issue for one in github.comments.of_repository(R)] == [1]
    assert github.comments.delete(R, made.id) is None
    with pytest.raises(Missing):
        github.comments.update(R, made.id, "three")


def test_lists_that_lag_show_later_what_was_written(
    standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    standin.world.lag_s = 5
    made = github.comments.create(R, 1, "one")
    assert isinstance(made, Comment)
    assert github.comments.of(R, 1) == []
    assert github.comments.get(R, made.id).body == "one"
    standin.world.clock.advance(6)
    assert len(github.comments.of(R, 1)) == 1


def test_labels_of_others_stay(standin: GitHubStandIn, issue: Issue, github: GitHub) -> None:
    """Somebody adds a label between our look and our write."""
    octo, record = standin.world.users["octo"], standin.world.repos[R].issues[1]

    def meanwhile() -> None:
        standin.world.add_labels(octo, record, ["theirs"])

    standin.faults.add("GET .*/issues/1/labels", "then", then=meanwhile)
    done = github.labels.exchange(R, 1, prefix="status:", to="status:new")
    assert set(done) == {"bug", "theirs", "status:new"}  # type: ignore[arg-type]
    done = github.labels.exchange(R, 1, prefix="STATUS:", to="Status:Done")
    assert set(done) == {"bug", "theirs", "Status:Done"}  # type: ignore[arg-type]
    done = github.labels.exchange(R, 1, prefix="status:", to="")
    assert set(done) == {"bug", "theirs"}  # type: ignore[arg-type]
    done = github.labels.change(R, 1, add=["Theirs"], remove=["BUG", "THEIRS"])
    assert set(done) == {"theirs"}  # type: ignore[arg-type]


def test_two_that_write_a_status_at_once_leave_one(
    standin: GitHubStandIn, issue: Issue, connected: Callable[..., GitHub]
) -> None:
    names = [f"status:{number}" for number in range(4)]
    clients = [connected(sleep=lambda _: None) for _ in names]

    def write(client: GitHub, name: str) -> None:
        client.labels.exchange(R, 1, prefix="status:", to=name)

    threads = [
        threading.Thread(target=write, args=pair) for pair in zip(clients, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = clients[0].labels.exchange(R, 1, prefix="status:", to="status:0")
    assert set(last) == {"bug", "status:0"}  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["lost", "late", "status"])
def test_an_unknown_write_of_a_label_is_looked_at(
    kind: str, standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    standin.faults.add("(POST|DELETE) .*/labels", kind, times=2)  # type: ignore[arg-type]
    done = github.labels.change(R, 1, add=["a b/c"], remove=["bug"])
    assert set(done) == {"a b/c"}  # type: ignore[arg-type]


def test_labels_are_made_once_and_keep_the_colour_that_people_gave_them(
    standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    wanted = [Label("Bug", "ff0000"), Label("status:new", "0e8a16", "waits")]
    assert github.labels.ensure(R, wanted) is None
    found = {label.name: label.color for label in github.labels.all(R)}
    assert found == {"bug": "ededed", "status:new": "0e8a16"}
    with pytest.raises(Invalid) as caught:
        github.labels.create(R, Label("BUG"))
    assert caught.value.data["reasons"] == ["already_exists"]
    standin.faults.add("POST .*/hello/labels", "lost")
    assert github.labels.ensure(R, [Label("status:done")]) is None


def test_issues_hang_together_and_one_question_tells_it(
    standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    made = [github.issues.create(R, title=f"Child {n}") for n in range(3)]
    nodes = [one.node for one in made if isinstance(one, Issue)]
    for node in nodes[:2]:
        assert github.related.add_child(issue.node, node) is None
    assert github.related.block(nodes[0], nodes[1]) is None
    secret = standin.world.add_repo("cat/secret", private=True)
    hidden = standin.world.new_issue(standin.world.users["cat"], secret, "hidden")
    standin.world.block(standin.world.repos[R].issues[2], hidden)

    asked = len(standin.requests("graphql"))
    found = github.related.of(R, [1, 2, 3, 4, 77])
    assert len(standin.requests("graphql")) == asked + 1
    assert found[1].children == (Link(R, 2), Link(R, 3))
    assert found[2].parent == Link(R, 1)
    assert found[2].blocked_by == (Link(R, 3), Link("", 0, "unknown"))
    assert 77 not in found
    by_number = {one.number: one for one in github.related.changed(R)}
    assert by_number[2].blocked_by == found[2].blocked_by

    assert github.related.unblock(nodes[0], nodes[1]) is None
    assert github.related.remove_child(issue.node, nodes[0]) is None
    assert github.related.of(R, [2])[2].parent is None


def test_more_children_than_a_page_has_are_all_found(
    standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    world = standin.world
    record = world.repos[R].issues[1]
    for number in range(120):
        world.add_child(record, world.new_issue(world.users["octo"], record.repo, f"C{number}"))
    assert len(github.related.of(R, [1])[1].children) == 120


def test_an_older_server_without_blockers_is_asked_without(
    standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    standin.graph.old = True
    assert [one.number for one in github.related.changed(R)] == [1]
    asked = len(standin.requests("graphql"))
    assert github.related.of(R, [1])[1].blocked_by == ()
    assert len(standin.requests("graphql")) == asked + 1  # it is known by now


def test_a_board_shows_how_it_stands(standin: GitHubStandIn, issue: Issue, github: GitHub) -> None:
    standin.world.add_board("octo", 3, "Work", ["Backlog", "In progress", "Done"])
    board = github.boards.find("octo", 3)
    assert github.boards.card(board, issue.node) is None
    for status in ("In progress", "done", "done"):
        card = github.boards.put(board, issue.node, status)
        assert not isinstance(card, Unknown)
        assert github.boards.card(board, issue.node) == card
    writes = standin.requests("UpdateProjectV2ItemFieldValue")
    assert len(writes) == 2
    with pytest.raises(Invalid) as caught:
        github.boards.put(board, issue.node, "Nowhere")
    assert caught.value.code == "board_option"
    with pytest.raises(Missing):
        github.boards.find("octo", 99)
    with pytest.raises(Missing) as missing:
        github.boards.find("octo", 3, field="Notes")
    assert missing.value.code == "board_field"


def test_ten_thousand_issues_cost_little_when_little_changed(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    """The promise: at most 5 requests when nothing changed, at most 20 when 200 did."""
    world, octo = standin.world, standin.world.users["octo"]
    world.clock.advance(-3600)
    for number in range(10_000):
        world.new_issue(octo, repo, f"Issue {number}")
    world.clock.advance(3600)
    since = stamp(world.clock() - 60) or ""
    assert github.related.changed(R, since=since) == []
    assert len(standin.log) <= 5
    for number in range(1, 201):
        world.edit_issue(octo, repo.issues[number], title="changed")
    asked = len(standin.log)
    assert len(github.related.changed(R, since=since)) == 200
    assert len(standin.log) - asked <= 20
    assert github.figures().spent >= 5000 - world_left(standin)


def world_left(standin: GitHubStandIn) -> int:
    window = standin.limits.window("octo", "graphql")
    return window.limit - window.used


def test_the_pace_of_content_is_kept_and_the_stand_in_never_has_to_say_so(
    standin: GitHubStandIn, issue: Issue, github: GitHub
) -> None:
    kinds = []
    for number in range(200):
        try:
            github.comments.create(R, 1, f"c{number}")
        except Limited as limit:
            kinds.append(limit.kind)
            standin.world.clock.advance(limit.retry_at - standin.world.clock() + 0.1)
    assert len(kinds) >= 2
    assert set(kinds) == {"pace"}
    assert standin.limits.sinned == 0
    assert all(one.status != 403 for one in standin.log)
