"""What a failure code means for the attempt policy: one class for each code that an attempt can end
with.

Invariant: every code has exactly one class, also one that nobody listed (`agent`: it is tried again
within the policy, and bounded by it). The codes themselves are found by `orch.agents.failure` and
`orch.agents.reply`; nothing here reads an agent's words.
"""

from __future__ import annotations

import re
from typing import Literal

FailureClass = Literal[
    "transient",
    "limit",
    "auth",
    "billing",
    "environment",
    "agent",
    "person",
    "context_overflow",
    "unknown_model",
    "timeout",
    "stuck",
    "lost",
    "stopped",
]

_CODES: dict[FailureClass, tuple[str, ...]] = {
    "transient": ("killed", "unreachable", "server_error", "disk_full"),
    "limit": ("rate_limit", "quota", "usage_window", "overloaded"),
    "auth": ("auth",),
    "billing": ("billing",),
    "environment": (
        "missing_tool", "bad_cwd", "cannot_start", "bad_launch", "attempt_files", "unknown_agent",
        "unknown_kind", "no_agent", "agent_needed", "model_missing", "script_missing",
        "script_invalid", "tmux_missing", "socket_unsafe",
    ),
    "agent": (
        "exit_nonzero", "unparseable", "empty", "answer_absent", "answer_invalid", "no_change",
        "reported_failure", "agent_failed", "max_turns", "budget",
    ),
    "person": ("waiting_input", "permission_denied", "reported_blocked", "reported_needs_review"),
    "context_overflow": ("context_overflow",),
    "unknown_model": ("unknown_model",),
    "timeout": ("timeout",),
    "stuck": ("stuck",),
    "lost": ("lost", "exit_file_gone", "exit_file_broken", "conversation_gone"),
    "stopped": ("stopped", "cancelled"),
}  # fmt: skip

_CLASS_OF = {code: name for name, codes in _CODES.items() for code in codes}

FINAL: frozenset[str] = frozenset({"stopped", "person", "environment"})
"""Classes after which nothing is tried: a person decided or has to, or every agent would fail alike
on this machine (H46)."""

OTHER_AGENT: frozenset[str] = frozenset({"auth", "billing", "context_overflow", "unknown_model"})
"""Classes that the same agent with the same model cannot get over by waiting."""

AT_ONCE = frozenset({"no_change"})
"""Codes that end the step whatever their class: an empty branch is an answer (H75)."""

_NOISE = (
    (r"(?i)\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b(?=[a-f]*\d)[0-9a-f]{7,64}\b", "ID"),
    (r"(?:/[\w.@+-]+){2,}/?", "PATH"),
    (r"(?<!exit code )(?<!\d)\d+(?:[.,:]\d+)*", "N"),
    (r"\s+", " "),
)


def class_of(code: str) -> FailureClass:
    """The class of a failure code."""
    return _CLASS_OF.get(code, "agent")


def normalised(message: str, *names: str) -> str:
    """`message` without what differs between two occurrences of one error: ids, paths, numbers
    (other than an exit code), spaces, case, and the `names` of agents (H47)."""
    for name in sorted(filter(None, names), key=len, reverse=True):
        message = re.sub(rf"\b{re.escape(name)}\b", "AGENT", message)
    for pattern, word in _NOISE:
        message = re.sub(pattern, word, message)
    return message.strip().casefold()
