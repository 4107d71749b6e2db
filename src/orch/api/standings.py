"""How agents stand with the queue, for whoever looks or decides.

Invariant: reads what the queue goes by; a person's word clears a cooldown and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.model.command import ClearCooldown
from orch.model.cooldown import holds
from orch.model.errors import NotFound, UsageError
from orch.model.naming import moment

if TYPE_CHECKING:
    from orch.api.facade import Orch


def cooling(orch: Orch) -> list[dict[str, Any]]:
    """What is not used now: `subject`, `until`, `why`, `failures`, by subject."""
    now = orch.rooms.clock.now()
    return [
        {
            "subject": one.subject, "until": moment(one.cooldown.until), "why": one.cooldown.why,
            "failures": one.cooldown.failures, "vendor": one.cooldown.vendor,
        }
        for one in orch.store.standings()
        if one.cooldown is not None and holds(one.cooldown, now)
    ]  # fmt: skip


def clear(orch: Orch, subject: str, *, everything: bool, dry_run: bool = False) -> list[str]:
    """The subjects that are used again."""
    if bool(subject) == everything:
        raise UsageError(
            "name one agent, or say --all", code="which_cooldown", hint="orch cooldown list"
        )
    found = [one["subject"] for one in cooling(orch) if subject in ("", one["subject"])]
    if subject and not found:
        raise NotFound(f"{subject} does not cool", code="not_cooling", hint="orch cooldown list")
    if not dry_run:
        orch.store.send(ClearCooldown(subject), orch.rooms.person)
    return found
