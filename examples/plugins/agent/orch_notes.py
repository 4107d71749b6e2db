"""An agent that writes its prompt into a file of the worktree: the smallest plugin there can be.

[agents.scribe]
kind = "notes"
options = { file = "NOTES.md" }
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from orch.agents import command, reply
from orch.config import AgentConfig
from orch.model.attempt import Launch, ReplyMode, Verdict
from orch.ports import AgentRequest, AttemptFacts

PLUGIN_API = 1
SCRIPT = 'cat "$ORCH_PROMPT_FILE" >> "$1"'


class Options(msgspec.Struct, frozen=True):
    """`file` is where it writes, below the worktree's root."""

    file: Annotated[str, msgspec.Meta(pattern=r"^[\w.-]+$")] = "NOTES.md"


def make(name: str, config: AgentConfig, options: Options) -> NotesAgent:
    return NotesAgent(name, config, options)


class NotesAgent:
    """`orch.ports.Agent`; what all agents have in common is `orch.agents`' business."""

    def __init__(self, name: str, config: AgentConfig, options: Options) -> None:
        self.name = name
        self.reply = config.reply
        self.io = config.io
        self.timeout_s = config.timeout_s
        self._config = config
        self._options = options

    def launch(self, request: AgentRequest, environ: Mapping[str, str]) -> Launch:
        argv = ("sh", "-c", SCRIPT, "sh", self._options.file)
        return command.launch(self.name, self._config, argv, request, environ)

    def judge(
        self, reply_mode: ReplyMode, facts: AttemptFacts, schema: Mapping[str, Any] | None = None
    ) -> Verdict:
        return reply.judge(reply_mode, facts, agent=self.name, schema=schema)

    def probe(self, environ: Mapping[str, str]) -> str:
        return command.missing(self.name, self._config, "sh", environ)
