"""What GitHub's REST API does, seen by our client: one list for our stand-in and for an emulator that
others wrote (the npm package emulate), so that our stand-in is not of our own opinion alone.

The emulator knows no GraphQL, sub-issues, ETags, commit statuses or comments of a whole repository;
it lets two pull requests have one branch and a person approve their own, and takes any token for
somebody's. What is asked of both leaves that out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orch.config.secret import Secret
from orch.hosts.deliveries import Accepted, read
from orch.hosts.failures import Invalid, Missing, Refused
from orch.hosts.github.client import GitHub, connect
from orch.hosts.github.facts import Issue, Label, Merged, Pull
from tests.integration.emulated import PLACES, REPO as R, SECRET, Place
from tests.real.parts import NotInstalled

NEW, DONE = Label(name="status:new", color="ff0000"), Label(name="status:done", color="00ff00")


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    try:
        with PLACES[request.param](tmp_path) as made:
            yield made
    except NotInstalled as error:
        pytest.skip(f"the emulator could not be fetched: {error}")


@pytest.fixture
def client(place: Place) -> Iterator[Callable[[str], GitHub]]:
    made: list[GitHub] = []

    def connected(login: str) -> GitHub:
        made.append(connect(place.environ(login)))
        return made[-1]

    yield connected
    for one in made:
        one.close()


@pytest.fixture
def github(client: Callable[[str], GitHub]) -> GitHub:
    return client("octo")


def sure(made: Any) -> Any:
    assert isinstance(made, Issue | Pull | Merged), made
    return made


def test_who_and_where(github: GitHub) -> None:
    assert github.repositories.viewer().person.login == "octo"
    repository = github.repositories.get(R)
    assert (repository.name, repository.default_branch) == (R, "main")
    assert github.repositories.may_write(R, "octo")
    with pytest.raises(Missing):
        github.repositories.get("octo/nothing")


def test_issues_are_made_changed_and_closed(github: GitHub) -> None:
    made = sure(github.issues.create(R, title="One", body="B", labels=["bug"]))
    assert (made.number, made.state, made.author.login) == (1, "open", "octo")
    github.issues.update(R, 1, title="Two", body="C")
    assert sure(github.issues.close(R, 1, reason="not_planned")).reason == "not_planned"
    found = github.issues.get(R, 1)
    assert (found.title, found.body, found.labels) == ("Two", "C", ("bug",))
    assert (found.state, found.closed != "") == ("closed", True)
    sure(github.issues.create(R, title="Other"))
    assert [one.number for one in github.issues.all(R, state="open")] == [2]
    assert sure(github.issues.reopen(R, 1)).state == "open"
    assert [one.number for one in github.issues.all(R, labels=["bug"])] == [1]
    with pytest.raises(Missing):
        github.issues.get(R, 99)


def test_all_pages_are_read(github: GitHub, client: Callable[[str], GitHub]) -> None:
    made = []
    for who in (github, client("cat")):  # who keeps a pace of 80 a minute each
        made += [sure(who.issues.create(R, title=f"{n}")).number for n in range(60)]
    found = github.issues.all(R)
    assert sorted(one.number for one in found) == sorted(made) == list(range(1, 121))
    assert github.issues.all(R, since="2200-01-01T00:00:00Z") == []


def test_labels_are_there_once_and_are_exchanged(github: GitHub) -> None:
    sure(github.issues.create(R, title="One", labels=["x"]))
    assert github.labels.create(R, NEW) == NEW
    with pytest.raises(Invalid):
        github.labels.create(R, NEW)
    assert github.labels.ensure(R, [NEW, DONE]) is None
    colours = {label.name: label.color for label in github.labels.all(R)}
    assert (colours["status:new"], colours["status:done"]) == ("ff0000", "00ff00")
    assert github.labels.change(R, 1, add=["status:new"], remove=["x", "never there"]) is not None
    assert github.labels.of(R, 1) == ("status:new",)
    github.labels.exchange(R, 1, prefix="status:", to="status:done")
    assert github.labels.of(R, 1) == ("status:done",)


def test_comments_are_edited_in_place(github: GitHub, client: Callable[[str], GitHub]) -> None:
    sure(github.issues.create(R, title="One"))
    first: Any = github.comments.create(R, 1, "one")
    client("cat").comments.create(R, 1, "from cat")
    assert github.comments.update(R, first.id, "two")
    told = [(one.author and one.author.login, one.body) for one in github.comments.of(R, 1)]
    assert told == [("octo", "two"), ("cat", "from cat")]
    assert github.comments.delete(R, first.id) is None
    with pytest.raises(Missing):
        github.comments.get(R, first.id)
    assert len(github.comments.of(R, 1)) == 1


def test_a_pull_request_is_reviewed_and_merged_with_the_head_that_was_seen(
    place: Place, github: GitHub, client: Callable[[str], GitHub]
) -> None:
    head = place.commit("feat")
    assert github.repositories.branch(R, "feat") == head
    made = sure(github.pulls.create(R, head="feat", base="main", title="T", body="B"))
    assert (made.number, made.state, made.head_sha, made.base) == (1, "open", head, "main")
    assert [one.number for one in github.pulls.with_head(R, "feat")] == [1]
    assert github.pulls.with_head(R, "other") == []
    client("cat").reviews.create(R, 1, verdict="APPROVE", body="fine")
    (review,) = github.reviews.of(R, 1)
    assert (review.state, review.author and review.author.login) == ("APPROVED", "cat")
    with pytest.raises((Refused, Invalid)):  # GitHub says 409 or 405, the emulator 422
        github.pulls.merge(R, 1, head_sha="1" * 40, method="squash")
    done = sure(github.pulls.merge(R, 1, head_sha=head, method="squash"))
    assert github.repositories.branch(R, "main") == done.sha
    assert github.pulls.get(R, 1).state == "merged"
    with pytest.raises((Refused, Invalid)):
        github.pulls.merge(R, 1, head_sha=head, method="squash")
    assert github.repositories.delete_branch(R, "feat", expected=head)
    assert github.repositories.branch(R, "feat") == ""


def test_a_pull_request_is_closed_and_opened_again(place: Place, github: GitHub) -> None:
    place.commit("feat")
    sure(github.pulls.create(R, head="feat", base="main", title="T"))
    assert sure(github.pulls.close(R, 1)).state == "closed"
    assert [one.number for one in github.pulls.all(R, state="open")] == []
    assert sure(github.pulls.reopen(R, 1)).state == "open"
    assert sure(github.pulls.update(R, 1, title="Other")).title == "Other"


def test_a_hook_is_there_once_and_its_deliveries_are_let_in(place: Place, github: GitHub) -> None:
    for _ in range(2):
        github.hooks.ensure(R, place.hook(), Secret(SECRET))
    assert [hook.url for hook in github.hooks.all(R)] == [place.hook()]
    place.taken(0)
    sure(github.issues.create(R, title="One"))
    github.comments.create(R, 1, "hi")
    heard = {}
    for headers, body in place.taken(2):
        found = read("github", headers.items(), body, [b"another", SECRET.encode()], 0.0)
        assert isinstance(found, Accepted), found
        heard[found.event] = [(hint.kind, hint.id) for hint in found.hints]
        refused = read("github", headers.items(), body + b" ", [SECRET.encode()], 0.0)
        assert getattr(refused, "status", 0) == 401
    assert heard == {"issues": [("ticket", "1")], "issue_comment": [("comment", "1")]}
