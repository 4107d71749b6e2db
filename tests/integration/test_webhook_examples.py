"""Every public example of GitHub's webhooks is let in or refused for a stated reason; none raises."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from orch.hosts.deliveries import Accepted, Refused, read
from tests.real.parts import NotInstalled
from tests.standins import fetched
from tests.webhook_requests import NOW, SECRET, sent

KNOWN = {
    "issues": "ticket", "sub_issues": "ticket", "issue_dependencies": "ticket",
    "issue_comment": "comment", "pull_request": "pull", "pull_request_review": "pull",
    "pull_request_review_comment": "comment", "pull_request_review_thread": "comment",
    "check_run": "check", "check_suite": "check", "workflow_run": "check", "status": "check",
    "ping": "ping",
}  # fmt: skip


@pytest.fixture(scope="module")
def examples() -> list[tuple[str, dict[str, Any]]]:
    """(event, payload) of each."""
    try:
        text = fetched.webhook_examples().read_text("utf-8")
    except NotInstalled as error:
        pytest.skip(f"GitHub's examples could not be installed: {error}")
    found = [(event["name"], body) for event in json.loads(text) for body in event["examples"]]
    assert len(found) == 329
    return found


def test_all_are_let_in_and_those_that_matter_hint_at_what_they_are_of(
    examples: list[tuple[str, dict[str, Any]]],
) -> None:
    kinds: Counter[str] = Counter()
    for number, (event, body) in enumerate(examples):
        found = _read(event, body, f"d-{number}")
        assert isinstance(found, Accepted), (event, body.get("action"), found)
        assert (found.delivery, found.event) == (f"d-{number}", event)
        told = {hint.kind for hint in found.hints}
        assert told == {KNOWN.get(event, "other")}, (event, found.hints)
        kinds.update(told)
        for hint in found.hints:
            assert hint.id or hint.kind in ("ping", "other")
            if event in ("issues", "issue_comment"):
                assert hint.id == str(body["issue"]["number"])
                assert hint.project == body["repository"]["full_name"]
    assert set(kinds) == {"ticket", "pull", "comment", "check", "ping", "other"}


def test_each_of_them_unsigned_forged_or_cut_is_refused(
    examples: list[tuple[str, dict[str, Any]]],
) -> None:
    for event, body in examples:
        request = sent("github", body, event=event)
        whole = (request.headers, request.body)
        for headers, raw, reason in (
            (request.without("x-hub-signature-256").headers, whole[1], "unsigned"),
            (whole[0], whole[1][:-1], "bad_signature"),
            (request.without("x-github-delivery").headers, whole[1], "missing_header"),
        ):  # fmt: skip
            found = read("github", headers, raw, [SECRET], NOW)
            assert isinstance(found, Refused)
            assert found.reason == reason


def test_other_services_make_nothing_of_them_and_raise_nothing(
    examples: list[tuple[str, dict[str, Any]]],
) -> None:
    for event, body in examples:
        for kind in ("gitea", "gitlab", "jira", "linear"):
            found = read(kind, *_signed(kind, event, body), [SECRET], NOW)
            assert isinstance(found, (Accepted, Refused))


def _read(event: str, body: dict[str, Any], delivery: str) -> Accepted | Refused:
    request = sent("github", body, event=event, delivery=delivery)
    return read("github", request.headers, request.body, [SECRET], NOW)


def _signed(kind: str, event: str, body: dict[str, Any]) -> tuple[Any, bytes]:
    request = sent(kind, body, event=event)
    return request.headers, request.body
