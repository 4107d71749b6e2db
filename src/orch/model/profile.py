"""What an agent is told it is for this task: role, skills, tools, constraints.

Invariant: short lines of plain text. Whatever a router's answer or a label held, nothing here can
grow a prompt without bound or bring control characters into it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

ITEMS = 20
LENGTH = 200


class Skill(msgspec.Struct, frozen=True):
    """An entry of the skills catalogue."""

    name: str
    description: str = ""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    role: str = "general"
    skills: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()


def line(text: object) -> str:
    """One printable line of at most `LENGTH` characters; empty for what is no text."""
    if not isinstance(text, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LENGTH]


def lines(items: object) -> tuple[str, ...]:
    """The texts of a list, or of one text, each once, at most `ITEMS`."""
    listed: Iterable[object] = items if isinstance(items, list | tuple) else (items,)
    return tuple(dict.fromkeys(text for item in listed if (text := line(item))))[:ITEMS]


def profile_text(profile: Profile) -> str:
    """The paragraph of a prompt; empty when the profile says nothing."""
    parts = [f"Your role for this task: {profile.role}."] if profile.role != "general" else []
    for title, items in (
        ("Skills to use", profile.skills),
        ("Tools at hand", profile.tools),
        ("Constraints", profile.constraints),
    ):
        if items:
            parts.append("\n".join([f"{title}:", *(f"- {item}" for item in items)]))
    return "\n\n".join(parts)
