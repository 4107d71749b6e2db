"""Labels that mean something: which are reserved, what they may say, what they ask the router for.

Invariant: a reserved prefix with a value that is not listed is refused when a task is added; on a
ticket that others label it is ignored. `skill:`, `job:` and `model:` are free; the rest passes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from orch.model.errors import UsageError
from orch.model.naming import nearest

Complexity = Literal["simple", "medium", "complex"]
COMPLEXITIES: tuple[Complexity, ...] = ("simple", "medium", "complex")
ROLES = ("general", "backend", "frontend", "docs", "devops", "security", "test")
STATUSES = (
    "new", "routed", "in_progress", "done", "blocked", "in_review", "needs_review", "cancelled",
)  # fmt: skip
KNOWN_AGENTS = ("claude", "codex", "opencode", "kimi", "minimax", "glm")
"""Names that the seeds reserve: they may stand on a task whether or not they are configured."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What labels ask the router for; empty: nothing. Only this task's own labels count (H49)."""

    agent: str = ""
    model: str = ""
    complexity: Complexity | None = None
    role: str = ""
    skills: tuple[str, ...] = ()


def check_labels(labels: Sequence[str], agents: Collection[str]) -> None:
    """Refuse labels of a new task that nobody would understand, or that contradict one another.

    `agents`: the names of those configured. Raises `UsageError`.
    """
    allowed = {
        "status": STATUSES,
        "agent": tuple(dict.fromkeys([*agents, *KNOWN_AGENTS])),
        "complexity": COMPLEXITIES,
        "role": ROLES,
    }
    seen: dict[str, str] = {}
    for label in labels:
        prefix, colon, value = label.partition(":")
        if not colon:
            continue
        if prefix in ("skill", "job", "model") and not value.strip():
            raise _refused(label, f"{prefix}: needs a value")
        if prefix == "parent" and not (value.isascii() and value.isdigit()):
            raise _refused(label, "parent: needs the number of a task")
        if prefix not in allowed:
            continue
        if value not in allowed[prefix]:
            near = nearest(value, list(allowed[prefix]))
            listed = " or ".join(near) if near else ", ".join(allowed[prefix])
            raise _refused(label, f"{prefix}: is {listed}")
        if seen.setdefault(prefix, value) != value:
            raise _refused(label, f"{prefix}:{seen[prefix]} says otherwise")


def asked_by(labels: Sequence[str]) -> Asked:
    """What a task's labels ask for. The first label of a kind that can be understood counts; case
    and spaces around do not."""
    found: dict[str, list[str]] = {}
    for label in labels:
        prefix, _, value = label.strip().partition(":")
        if value.strip():
            found.setdefault(prefix.strip().lower(), []).append(value.strip())
    complexity = [word.lower() for word in found.get("complexity", [])]
    roles = [word.lower() for word in found.get("role", [])]
    return Asked(
        agent=next(iter(found.get("agent", [])), "").lower(),
        model=next(iter(found.get("model", [])), ""),
        complexity=next(
            (known for word in complexity for known in COMPLEXITIES if known == word), None
        ),
        role=next((word for word in roles if word in ROLES), ""),
        skills=tuple(dict.fromkeys(found.get("skill", []))),
    )


def evidence(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels that say something about the work. Which agent had it, or its state, does not: a
    choice that was made before is no evidence for the next one (H49)."""
    ours = ("agent:", "status:", "model:", "job:", "parent:")
    return tuple(label for label in labels if not label.lower().startswith(ours))


def _refused(label: str, why: str) -> UsageError:
    return UsageError(
        f"the label {label} cannot be used: {why}", code="bad_label", hint="orch task add --help"
    )
