"""Agent programs that people have installed already, and the lines that make agents of them.

Invariant: a suggestion, never a choice: nothing here starts a program or writes a configuration. The
command lines take the prompt on standard input and let the agent change files in its worktree.
"""

from __future__ import annotations

import json
import shlex
import shutil
from typing import NamedTuple


class Known(NamedTuple):
    """An agent program: `name` is the agent's and the program's, `command` its argv."""

    name: str
    command: tuple[str, ...]

    def lines(self) -> str:
        """What belongs into config.toml."""
        return f"[agents.{self.name}]\ncommand = {json.dumps(list(self.command))}"

    def set_command(self) -> str:
        """The command that puts it there."""
        value = shlex.quote(json.dumps(list(self.command)))
        return f"orch config set agents.{self.name}.command {value}"


KNOWN = (
    Known("claude", ("claude", "-p", "--permission-mode", "acceptEdits")),
    Known("codex", ("codex", "exec", "--sandbox", "workspace-write", "-")),
    Known("gemini", ("gemini", "--approval-mode", "auto_edit")),
    Known("opencode", ("opencode", "run")),
)


def installed(path: str) -> list[Known]:
    """Those whose program is on `path` (the text of `PATH`)."""
    return [known for known in KNOWN if shutil.which(known.command[0], path=path)]
