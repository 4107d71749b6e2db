"""Webhooks at GitHub: one of ours for a URL, pinged, and its deliveries sent again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orch.config.secret import Secret
from orch.hosts.failures import Forbidden, Missing, Unknown
from orch.hosts.github.client import GitHub
from orch.hosts.github.hooks import EVENTS, Hook, Sending, missed
from tests.standins.github.hook_routes import Hook as Made
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Repo

R, URL = "octo/hello", "https://orch.example/webhooks/hub"


def made(standin: GitHubStandIn) -> list[Made]:
    found: list[Made] = standin.world.hooks.get(R, [])
    return found


def ensured(github: GitHub, secret: str = "first") -> Hook:
    hook = github.hooks.ensure(R, URL, Secret(secret))
    assert isinstance(hook, Hook)
    return hook


def test_there_is_one_hook_for_a_url_however_often_it_is_asked_for(
    standin: GitHubStandIn, github: GitHub
) -> None:
    first, second = ensured(github), ensured(github, "second")
    assert first.id == second.id
    [hook] = made(standin)
    assert hook.config == {
        "url": URL, "content_type": "json", "insecure_ssl": "0", "secret": "second",
    }  # fmt: skip
    assert sorted(hook.events) == sorted(EVENTS)
    assert [line for line in standin.requests("/hooks") if line.startswith("POST")] == [
        "POST /repos/octo/hello/hooks"
    ]
    assert github.hooks.find(R, URL) == second
    assert github.hooks.find(R, "https://elsewhere.example") is None


def test_events_that_a_person_added_stay(standin: GitHubStandIn, github: GitHub) -> None:
    ensured(github)
    made(standin)[0].events.append("push")
    made(standin)[0].active = False
    assert "push" in ensured(github).events
    assert made(standin)[0].active
    made(standin)[0].events = ["*"]
    assert ensured(github).events == ("*",)


def test_a_hook_whose_making_got_no_answer_is_found_by_the_next_call(
    standin: GitHubStandIn, github: GitHub
) -> None:
    standin.faults.add("POST .*/hooks", "lost")
    assert isinstance(github.hooks.ensure(R, URL, Secret("x")), Unknown)
    ensured(github)
    assert len(made(standin)) == 1


def test_who_is_no_admin_is_refused(
    standin: GitHubStandIn, repo: Repo, connected: Callable[..., GitHub]
) -> None:
    with pytest.raises((Forbidden, Missing)):
        connected("eve").hooks.ensure(R, URL, Secret("x"))
    assert made(standin) == []


def test_a_hook_is_pinged_and_deleted(standin: GitHubStandIn, github: GitHub) -> None:
    hook = ensured(github)
    github.hooks.ping(R, hook.id)
    assert made(standin)[0].pings == 2
    github.hooks.delete(R, hook.id)
    assert made(standin) == []
    with pytest.raises(Missing):
        github.hooks.ping(R, hook.id)


def test_deliveries_are_listed_back_to_a_time_over_all_pages(
    standin: GitHubStandIn, github: GitHub
) -> None:
    hook = ensured(github)
    for number in range(250):
        made(standin)[0].sent(number, f"guid-{number}", 200, 1000.0 + number)
    found = github.hooks.sendings(R, hook.id, since=1000.0 + 100)
    assert [one.id for one in found] == list(range(249, 99, -1))
    asked = [line for line in standin.requests("/deliveries") if line.startswith("GET")]
    assert len(asked) == 2  # the third page is older
    assert found[0] == Sending(id=249, delivery="guid-249", at=1249.0, event="issues", answer=200)
    assert len(github.hooks.sendings(R, hook.id, since=0)) == 250


def test_what_never_arrived_is_sent_again_once(standin: GitHubStandIn, github: GitHub) -> None:
    hook = ensured(github)
    for number, (guid, status) in enumerate(
        [("a", 502), ("b", 200), ("c", 0), ("a", 200), ("c", 503)]
    ):
        made(standin)[0].sent(number, guid, status, 1000.0 + number)
    lost = missed(github.hooks.sendings(R, hook.id, since=0))
    assert [(one.id, one.delivery) for one in lost] == [(4, "c")]
    github.hooks.redeliver(R, hook.id, lost[0].id)
    assert made(standin)[0].again == [4]
    with pytest.raises(Missing):
        github.hooks.redeliver(R, hook.id, 99)
