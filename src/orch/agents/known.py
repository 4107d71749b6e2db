"""Agent programs that people have installed already, and the lines that make agents of them.

Invariant: a suggestion, never a choice: nothing here starts a program or writes a configuration.
"""

from __future__ import annotations

import json
import shlex
import shutil
from typing import NamedTuple


class Known(NamedTuple):
    """An agent by its name: of the kind of that name, or of `command`, an argv."""

    name: str
    command: tuple[str, ...] = ()

    def lines(self) -> str:
        """What belongs into config.toml."""
        return f"[agents.{self.name}]\n{self._key()} = {self._value()}"

    def set_command(self) -> str:
        """The command that puts it there."""
        value = shlex.quote(self._value()) if self.command else self.name
        return f"orch config set agents.{self.name}.{self._key()} {value}"

    def _key(self) -> str:
        return "command" if self.command else "kind"

    def _value(self) -> str:
        return json.dumps(list(self.command) if self.command else self.name)


NAMES = ("claude", "codex", "opencode", "gemini", "kimi", "qwen", "copilot", "vibe", "aider")
"""Kinds whose program has their name, those first that people have most."""


def installed(path: str) -> list[Known]:
    """Those whose program is on `path` (the text of `PATH`)."""
    return [Known(name) for name in NAMES if shutil.which(name, path=path)]
