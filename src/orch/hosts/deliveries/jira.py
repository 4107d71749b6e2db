"""Jira's webhooks, of an administrator or the system, with a secret (Cloud; Data Center likewise).

https://developer.atlassian.com/cloud/jira/platform/webhooks/: `X-Hub-Signature: sha256=…`, and
`X-Atlassian-Webhook-Identifier`, which stays when a delivery is sent again. Where a server sends
none, the body, which has a time of its own, is the id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from orch.hosts.deliveries.request import (
    Fields,
    Headers,
    Kind,
    Wrong,
    hexadecimal,
    hub_signature,
    identifier,
)
from orch.model.deliveries import Hint


def _genuine(headers: Headers, body: bytes, secrets: Sequence[bytes], now: float) -> None:
    hub_signature(headers.need("x-hub-signature", "unsigned", 401), body, secrets)


def _identity(headers: Headers, body: bytes, fields: Fields) -> tuple[str, str]:
    told = headers.get("x-atlassian-webhook-identifier")
    event = fields.get("webhookEvent", str)
    if not event:
        raise Wrong("no_event", 400, "the body does not say what happened (webhookEvent)")
    return told or f"body:{hashlib.sha256(body).hexdigest()}", event


def _hints(event: str, fields: Fields) -> Iterator[Hint]:
    key = fields.number("issue", "key")
    if event.startswith("comment_"):
        yield from [Hint("comment", key)] if key else []
    elif event.startswith("jira:issue_") and key:
        yield Hint("ticket", key)
    elif event.startswith("issuelink_"):
        # It names the two tickets by their numbers, which is as good to ask for as the key.
        ends = [fields.number("issueLink", f"{end}IssueId") for end in ("source", "destination")]
        yield from (Hint("ticket", identifier(end)) for end in ends if end)


def _sample(secret: bytes, delivery: str, now: float) -> tuple[dict[str, str], bytes]:
    body = b'{"webhookEvent":"sample","timestamp":%d}' % (now * 1000)
    proof = f"sha256={hexadecimal(body)(secret)}"
    return {"x-atlassian-webhook-identifier": delivery, "x-hub-signature": proof}, body


KIND = Kind(
    _genuine, _identity, _hints, _sample,
    events="Issue: created, updated, deleted; Comment: created, updated; Issue link: created,"
    " deleted",
    where="Jira settings, System, WebHooks, Create a WebHook",
)  # fmt: skip
