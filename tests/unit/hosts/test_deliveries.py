"""Whose a delivery is, and where it says to look: every kind, forged, broken, old and good."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from orch.hosts.deliveries import KINDS, Accepted, Refused, read
from orch.model.deliveries import Hint
from tests import webhook_requests as requests
from tests.webhook_requests import NOW, OLD, SECRET, Sent, sent

EVERY = pytest.mark.parametrize("kind", requests.KINDS)


def judged(request: Sent, *secrets: bytes, now: float = NOW) -> Accepted | Refused:
    return read(request.kind, request.headers, request.body, secrets or (SECRET,), now)


def reason(request: Sent, *secrets: bytes, now: float = NOW) -> tuple[str, int]:
    found = judged(request, *secrets, now=now)
    assert isinstance(found, Refused)
    assert found.message
    return found.reason, found.status


def hints(kind: str, body: Any, event: str = "") -> list[tuple[str, str]]:
    found = judged(sent(kind, body, event=event))
    assert isinstance(found, Accepted)
    return [(hint.kind, hint.id) for hint in found.hints]


@EVERY
def test_a_signed_delivery_is_let_in_with_its_hint(kind: str) -> None:
    found = judged(sent(kind))
    assert isinstance(found, Accepted)
    assert found.delivery == "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    [hint] = found.hints
    assert hint.kind == "ticket"
    assert hint.id.rpartition("-")[2] == "12"


@EVERY
def test_the_secret_before_holds_while_both_are_configured(kind: str) -> None:
    old = sent(kind, secret=OLD)
    assert isinstance(judged(old, SECRET, OLD), Accepted)
    assert isinstance(judged(sent(kind), SECRET, OLD), Accepted)
    assert reason(old, SECRET) == ("bad_signature", 401)


@EVERY
def test_nothing_is_believed_without_a_secret(kind: str) -> None:
    unsigned = sent(kind, secret=b"")
    assert read(unsigned.kind, unsigned.headers, unsigned.body, (), NOW) == Refused(
        "no_secret", 403, "this source has no secret, so nothing can be believed"
    )
    assert reason(unsigned, b"") == ("no_secret", 403)
    assert reason(unsigned, b"", SECRET)[0] in ("bad_signature", "unsigned")


@EVERY
def test_every_bit_of_body_and_signature_counts(kind: str) -> None:
    """RELIABILITY §2 row 4: a bit flipped in any byte is noticed."""
    request = sent(kind)
    if kind != "gitlab":  # its token is the secret itself: it covers no body
        for at in range(len(request.body)):
            flipped = bytearray(request.body)
            flipped[at] ^= 1 << at % 8
            changed = Sent(request.kind, request.headers, bytes(flipped))
            assert reason(changed) == ("bad_signature", 401)
    for name in proof(kind):
        value = dict(request.headers)[name]
        for at in range(len(value)):
            wrong = value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
            assert reason(request.with_(name, wrong))[1] in (400, 401)


def proof(kind: str) -> list[str]:
    """The headers that prove it."""
    return {
        "github": ["x-hub-signature-256"], "gitea": ["x-gitea-signature"],
        "forgejo": ["x-forgejo-signature", "x-gitea-signature"], "gitlab": ["x-gitlab-token"],
        "gitlab signed": ["webhook-signature", "webhook-id", "webhook-timestamp"],
        "jira": ["x-hub-signature"], "linear": ["linear-signature"],
    }[kind]  # fmt: skip


@EVERY
def test_a_missing_or_doubled_header_is_refused(kind: str) -> None:
    """RELIABILITY §2 row 4."""
    request = sent(kind)
    optional = {"content-type", "x-hub-signature-256", "x-gitea-signature", "x-gitlab-event-uuid",
                "linear-event", "x-atlassian-webhook-identifier"}  # fmt: skip
    if kind in ("github", "jira"):
        optional -= {"x-hub-signature-256"}
    if kind == "gitea":
        request = request.without("x-hub-signature-256")
        optional -= {"x-gitea-signature"}
    if kind == "forgejo":
        optional |= {"x-forgejo-signature"}
    if kind == "gitlab":
        optional |= {"idempotency-key"}
    for name, _ in request.headers:
        if name not in optional:
            assert reason(request.without(name))[1] in (400, 401), name
        matters = name in proof(kind) or name.endswith(
            ("-delivery", "-event", "-key", "-identifier")
        )
        if matters:
            assert reason(request.twice(name)) == ("duplicate_header", 400), name


def test_a_second_header_of_gitea_that_is_wrong_is_not_rescued_by_the_first() -> None:
    request = sent("forgejo")
    assert reason(request.with_("x-gitea-signature", "0" * 64)) == ("bad_signature", 401)


def test_older_servers_are_known_by_what_they_send() -> None:
    """Jira Data Center without an identifier, GitLab before 17.4 without an idempotency key."""
    jira = judged(sent("jira").without("x-atlassian-webhook-identifier"))
    assert isinstance(jira, Accepted)
    assert jira.delivery.startswith("body:")
    old = sent("gitlab").without("idempotency-key")
    other = sent("gitlab", {**requests.GITLAB, "more": 1}).without("idempotency-key")
    both = [judged(old), judged(other)]
    assert all(isinstance(one, Accepted) and one.delivery.startswith("shared:") for one in both)
    assert len({one.delivery for one in both if isinstance(one, Accepted)}) == 2
    assert judged(old) == both[0]
    assert reason(old.without("x-gitlab-event-uuid")) == ("missing_header", 400)


@pytest.mark.parametrize(("seconds", "good"), [(59, True), (61, False), (-59, True), (-61, False)])
def test_linears_deliveries_are_fresh_for_a_minute(seconds: float, good: bool) -> None:
    found = judged(sent("linear"), now=NOW + seconds)
    assert isinstance(found, Accepted) == good
    if isinstance(found, Refused):
        assert (found.reason, found.status) == ("stale", 400)


@pytest.mark.parametrize("stamp", [None, "soon", True, float("1e400"), [1]])
def test_a_time_that_is_none_is_not_fresh(stamp: Any) -> None:
    body = json.dumps({**requests.LINEAR, "webhookTimestamp": stamp}).encode()
    assert reason(sent("linear", body)) == ("stale", 400)


def test_gitlabs_signed_deliveries_are_fresh_for_five_minutes() -> None:
    assert isinstance(judged(sent("gitlab signed"), now=NOW + 299), Accepted)
    assert reason(sent("gitlab signed"), now=NOW + 301) == ("stale", 400)


def test_gitlabs_signing_token_stands_for_its_bytes() -> None:
    token = b"whsec_" + base64.b64encode(bytes(range(32)))
    assert isinstance(judged(sent("gitlab signed", secret=bytes(range(32))), token), Accepted)
    assert reason(sent("gitlab signed", secret=token), token) == ("bad_signature", 401)


def test_gitlabs_signature_is_not_rescued_by_a_token() -> None:
    request = sent("gitlab signed").with_("x-gitlab-token", SECRET.decode())
    assert isinstance(judged(request), Accepted)
    assert reason(request.with_("webhook-signature", "v1,AAAA")) == ("bad_signature", 401)
    assert reason(request.with_("webhook-signature", "v2,AAAA")) == ("bad_signature", 401)


@EVERY
@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b'{"a":\xff}', b"[" * 200_000,
                                  b'{"a":' * 100_000, b"payload=%7B%7D"])  # fmt: skip
def test_what_is_no_object_in_json_is_refused_and_raises_nothing(kind: str, body: bytes) -> None:
    assert reason(sent(kind, body))[0] in ("not_json", "stale")


@EVERY
def test_an_unknown_event_is_let_in_as_other(kind: str) -> None:
    body = {"webhookTimestamp": NOW * 1000, "webhookEvent": "sprint_started", "type": "Project"}
    assert hints(kind, body, event="brand_new") == [("other", "")]


@EVERY
@pytest.mark.parametrize("issue", [None, [], 7, {"number": None}, {"number": "a b"},
                                   {"number": -1}, {"number": True}, {"number": 2**70}])  # fmt: skip
def test_fields_of_another_shape_hint_at_nothing(kind: str, issue: Any) -> None:
    told = {
        "issue": issue, "repository": 5, "object_kind": "note", "object_attributes": issue,
        "merge_request": issue, "webhookEvent": "jira:issue_updated", "data": issue,
        "webhookTimestamp": NOW * 1000, "project": [],
    }  # fmt: skip
    assert hints(kind, told) == [("other", "")]


def test_a_kind_without_webhooks_has_none() -> None:
    assert read("vault", [], b"{}", [SECRET], NOW) == Refused(
        "no_webhooks", 404, "a source of this kind has no webhooks"
    )


@pytest.mark.parametrize(("event", "body", "expected"), [
    ("ping", {"zen": "x", "hook_id": 1}, [("ping", "")]),
    ("issue_comment", {"issue": {"number": 3}, "comment": {"id": 9}}, [("comment", "3")]),
    ("sub_issues", {"parent_issue": {"number": 1}, "sub_issue": {"number": 2}},
     [("ticket", "1"), ("ticket", "2")]),
    ("issue_dependencies", {"blocked_issue": {"number": 1}}, [("ticket", "1")]),
    ("pull_request", {"number": 4, "pull_request": {"number": 4}}, [("pull", "4")]),
    ("pull_request_review", {"pull_request": {"number": 4}}, [("pull", "4")]),
    ("pull_request_review_comment", {"pull_request": {"number": 4}}, [("comment", "4")]),
    ("check_run", {"check_run": {"head_sha": "abc", "pull_requests": [{"number": 4},
     {"number": 5}, 6, {"number": 4}]}}, [("check", "4"), ("check", "5")]),
    ("check_suite", {"check_suite": {"head_sha": "abc", "pull_requests": []}}, [("check", "abc")]),
    ("workflow_run", {"workflow_run": {"head_sha": "abc"}}, [("check", "abc")]),
    ("status", {"sha": "abc", "state": "success"}, [("check", "abc")]),
    ("push", {"ref": "refs/heads/main"}, [("other", "")]),
])  # fmt: skip
def test_what_githubs_events_hint_at(event: str, body: Any, expected: list[Any]) -> None:
    assert hints("github", body, event) == expected


@pytest.mark.parametrize(("event", "body", "expected"), [
    ("issue_comment", {"issue": {"number": 3}}, [("comment", "3")]),
    ("issue_assign", {"issue": {"number": 3}}, [("ticket", "3")]),
    ("issue_label", {"issue": {"number": 3}}, [("ticket", "3")]),
    ("pull_request", {"pull_request": {"number": 4}}, [("pull", "4")]),
    ("pull_request_approved", {"pull_request": {"number": 4}}, [("pull", "4")]),
    ("pull_request_comment", {"pull_request": {"number": 4}}, [("comment", "4")]),
    ("push", {"ref": "refs/heads/main"}, [("other", "")]),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["gitea", "forgejo"])
def test_what_giteas_events_hint_at(
    kind: str, event: str, body: Any, expected: list[Any]
) -> None:  # fmt: skip
    assert hints(kind, body, event) == expected


@pytest.mark.parametrize(("body", "expected"), [
    ({"object_kind": "work_item", "object_attributes": {"iid": 3}}, [("ticket", "3")]),
    ({"object_kind": "merge_request", "object_attributes": {"iid": 4}}, [("pull", "4")]),
    ({"object_kind": "note", "merge_request": {"iid": 4}}, [("comment", "4")]),
    ({"object_kind": "note", "issue": {"iid": 3}}, [("comment", "3")]),
    ({"object_kind": "note", "commit": {"id": "abc"}}, [("other", "")]),
    ({"object_kind": "pipeline", "object_attributes": {"sha": "abc"},
      "merge_request": {"iid": 4}}, [("check", "4")]),
    ({"object_kind": "pipeline", "object_attributes": {"sha": "abc"}}, [("check", "abc")]),
    ({"object_kind": "build", "sha": "abc"}, [("check", "abc")]),
    ({"object_kind": "push"}, [("other", "")]),
])  # fmt: skip
def test_what_gitlabs_events_hint_at(body: Any, expected: list[Any]) -> None:
    assert hints("gitlab", body) == expected


@pytest.mark.parametrize(("body", "expected"), [
    ({"webhookEvent": "comment_created", "issue": {"key": "P-1"}}, [("comment", "P-1")]),
    ({"webhookEvent": "jira:issue_deleted", "issue": {"key": "P-1"}}, [("ticket", "P-1")]),
    ({"webhookEvent": "issuelink_created", "issueLink": {"sourceIssueId": 1,
      "destinationIssueId": 2}}, [("ticket", "1"), ("ticket", "2")]),
    ({"webhookEvent": "user_created"}, [("other", "")]),
])  # fmt: skip
def test_what_jiras_events_hint_at(body: Any, expected: list[Any]) -> None:
    assert hints("jira", body) == expected
    assert reason(sent("jira", {"issue": {"key": "P-1"}})) == ("no_event", 400)


@pytest.mark.parametrize(("event", "data", "expected"), [
    ("Issue", {"id": "uuid"}, [("ticket", "uuid")]),
    ("Comment", {"issue": {"id": "u", "identifier": "ENG-1"}}, [("comment", "ENG-1")]),
    ("Comment", {"issueId": "u"}, [("comment", "u")]),
    ("IssueRelation", {"issueId": "u", "relatedIssueId": "v"}, [("ticket", "u"), ("ticket", "v")]),
    ("Cycle", {"id": "u"}, [("other", "")]),
])  # fmt: skip
def test_what_linears_events_hint_at(event: str, data: Any, expected: list[Any]) -> None:
    body = {"type": event, "data": data, "webhookTimestamp": NOW * 1000}
    assert hints("linear", body, event) == expected


def test_the_project_is_told_where_the_sender_tells_it() -> None:
    found = judged(sent("github"))
    assert isinstance(found, Accepted)
    assert found.hints == (Hint("ticket", "12", "octo/hello"),)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["number", "iid", "key", "id", "identifier", "sha", "issue", "x"]), inner,
        max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip
_NAMES = ["issue", "pull_request", "check_run", "repository", "object_kind", "object_attributes",
          "merge_request", "project", "webhookEvent", "issueLink", "data", "sha"]  # fmt: skip
_EVENTS = ["issues", "check_run", "status", "sub_issues", "Issue", "Comment", "pull_request_x"]


@given(kind=st.sampled_from(requests.KINDS), event=st.sampled_from(_EVENTS),
       body=st.dictionaries(st.sampled_from(_NAMES), _json, max_size=6))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_no_signed_body_raises(kind: str, event: str, body: dict[str, Any]) -> None:
    told = {"webhookTimestamp": NOW * 1000, **body}
    found = judged(sent(kind, json.dumps(told).encode(), event=event))
    assert isinstance(found, Accepted) or found.reason in ("no_event", "bad_header", "not_json")


@given(kind=st.sampled_from(sorted(KINDS)), body=st.binary(max_size=40),
       headers=st.lists(st.tuples(st.sampled_from([
           "x-hub-signature-256", "x-hub-signature", "x-gitlab-token", "webhook-signature",
           "webhook-id", "webhook-timestamp", "linear-signature", "x-gitea-signature",
       ]), st.text(max_size=80)), max_size=5))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_nothing_that_a_stranger_sends_raises_or_is_let_in(
    kind: str, body: bytes, headers: list[tuple[str, str]]
) -> None:
    assert isinstance(read(kind, headers, body, [SECRET], NOW), Refused)
