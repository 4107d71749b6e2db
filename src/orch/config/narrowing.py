"""What a repository's own `.orch.toml` may say: it may narrow, and choose among what is there.

Invariant: nothing in a repository decides which program runs on the person's machine, what it may
see, whom it is trusted like, or how much may be spent. What is not listed here is refused.
"""

from __future__ import annotations

import re
from typing import Any

from orch.config.keys import Path
from orch.config.layers import Layer
from orch.config.reading import Flat
from orch.config.tree import SECTIONS
from orch.model.errors import ConfigError

_CHOICES = frozenset({"workflow", "agent", "base_branch", "test_command", "install_dependencies"})
_LOWERED: tuple[Path, ...] = (
    ("retry", "max_attempts"), ("run", "lost_attempts"), ("defaults", "max_parallel"),
)  # fmt: skip
_SLOTS: Path = ("defaults", "max_parallel")
_REASONS = {
    "agents": "it says which programs run on this machine and what they may see",
    "trust": "a repository cannot trust itself",
    "git": "it says in whose name commits are made",
    "repos": "it speaks for other repositories",
    "retry": "it can raise what a run costs",
    "run": "it can raise what a run costs",
    "service": "it speaks for other repositories",
    "defaults": "it decides where work is sent",
    "router": "it decides where work is sent",
    "model_map": "it can raise what a run costs",
    "budget": "it can raise what a run costs",
    "metering": "it can raise what a run costs",
    "prices": "it can raise what a run costs",
    "breakers": "it can raise what a run costs",
    "hooks": "it says which programs run on this machine",
    "notify": "it says which programs run on this machine, and who is told",
    "rules": "it can raise what a run costs",
    "review": "it decides what is merged",
    "timeouts": "it can raise what a run costs",
    "care": "it speaks for the whole machine",
    "sources": "it says whose words start work, and where answers go",
    "forges": "it decides where work is sent",
    "metrics": "it speaks for the whole machine",
}
_PLAIN_WORKFLOW = r"[a-z][a-z0-9_-]*"


def refuse_forbidden(layer: Layer, own_file: str) -> None:
    """Refuse keys that only the person may set, before their values are looked at.

    `own_file` is the person's configuration file, named in the hint.
    """
    for path in _keys(layer.raw):
        allowed = (
            path[0] not in _REASONS  # not a key at all: the reader refuses it with a suggestion
            or (path[0] == "defaults" and path[1:2] and path[1] in _CHOICES)
            or path[:2] in _LOWERED
            or (path[0] in SECTIONS and _unknown(path))
        )
        if not allowed:
            raise _refusal(layer, path, _REASONS[str(path[0])], own_file)


def check_values(layer: Layer, flat: Flat, person: Flat, own_file: str) -> None:
    """Refuse allowed keys with values that widen what the person's own layers say."""
    workflow = flat.get(("defaults", "workflow"))
    if workflow and not re.fullmatch(_PLAIN_WORKFLOW, workflow.value):
        reason = "only a template's name can stand here: a file would be run outside the worktree"
        raise _refusal(layer, ("defaults", "workflow"), reason, own_file)
    install = flat.get(("defaults", "install_dependencies"))
    if install and install.value != "never":
        reason = 'only "never" can stand here'
        raise _refusal(layer, ("defaults", "install_dependencies"), reason, own_file)
    for path in _LOWERED:
        if path in flat:
            limit = _value(person, path)
            wanted = flat[path].value
            if path == _SLOTS:
                limit = limit or _value(person, ("service", "max_parallel"))
            if wanted > limit:
                reason = f"{wanted} is above the limit of {limit}"
                raise _refusal(layer, path, reason, own_file)
            if path == _SLOTS and not wanted:
                reason = "0 means as many as of all repositories together"
                raise _refusal(layer, path, reason, own_file)


def _keys(raw: dict[str, Any]) -> list[Path]:
    """Paths of the keys; for a table of tables one level deeper, so that the error names a key."""
    paths: list[Path] = []
    for section, content in raw.items():
        if not isinstance(content, dict) or not content:
            paths.append((section,))
            continue
        for key, value in content.items():
            nested = section not in SECTIONS and isinstance(value, dict) and value
            inner = [(section, key, below) for below in value] if nested else [(section, key)]
            paths.extend(inner)
    return paths


def _unknown(path: Path) -> bool:
    return len(path) == 1 or path[1] not in SECTIONS[str(path[0])].__struct_fields__


def _value(person: Flat, path: Path) -> Any:
    """What the person's own file says, else what is built in."""
    if path in person:
        return person[path].value
    return getattr(SECTIONS[str(path[0])](), str(path[1]))


def _refusal(layer: Layer, path: Path, reason: str, own_file: str) -> ConfigError:
    return layer.error(
        path,
        f"cannot be set by a repository: {reason}",
        code="config_forbidden",
        hint=f"set it in {own_file}",
    )
