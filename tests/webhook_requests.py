"""Requests as the services send their webhooks: shapes by hand, after each one's documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

SECRET, OLD = b"the secret in use", b"the secret before"
NOW = 1_800_000_000.0
KINDS = ("github", "gitea", "forgejo", "gitlab", "gitlab signed", "jira", "linear")
GITHUB = {
    "action": "labeled", "issue": {"id": 9, "number": 12, "title": "Ünï"},
    "repository": {"id": 1, "full_name": "octo/hello"}, "sender": {"login": "eve", "id": 3},
}  # fmt: skip
GITLAB = {
    "object_kind": "issue", "project": {"path_with_namespace": "octo/hello"},
    "object_attributes": {"id": 301, "iid": 12, "title": "x", "action": "update"},
}  # fmt: skip
JIRA = {
    "timestamp": 1_799_999_999_000, "webhookEvent": "jira:issue_updated",
    "issue": {"id": "10002", "key": "PROJ-12"},
}  # fmt: skip
LINEAR = {
    "action": "update", "type": "Issue", "webhookTimestamp": NOW * 1000,
    "data": {"id": "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9", "identifier": "ENG-12"},
}  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """A request: its kind's name in the configuration, headers, bytes."""

    kind: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def without(self, name: str) -> Sent:
        return replace(self, headers=tuple(h for h in self.headers if h[0] != name))

    def with_(self, name: str, value: str) -> Sent:
        return replace(self.without(name), headers=(*self.without(name).headers, (name, value)))

    def twice(self, name: str) -> Sent:
        return replace(self, headers=(*self.headers, (name, dict(self.headers)[name])))


def sent(
    kind: str, body: Mapping[str, Any] | bytes | None = None, *, event: str = "",
    secret: bytes = SECRET, delivery: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958", at: float = NOW,
) -> Sent:  # fmt: skip
    """A signed request of `kind` (one of KINDS)."""
    shapes: dict[str, Mapping[str, Any]] = {
        "gitlab": GITLAB, "gitlab signed": GITLAB, "jira": JIRA, "linear": LINEAR,
    }  # fmt: skip
    told = shapes.get(kind, GITHUB) if body is None else body
    raw = told if isinstance(told, bytes) else json.dumps(told).encode()
    mac = hmac.new(secret, raw, hashlib.sha256).hexdigest()
    own: dict[str, dict[str, str]] = {
        "github": {
            "x-github-event": event or "issues", "x-github-delivery": delivery,
            "x-hub-signature-256": f"sha256={mac}",
        },
        "gitea": {
            "x-gitea-event": event or "issues", "x-gitea-delivery": delivery,
            "x-gitea-signature": mac, "x-hub-signature-256": f"sha256={mac}",
        },
        "forgejo": {
            "x-forgejo-event": event or "issues", "x-forgejo-delivery": delivery,
            "x-forgejo-signature": mac, "x-gitea-signature": mac,
        },
        "gitlab": {
            "x-gitlab-event": event or "Issue Hook", "idempotency-key": delivery,
            "x-gitlab-token": secret.decode(), "x-gitlab-event-uuid": "shared",
        },
        "gitlab signed": _standard(raw, secret, delivery, at, event),
        "jira": {
            "x-atlassian-webhook-identifier": delivery, "x-hub-signature": f"sha256={mac}",
        },
        "linear": {
            "linear-event": event or "Issue", "linear-delivery": delivery,
            "linear-signature": mac,
        },
    }  # fmt: skip
    headers = {"content-type": "application/json", **own[kind]}
    return Sent(kind.split(" ")[0], tuple(headers.items()), raw)


def _standard(raw: bytes, secret: bytes, delivery: str, at: float, event: str) -> dict[str, str]:
    told = f"{delivery}.{at:.0f}.".encode() + raw
    code = base64.b64encode(hmac.digest(secret, told, "sha256")).decode()
    return {
        "x-gitlab-event": event or "Issue Hook", "webhook-id": delivery,
        "webhook-timestamp": f"{at:.0f}", "webhook-signature": f"v1,{code}",
    }  # fmt: skip
