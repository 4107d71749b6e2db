"""GitLab's webhooks.

https://docs.gitlab.com/user/project/integrations/webhooks/: the secret itself in `X-Gitlab-Token`,
or, with a signing token (`whsec_` and base64), Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): the
HMAC over id, time and body. A request that carries a signature is judged by it, and by nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from typing import Any

from orch.hosts.deliveries.request import (
    Fields,
    Headers,
    Kind,
    Wrong,
    fresh,
    identifier,
    must,
    signed,
)
from orch.model.deliveries import Hint

FRESH_S = 300.0
"""The tolerance that Standard Webhooks' own libraries have."""
_PREFIX = b"whsec_"


def _genuine(headers: Headers, body: bytes, secrets: Sequence[bytes], now: float) -> None:
    if not (given := headers.get("webhook-signature")):
        token = headers.need("x-gitlab-token", "unsigned", 401)
        must(signed(token, lambda secret: secret.decode("latin-1"), secrets))
        return
    sent_at = headers.need("webhook-timestamp")
    told = f"{headers.need('webhook-id')}.{sent_at}.".encode("latin-1", "replace") + body

    def expected(secret: bytes) -> str:
        return base64.b64encode(hmac.digest(_key(secret), told, "sha256")).decode("ascii")

    codes = [code for version, _, code in (w.partition(",") for w in given.split()[:8])
             if version == "v1"]  # fmt: skip
    must(any(signed(code, expected, secrets) for code in codes))
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) < 16):
        raise Wrong("bad_header", 400, "webhook-timestamp is not a number of seconds")
    fresh(float(sent_at), now, FRESH_S)


def _key(secret: bytes) -> bytes:
    """A signing token stands for the bytes behind its prefix; another secret for itself."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True) or secret
        except binascii.Error:
            return secret
    return secret


def _identity(headers: Headers, body: bytes, fields: Fields) -> tuple[str, str]:
    """`Idempotency-Key` (17.4) stays when it is sent again; `X-Gitlab-Event-UUID` alone is shared by
    events that one of them set off, and is made unique by the body."""
    event = headers.need("x-gitlab-event")
    if key := headers.get("webhook-id") or headers.get("idempotency-key"):
        return key, event
    told = headers.need("x-gitlab-event-uuid")
    return f"{told}:{hashlib.sha256(body).hexdigest()[:32]}", event


def _hints(event: str, fields: Fields) -> Iterator[Hint]:
    project = fields.number("project", "path_with_namespace")
    kind = fields.get("object_kind", str)
    iid = fields.number("object_attributes", "iid")
    pull, ticket = fields.number("merge_request", "iid"), fields.number("issue", "iid")
    if kind in ("issue", "work_item") and iid:
        yield Hint("ticket", iid, project)
    elif kind == "merge_request" and iid:
        yield Hint("pull", iid, project)
    elif kind == "note" and (pull or ticket):
        yield Hint("comment", pull or ticket, project)
    elif kind in ("pipeline", "build"):
        told = fields.get("object_attributes", dict[str, Any]) or {}
        commit = identifier(told.get("sha")) or identifier(fields.get("sha", str))
        yield from (Hint("check", each, project) for each in [pull or commit] if each)


def _sample(secret: bytes, delivery: str, now: float) -> tuple[dict[str, str], bytes]:
    return {
        "x-gitlab-event": "Push Hook", "idempotency-key": delivery,
        "x-gitlab-token": secret.decode("latin-1"),
    }, b'{"object_kind":"push"}'  # fmt: skip


KIND = Kind(
    _genuine, _identity, _hints, _sample,
    events="Comments, Issues events, Merge request events, Pipeline events",
    where="the project's Settings, Webhooks (Secret token)",
)  # fmt: skip
