"""Gitea's and Forgejo's webhooks: GitHub's payloads under headers of their own.

https://docs.gitea.com/usage/webhooks, https://forgejo.org/docs/latest/user/webhooks/: the signature
is the HMAC-SHA256 of the body in bare hex. Newer ones send GitHub's header beside it; where a header
of their own is there, it is the one that has to hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orch.hosts.deliveries import github
from orch.hosts.deliveries.request import (
    Fields,
    Headers,
    Kind,
    Wrong,
    hexadecimal,
    hub_signature,
    must,
    signed,
)
from orch.model.deliveries import Hint, HintKind

_OWN = ("x-forgejo", "x-gitea")


def _genuine(headers: Headers, body: bytes, secrets: Sequence[bytes], now: float) -> None:
    own = [headers.get(f"{name}-signature") for name in _OWN]
    for given in filter(None, own):
        must(signed(given, hexadecimal(body), secrets))
    if not any(own):
        hub_signature(headers.need("x-hub-signature-256", "unsigned", 401), body, secrets)


def _identity(headers: Headers, body: bytes, fields: Fields) -> tuple[str, str]:
    for name in _OWN:
        if event := headers.get(f"{name}-event"):
            return headers.need(f"{name}-delivery"), event
    raise Wrong("missing_header", 400, "the header x-gitea-event is missing")


def _hints(event: str, fields: Fields) -> Iterator[Hint]:
    """Reviews and their comments come as `pull_request_approved`, `pull_request_comment`, …"""
    if event.startswith("pull_request") and (number := fields.number("pull_request")):
        kind: HintKind = "comment" if event.endswith("comment") else "pull"
        yield Hint(kind, number, fields.number("repository", "full_name"))
    else:
        yield from github.hints("issues" if event.startswith("issue_") and "comment" not in event
                                else event, fields)  # fmt: skip


def _sample(secret: bytes, delivery: str, now: float) -> tuple[dict[str, str], bytes]:
    body = b'{"ref":"refs/heads/sample"}'
    return {
        "x-gitea-event": "push", "x-gitea-delivery": delivery,
        "x-gitea-signature": hexadecimal(body)(secret),
    }, body  # fmt: skip


KIND = Kind(
    _genuine, _identity, _hints, _sample,
    events="all issue and pull request events, and Status",
    where="the repository's Settings, Webhooks, Add Webhook (POST, application/json)",
)  # fmt: skip
