"""Names that reach tmux, a shell's command line or a path: checked, never repaired.

Invariant: what passes here means nothing to tmux, to a shell and to the file system but itself
(RELIABILITY §0.3: tmux expands `#(command)` in names, and targets match by prefix).
"""

from __future__ import annotations

import re

from orch.model.errors import UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_ATTEMPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
# The attempt's own files: nothing that a launch brings along may take their place.
RESERVED = frozenset(
    {"launch.json", "prompt", "started", "stdout", "stderr", "pane", "stop", "exit.json"}
    | {"exit.json.tmp", "messages", "turn", "told", "joined"}
)


def is_name(text: str) -> bool:
    """Whether `text` can be a terminal's name."""
    return _NAME.fullmatch(text) is not None


def checked_name(text: str) -> str:
    """`text`, if it can be a terminal's name; else `UsageError(code="bad_name")`."""
    if not is_name(text):
        raise UsageError(
            f"{text!r:.80} cannot name a terminal: only a-z, 0-9 and '-', 40 characters at most",
            code="bad_name",
        )
    return text


def checked_attempt(text: str) -> str:
    """`text`, if it can be an attempt's id; else `UsageError(code="bad_name")`."""
    if _ATTEMPT.fullmatch(text) is None:
        raise UsageError(f"{text!r:.80} cannot be the id of an attempt", code="bad_name")
    return text


def checked_file(text: str) -> str:
    """`text`, if it can be a file in an attempt's directory; else `UsageError(code="bad_name")`."""
    if not text or "/" in text or "\0" in text or text.startswith(".") or len(text) > 100:
        raise UsageError(f"{text!r:.80} cannot be a file of an attempt", code="bad_name")
    return text
