"""The hooks that Claude Code and Codex call (`orch.agents.inside.hook`), and what they have told.

Invariant: a hook is our program, called by its path with words of ours; nothing of the repository or
the ticket is in its command.
"""

from __future__ import annotations

import shlex
import sys
from typing import Any

from orch.agents import output
from orch.agents.inside import hook
from orch.agents.program import Call

DAYS_S = 30 * 24 * 3600
"""How long a person may take; the attempt's own limit comes before."""
TOLD = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "StopFailure")


def settings(call: Call) -> dict[str, Any]:
    """Claude Code's settings for a call; empty where no hook is needed."""
    events = list(TOLD) if call.interactive else []
    if call.supervised and not events:
        events = ["PreToolUse"]
    if not events:
        return {}
    entry = [{"matcher": "*", "hooks": [_hook(call)]}]
    return {"hooks": dict.fromkeys(events, entry)}


def table(call: Call) -> str:
    """The same for Codex, as a value in TOML; it has no form in which it owns a terminal here."""
    one = _hook(call)
    text = output.quoted(one["command"])
    return (
        f'[{{matcher = "*", hooks = [{{type = "command", command = {text}, timeout = {DAYS_S}}}]}}]'
    )


def _hook(call: Call) -> dict[str, Any]:
    modes = [*(["tell"] if call.interactive else []), *(["ask"] if call.supervised else [])]
    request = call.request
    words = (
        sys.executable, "-I", "-S", hook.__file__, request.directory, request.worktree.path, *modes,
    )  # fmt: skip
    return {"type": "command", "command": shlex.join(words), "timeout": DAYS_S}
