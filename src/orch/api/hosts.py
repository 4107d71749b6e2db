"""What was asked of remote services today, and what may still be asked: as their clients wrote it.

Invariant: what nobody knows any more (an hour has begun anew since) is null, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orch.hosts.accounts import FOLDER, Account, day_of, read
from orch.model.errors import NotFound
from orch.model.naming import moment, nearest

if TYPE_CHECKING:
    from orch.api.facade import Orch


def hosts(orch: Orch, host: str = "") -> list[dict[str, Any]]:
    """One entry for each credential at each host (or at `host`). `NotFound(unknown_host)`."""
    rooms = orch.rooms
    found = read(rooms.path / FOLDER)
    names = sorted({one.host for one in found})
    if host and host not in names:
        near = nearest(host, names)
        raise NotFound(
            f"nothing was asked of {host!r} so far"
            + (f"; did you mean {' or '.join(near)}?" if near else ""),
            code="unknown_host",
            hint="orch api",
        )
    now = rooms.clock.now()
    return [
        {"host": one.host, **_entry(account, now)}
        for one in found
        if host in ("", one.host)
        for account in sorted(one.accounts.values(), key=lambda account: account.credential)
    ]


def _entry(account: Account, now: float) -> dict[str, Any]:
    fresh = account.day == day_of(now)
    return {
        "credential": account.credential,
        "spent_today": account.spent if fresh else 0,
        "requests_today": dict(account.requests) if fresh else {},
        "reserve": account.reserve,
        "held_until": moment(account.held_until) if account.held_until > now else None,
        "asked_at": moment(account.at),
        "resources": list(_resources(account, now)),
    }


def _resources(account: Account, now: float) -> Iterator[dict[str, Any]]:
    """What is left of each, as the service said last; a reserve of half of what is little."""
    for name, told in sorted(account.allowances.items()):
        known = now < told.reset_at
        yield {
            "name": name,
            "limit": told.limit,
            "left": told.left if known else None,
            "kept": min(account.reserve, told.limit // 2),
            "resets_at": moment(told.reset_at) if known else None,
        }
