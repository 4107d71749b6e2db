"""A delivery, read: let in with what it hints at, or refused with the reason.

Invariant: pure, and total: whatever headers and bytes a stranger sends, the answer is a value. The
order is: kind, secret, signature (and its age), then, only of what is signed, JSON and id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from orch.hosts.deliveries import gitea, github, gitlab, jira, linear
from orch.hosts.deliveries.request import LONGEST_ID, Fields, Headers, Kind, Wrong
from orch.model.deliveries import Hint

KINDS: dict[str, Kind] = {
    "forgejo": gitea.KIND,
    "gitea": gitea.KIND,
    "github": github.KIND,
    "gitlab": gitlab.KIND,
    "jira": jira.KIND,
    "linear": linear.KIND,
}
MOST_HINTS = 50


class Accepted(msgspec.Struct, frozen=True):
    """Signed, fresh, with an id. A ping has the one hint `ping`; what nobody here knows, `other`."""

    delivery: str
    event: str
    hints: tuple[Hint, ...]


class Refused(msgspec.Struct, frozen=True):
    """`reason` is a word for counters and for the sender, `message` a sentence."""

    reason: str
    status: int
    message: str


def read(
    kind: str, headers: Iterable[tuple[str, str]], body: bytes, secrets: Sequence[bytes], now: float
) -> Accepted | Refused:
    """What `kind` (of a source) makes of a request. `secrets` are the source's one or two, `now` is
    seconds since the epoch."""
    known = KINDS.get(kind)
    if known is None:
        return Refused("no_webhooks", 404, "a source of this kind has no webhooks")
    if not any(secrets):
        return Refused("no_secret", 403, "this source has no secret, so nothing can be believed")
    try:
        return _read(known, Headers(headers), body, [one for one in secrets if one], now)
    except Wrong as wrong:
        return Refused(wrong.reason, wrong.status, wrong.message)


def _read(
    kind: Kind, headers: Headers, body: bytes, secrets: Sequence[bytes], now: float
) -> Accepted:
    kind.genuine(headers, body, secrets, now)
    try:
        fields = Fields(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Wrong("not_json", 400, "the body is not an object in JSON") from error
    delivery, event = kind.identity(headers, body, fields)
    for what, word in (("delivery's id", delivery), ("event's name", event)):
        if not 0 < len(word) <= LONGEST_ID or not word.isprintable():
            raise Wrong("bad_header", 400, f"the {what} is not a short word")
    hints = tuple(dict.fromkeys(kind.hints(event, fields)))[:MOST_HINTS]
    return Accepted(delivery, event, hints or (Hint("other"),))
