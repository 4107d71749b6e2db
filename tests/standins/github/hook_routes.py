"""The REST routes for webhooks of a repository: what is made of them, pinged and sent again.

Invariant: nothing is sent; `world.hooks` says what would be. A secret is kept for the tests and is
never told to who asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.standins.github.rest import Answer, Call, Page, R, Rest, route
from tests.standins.github.views import stamp
from tests.standins.github.world import Refusal, Repo, invalid


@dataclass
class Hook:
    """`sendings` are the deliveries that GitHub says it made, the latest first."""

    id: int
    config: dict[str, str]
    events: list[str]
    active: bool = True
    pings: int = 0
    sendings: list[dict[str, Any]] = field(default_factory=list)
    again: list[int] = field(default_factory=list)

    def sent(self, number: int, guid: str, status: int, at: float, event: str = "issues") -> None:
        self.sendings.insert(0, {
            "id": number, "guid": guid, "delivered_at": stamp(at), "redelivery": False,
            "duration": 0.1, "status": "OK" if status < 300 else "failed", "status_code": status,
            "event": event, "action": None,
        })  # fmt: skip


def hooks_of(rest: Rest, repo: Repo) -> list[Hook]:
    return rest.world.hooks.setdefault(repo.full_name, [])


def _shown(hook: Hook) -> dict[str, Any]:
    config = {**hook.config, **({"secret": "********"} if "secret" in hook.config else {})}
    return {
        "type": "Repository", "id": hook.id, "name": "web", "active": hook.active,
        "events": hook.events, "config": config,
        "last_response": {"code": None, "status": "unused", "message": None},
    }  # fmt: skip


def _hook(rest: Rest, call: Call) -> Hook:
    hooks = hooks_of(rest, rest.repo(call, "admin"))
    found = next((hook for hook in hooks if f"{hook.id}" == call.words[2]), None)
    if found is None:
        raise Refusal(404, "Not Found")
    return found


@route("GET", f"{R}/hooks")
def _all(rest: Rest, call: Call) -> Any:
    return Page(hooks_of(rest, rest.repo(call, "admin")), _shown)


@route("POST", f"{R}/hooks")
def _new(rest: Rest, call: Call) -> Any:
    hooks, config = hooks_of(rest, rest.repo(call, "admin")), call.body.get("config") or {}
    if not config.get("url"):
        raise invalid("Hook", "url", "missing_field")
    if any(hook.config["url"] == config["url"] for hook in hooks):
        raise invalid("Hook", "url", "custom", "Hook already exists on this repository")
    made = Hook(rest.world.new_id(), config, call.body.get("events") or ["push"], pings=1)
    hooks.append(made)
    return Answer(_shown(made), 201)


@route("PATCH", f"{R}/hooks/*")
def _change(rest: Rest, call: Call) -> Any:
    hook = _hook(rest, call)
    hook.config = call.body.get("config", hook.config)
    hook.events = call.body.get("events", hook.events)
    hook.active = call.body.get("active", hook.active)
    return _shown(hook)


@route("DELETE", f"{R}/hooks/*")
def _delete(rest: Rest, call: Call) -> Any:
    hook = _hook(rest, call)
    hooks_of(rest, rest.repo(call, "admin")).remove(hook)
    return Answer(None, 204)


@route("POST", f"{R}/hooks/*/pings")
def _ping(rest: Rest, call: Call) -> Any:
    _hook(rest, call).pings += 1
    return Answer(None, 204)


@route("GET", f"{R}/hooks/*/deliveries")
def _sendings(rest: Rest, call: Call) -> Any:
    return Page(_hook(rest, call).sendings, dict)


@route("POST", f"{R}/hooks/*/deliveries/*/attempts")
def _again(rest: Rest, call: Call) -> Any:
    hook = _hook(rest, call)
    if not any(one["id"] == int(call.words[3]) for one in hook.sendings):
        raise Refusal(404, "Not Found")
    hook.again.append(int(call.words[3]))
    return Answer({}, 202)
