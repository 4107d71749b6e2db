"""What `orch` alone says: the first steps, and the names of all commands, on one screen.

Invariant: fits 80×24 whatever commands there are, and names each of them exactly once: one that
belongs to no group here stands under `more`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

GROUPS = {
    "runs": ("run", "ps", "show", "watch", "logs", "send", "attach", "stop", "resume", "inbox"),
    "the queue": (
        "task",
        "job",
        "cron",
        "agents",
        "cooldown",
        "api",
        "cost",
        "serve",
        "service",
        "stream",
        "events",
        "log",
        "metrics",
        "context",
        "parse",
    ),
    "workflows": ("template", "validate", "trust", "gate"),
    "tickets": ("issue", "tickets", "webhook", "session"),
    "git": ("repo", "worktree", "env", "pr"),
    "orch itself": ("init", "demo", "doctor", "config", "completion", "version", "help"),
}
_STEPS = (
    ("orch demo", "play the main job, offline"),
    ("orch doctor", "see what is missing"),
    ('orch issue create "Add a --json flag"', "write a ticket"),
    ("orch run basic_pr --issue ISSUE-001", "in your repository: an agent does it"),
    ("orch watch @", "look on; @ is the last run"),
)
_INDENT, _WIDTH = 15, 80


def overview(commands: Iterable[str]) -> str:
    """The text, for the commands that there are."""
    known = list(commands)
    grouped = {name for names in GROUPS.values() for name in names}
    groups = {title: [n for n in names if n in known] for title, names in GROUPS.items()}
    groups["more"] = [name for name in known if name not in grouped]
    first = max(len(command) for command, _ in _STEPS)
    return "\n".join([
        "Usage: orch COMMAND [ARGS]...",
        "",
        "From a ticket to a reviewed pull request, with coding agents that work in",
        "worktrees of their own.",
        "", "First steps:",
        *(f"  {command:{first}}  {what}" for command, what in _STEPS),
        "", "Commands:",
        *(line for title, names in groups.items() if names for line in _listed(title, names)),
        "", "One command: orch help COMMAND     All of them, explained: orch --help",
    ])  # fmt: skip


def _listed(title: str, names: list[str]) -> list[str]:
    return textwrap.wrap(
        "  ".join(names), _WIDTH, initial_indent=f"  {title}".ljust(_INDENT),
        subsequent_indent=" " * _INDENT, break_on_hyphens=False,
    )  # fmt: skip
