"""GitHub's webhooks.

https://docs.github.com/webhooks/webhook-events-and-payloads (headers, payloads) and
https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries (the signature). A
delivery that is sent again keeps its id; the signature covers neither id nor time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from orch.hosts.deliveries.request import (
    Fields,
    Headers,
    Kind,
    hexadecimal,
    hub_signature,
    identifier,
)
from orch.model.deliveries import Hint, HintKind

_FIELDS: dict[str, tuple[HintKind, tuple[str, ...]]] = {
    "issues": ("ticket", ("issue",)),
    "sub_issues": ("ticket", ("parent_issue", "sub_issue")),
    "issue_dependencies": ("ticket", ("blocked_issue", "blocking_issue")),
    "issue_comment": ("comment", ("issue",)),
    "pull_request": ("pull", ("pull_request",)),
    "pull_request_review": ("pull", ("pull_request",)),
    "pull_request_review_comment": ("comment", ("pull_request",)),
    "pull_request_review_thread": ("comment", ("pull_request",)),
}
_CHECKS = {"check_run": "head_sha", "check_suite": "head_sha", "workflow_run": "head_sha"}


def _genuine(headers: Headers, body: bytes, secrets: Sequence[bytes], now: float) -> None:
    hub_signature(headers.need("x-hub-signature-256", "unsigned", 401), body, secrets)


def _identity(headers: Headers, body: bytes, fields: Fields) -> tuple[str, str]:
    return headers.need("x-github-delivery"), headers.need("x-github-event")


def hints(event: str, fields: Fields) -> Iterator[Hint]:
    """Of a payload in GitHub's shape."""
    project = fields.number("repository", "full_name")
    if event == "ping":
        yield Hint("ping", "", project)
    elif event in _FIELDS:
        kind, names = _FIELDS[event]
        numbers = [fields.number(name) for name in names]
        yield from (Hint(kind, number, project) for number in numbers if number)
    elif event in _CHECKS:
        yield from _of_check(fields.get(event, dict[str, Any]) or {}, _CHECKS[event], project)
    elif event == "status" and (commit := identifier(fields.get("sha", str))):
        yield Hint("check", commit, project)


def _of_check(check: dict[str, Any], field: str, project: str) -> Iterator[Hint]:
    """The pull requests that it is of, else the commit (those of forks are not named)."""
    pulls = check.get("pull_requests")
    numbers = [
        identifier(pull.get("number")) for pull in pulls or () if isinstance(pull, dict)
    ] if isinstance(pulls, list) else []  # fmt: skip
    named = [number for number in numbers if number] or [identifier(check.get(field))]
    yield from (Hint("check", each, project) for each in named if each)


def _sample(secret: bytes, delivery: str, now: float) -> tuple[dict[str, str], bytes]:
    body = b'{"zen":"Anything added dilutes everything else."}'
    proof = f"sha256={hexadecimal(body)(secret)}"
    return {
        "x-github-event": "ping", "x-github-delivery": delivery, "x-hub-signature-256": proof,
    }, body  # fmt: skip


KIND = Kind(
    _genuine, _identity, hints, _sample,
    events="Issues, Issue comments, Sub issues, Pull requests, Pull request reviews, Pull request"
    " review comments, Check runs, Check suites, Statuses",
    where="the repository's Settings, Webhooks, Add webhook (content type: application/json)",
)  # fmt: skip
