"""Webhooks of a repository: that there is one of ours, and what became of its deliveries.

Invariant: a hook is known by its URL, and looked for before it is made; its secret is written, and
never read back. Needs admin rights of the repository (`Webhooks: write` of a fine-grained token).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from orch.config.secret import Secret
from orch.hosts.failures import Invalid, Unknown, Unreadable
from orch.hosts.github.address import repository
from orch.hosts.service import next_page

if TYPE_CHECKING:
    from orch.hosts.github.calls import Caller

EVENTS = (
    "check_run", "check_suite", "issue_comment", "issues", "pull_request", "pull_request_review",
    "pull_request_review_comment", "pull_request_review_thread", "status", "sub_issues",
)  # fmt: skip
"""What a hook of ours is for."""
_PAGES = 50


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """`answer` is what GitHub got when it delivered last (0 for nothing yet), `words` its words."""

    id: int
    url: str
    active: bool = True
    events: tuple[str, ...] = ()
    answer: int = 0
    words: str = ""


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """One time that GitHub sent a delivery. `delivery` is the id that we know it by, which stays when
    it is sent again; `at` is seconds since the epoch; `answer` the HTTP status it got, 0 for none."""

    id: int
    delivery: str
    at: float
    event: str
    answer: int

    @property
    def failed(self) -> bool:
        return not 200 <= self.answer < 300


class _Config(msgspec.Struct, frozen=True):
    url: str = ""


class _Last(msgspec.Struct, frozen=True):
    code: int | None = None
    message: str | None = None


class _HookShape(msgspec.Struct, frozen=True):
    id: int
    config: _Config = _Config()
    active: bool = True
    events: tuple[str, ...] = ()
    last_response: _Last | None = None

    def fact(self) -> Hook:
        last = self.last_response or _Last()
        return Hook(
            id=self.id, url=self.config.url, active=self.active, events=self.events,
            answer=last.code or 0, words=last.message or "",
        )  # fmt: skip


class _SendingShape(msgspec.Struct, frozen=True):
    id: int
    guid: str
    delivered_at: str
    event: str = ""
    status_code: int = 0

    def fact(self) -> Sending:
        try:
            at = datetime.fromisoformat(self.delivered_at).timestamp()
        except ValueError as error:
            raise Unreadable(f"GitHub tells no time of delivery {self.id}.") from error
        return Sending(
            id=self.id, delivery=self.guid, at=at, event=self.event, answer=self.status_code
        )


class Hooks:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def all(self, repo: str) -> list[Hook]:
        shapes = self._caller.pages(_path(repo), _HookShape)
        return [shape.fact() for shape in {shape.id: shape for shape in shapes}.values()]

    def find(self, repo: str, url: str) -> Hook | None:
        """The one that delivers to `url`."""
        return next((hook for hook in self.all(repo) if hook.url == url), None)

    def ensure(
        self, repo: str, url: str, secret: Secret, events: Sequence[str] = EVENTS
    ) -> Hook | Unknown:
        """One hook delivers `events` to `url`, signed with `secret`: the one that is there gets the
        secret, else one is made."""
        if found := self.find(repo, url):
            return self._change(repo, found, secret, events)
        wanted = {"name": "web", "active": True, "events": list(events),
                  "config": _config(url, secret)}  # fmt: skip
        try:
            made = self._caller.write("POST", _path(repo), _HookShape, wanted)
        except Invalid:
            if found := self.find(repo, url):  # somebody else was faster
                return self._change(repo, found, secret, events)
            raise
        return made if isinstance(made, Unknown) else made.fact()

    def _change(
        self, repo: str, hook: Hook, secret: Secret, events: Sequence[str]
    ) -> Hook | Unknown:
        """Events that a person added stay."""
        wanted = {
            "active": True, "config": _config(hook.url, secret),
            "events": sorted({*hook.events, *events} if "*" not in hook.events else hook.events),
        }  # fmt: skip
        made = self._caller.write("PATCH", f"{_path(repo)}/{hook.id}", _HookShape, wanted)
        return made if isinstance(made, Unknown) else made.fact()

    def delete(self, repo: str, hook: int) -> Unknown | None:
        """`Missing` where it is gone already."""
        return self._caller.write("DELETE", f"{_path(repo)}/{hook}", type(None))

    def ping(self, repo: str, hook: int) -> Unknown | None:
        """Have a `ping` sent now."""
        return self._caller.write("POST", f"{_path(repo)}/{hook}/pings", type(None))

    def sendings(self, repo: str, hook: int, *, since: float) -> list[Sending]:
        """What was sent at or after `since` (seconds since the epoch), the latest first. GitHub
        remembers three days."""
        found: list[Sending] = []
        for page in self._sending_pages(repo, hook):
            found += [one for one in page if one.at >= since]
            if any(one.at < since for one in page):
                break
        return found

    def _sending_pages(self, repo: str, hook: int) -> Iterator[list[Sending]]:
        query = "per_page=100"
        for _ in range(_PAGES):
            path = f"{_path(repo)}/{hook}/deliveries?{query}"
            shapes, link = self._caller.read_with(path, list[_SendingShape], "link")
            yield [shape.fact() for shape in shapes]
            query = urlsplit(next_page(link)).query
            if not query:
                return

    def redeliver(self, repo: str, hook: int, sending: int) -> Unknown | None:
        """Have it sent again, under the id that it had."""
        path = f"{_path(repo)}/{hook}/deliveries/{sending}/attempts"
        return self._caller.write("POST", path, type(None))


def missed(sendings: Sequence[Sending]) -> list[Sending]:
    """Of what was sent (the latest first): each delivery that has failed every time, once."""
    arrived = {one.delivery for one in sendings if not one.failed}
    last = {one.delivery: one for one in reversed(sendings)}
    return [one for key, one in last.items() if key not in arrived]


def _path(repo: str) -> str:
    return f"/repos/{repository(repo)}/hooks"


def _config(url: str, secret: Secret) -> dict[str, str]:
    return {
        "url": url, "content_type": "json", "insecure_ssl": "0", "secret": secret.reveal(),
    }  # fmt: skip
