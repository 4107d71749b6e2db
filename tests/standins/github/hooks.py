"""Webhook deliveries of the stand-in: what GitHub would have sent, with its signature.

Invariant: nothing is sent by itself; a test takes deliveries and does with them what it likes (drops,
repeats, shuffles, forges).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass
from typing import Any

from tests.standins.github.views import Views
from tests.standins.github.world import World


@dataclass(frozen=True)
class Delivery:
    """`body` is signed as it is, byte for byte."""

    id: str
    event: str
    body: bytes

    def headers(self, secret: str) -> dict[str, str]:
        mac = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return {
            "content-type": "application/json", "user-agent": "GitHub-Hookshot/stand-in",
            "x-github-delivery": self.id, "x-github-event": self.event,
            "x-hub-signature-256": f"sha256={mac}", "x-github-hook-id": "1",
        }  # fmt: skip


class Hooks:
    def __init__(self, world: World, views: Views) -> None:
        self._world, self._views = world, views
        self._waiting: list[Delivery] = []
        world.listeners.append(self._happened)

    def take(self) -> list[Delivery]:
        """What has happened since it was asked last, oldest first."""
        with self._world.lock:
            taken, self._waiting = self._waiting, []
            return taken

    def ping(self) -> Delivery:
        return self._delivery("ping", {"zen": "Design for failure.", "hook_id": 1})

    def _happened(self, event: str, told: dict[str, Any]) -> None:
        issue, actor = told["issue"], told["actor"]
        payload: dict[str, Any] = {
            "action": told["action"], "sender": self._views.user(actor),
            "repository": self._views.repo(issue.repo, issue.repo.owner),
        }  # fmt: skip
        if event in ("pull_request", "pull_request_review"):
            payload["pull_request"] = self._views.pull(issue)
            payload["number"] = issue.number
        else:
            payload["issue"] = self._views.issue(issue)
        if comment := told.get("comment"):
            payload["comment"] = self._views.comment(comment)
        if review := told.get("review"):
            payload["review"] = self._views.review(review, issue)
        if label := told.get("label"):
            payload["label"] = self._views.label(label)
        self._waiting.append(self._delivery(event, payload))

    @staticmethod
    def _delivery(event: str, payload: dict[str, Any]) -> Delivery:
        return Delivery(str(uuid.uuid4()), event, json.dumps(payload).encode())
