"""Agents of plugins: what their code raises ends one attempt, and names whose code it is.

Invariant: errors of ours pass as they are; of anybody else's nothing reaches the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orch.model.attempt import Launch, ReplyMode, Verdict
from orch.model.errors import OrchError
from orch.plugins import Plugin
from orch.ports import Agent, AgentRequest, AttemptFacts, Took


class GuardedAgent:
    """`orch.ports.Agent` around one of a plugin's."""

    def __init__(self, agent: Agent, plugin: Plugin) -> None:
        self.name = agent.name
        self.reply = agent.reply
        self.io = agent.io
        self.timeout_s = agent.timeout_s
        self.resumes = bool(getattr(agent, "resumes", False))
        self.thread_usage = bool(getattr(agent, "thread_usage", False))
        self.asks = False
        self.idle_s = float(getattr(agent, "idle_s", 0.0))
        self.took: Took | None = None
        self._agent = agent
        self._plugin = plugin

    def launch(self, request: AgentRequest, environ: Mapping[str, str]) -> Launch:
        with self._plugin.blamed("gave no command line"):
            return self._agent.launch(request, environ)

    def judge(
        self, reply: ReplyMode, facts: AttemptFacts, schema: Mapping[str, Any] | None = None
    ) -> Verdict:
        """An attempt that cannot be judged has failed: it has ended, and never judges better."""
        try:
            with self._plugin.blamed("gave no verdict"):
                return self._agent.judge(reply, facts, schema)
        except OrchError as error:
            return Verdict(ok=False, code=error.code, message=error.message, retry=False)

    def session(self, stdout: bytes) -> str:
        """A plugin of an earlier release knows no conversations."""
        asked = getattr(self._agent, "session", None)
        if asked is None:
            return ""
        with self._plugin.blamed("does not tell its conversation"):
            return str(asked(stdout))

    def probe(self, environ: Mapping[str, str]) -> str:
        try:
            with self._plugin.blamed("cannot be asked"):
                return self._agent.probe(environ)
        except OrchError as error:
            return f"agent {self.name}: {error.message}"
