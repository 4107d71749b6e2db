"""Linear's webhooks.

https://linear.app/developers/webhooks: `Linear-Signature` is the HMAC-SHA256 of the body in hex,
`webhookTimestamp` (milliseconds, in the body) when it was sent, which is to be within a minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from orch.hosts.deliveries.request import (
    Fields,
    Headers,
    Kind,
    Wrong,
    fresh,
    hexadecimal,
    identifier,
    must,
    signed,
)
from orch.model import typed
from orch.model.deliveries import Hint

FRESH_S = 60.0


class _Sent(msgspec.Struct):
    webhookTimestamp: float  # noqa: N815 - its name there


def _genuine(headers: Headers, body: bytes, secrets: Sequence[bytes], now: float) -> None:
    given = headers.need("linear-signature", "unsigned", 401)
    must(signed(given, hexadecimal(body), secrets))
    try:
        sent = typed.decode(body, _Sent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Wrong("stale", 400, "the body does not say when it was sent") from error
    fresh(sent.webhookTimestamp / 1000, now, FRESH_S)


def _identity(headers: Headers, body: bytes, fields: Fields) -> tuple[str, str]:
    event = headers.get("linear-event") or fields.get("type", str) or ""
    if not event:
        raise Wrong("no_event", 400, "neither header nor body say what happened")
    return headers.need("linear-delivery"), event


def _hints(event: str, fields: Fields) -> Iterator[Hint]:
    """By what people call a ticket (`ENG-12`) where it is told, else by its id."""
    data = fields.get("data", dict[str, Any]) or {}
    if event == "Issue":
        yield from _ticket("ticket", data)
    elif event == "Comment":
        issue = data.get("issue")
        told = issue if isinstance(issue, dict) else {"id": data.get("issueId")}
        yield from _ticket("comment", told)
    elif event == "IssueRelation":
        for name in ("issueId", "relatedIssueId"):
            yield from _ticket("ticket", {"id": data.get(name)})


def _ticket(kind: Any, told: dict[str, Any]) -> Iterator[Hint]:
    if found := identifier(told.get("identifier")) or identifier(told.get("id")):
        yield Hint(kind, found)


def _sample(secret: bytes, delivery: str, now: float) -> tuple[dict[str, str], bytes]:
    body = b'{"type":"Sample","webhookTimestamp":%d}' % (now * 1000)
    return {
        "linear-event": "Sample", "linear-delivery": delivery,
        "linear-signature": hexadecimal(body)(secret),
    }, body  # fmt: skip


KIND = Kind(
    _genuine, _identity, _hints, _sample,
    events="Issues, Comments, Issue relations",
    where="Settings, API, New webhook. Linear makes the secret itself: give it to"
    " `orch webhook add SOURCE --secret -`",
)  # fmt: skip
