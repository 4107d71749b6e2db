"""Requests to Jira, on top of those that every service knows.

Invariants, beside those of `orch.hosts.service`:

- An answer to somebody who is not signed in is never taken for one to us, whatever its status says.
- Questions that Jira takes by POST only (a search) are asked again as other questions are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from orch.config.secret import Secret
from orch.hosts.failures import NoCredential, Unreadable
from orch.hosts.jira.dialect import is_stranger
from orch.hosts.service import Query, Service
from orch.hosts.wire import Reply

T = TypeVar("T")


class Caller(Service):
    """One credential at one Jira. Paths are whole (`/rest/api/3/myself`)."""

    def inquire(
        self, path: str, shape: type[T], body: Mapping[str, Any], query: Query | None = None
    ) -> T:
        """The answer to a POST that changes nothing."""
        request, target = f"POST {path}", self._target(path, query)
        data = msgspec.json.encode(body)
        reply = self._asked(lambda: self._sent("POST", target, data, "read"), request)
        if reply.status != 200:
            raise self._refusal(reply, request)
        return self._decoded(reply, shape, request)

    def _sent(self, method: str, target: str, body: bytes | None, kind: str) -> Reply:
        reply = super()._sent(method, target, body, kind)
        return reply._replace(status=401) if is_stranger(reply) else reply

    def _decoded(self, reply: Reply, shape: type[T], request: str) -> T:
        try:
            return super()._decoded(reply, shape, request)
        except Unreadable as error:
            error.hint = "See that base_url leads to a Jira, and not to where people sign in."
            raise

    def _secret(self) -> str:
        if not self.signed_in:
            raise NoCredential(
                "There is no token for Jira: the source names none.",
                hint="Set token of the source to env:NAME, file:PATH or cmd:WORDS.",
                host=self.place.name,
            )
        return super()._secret()


def credential(user: Secret | None, token: Secret | None) -> Secret | None:
    """What stands in the header: with a user Basic (Cloud: e-mail and API token; Data Center: name
    and password), without one Bearer (Data Center: a personal access token; Cloud: an OAuth one)."""
    if token is None:
        return None
    if user is None:
        return Secret(f"Bearer {token.reveal()}")
    import base64

    both = f"{user.reveal()}:{token.reveal()}".encode()
    return Secret(f"Basic {base64.b64encode(both).decode('ascii')}")
