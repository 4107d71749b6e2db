"""Agents of plugins: what their code raises ends one attempt, and names whose code it is.

Invariant: errors of ours pass as they are; of anybody else's nothing reaches the engine.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from orch.agents.words import one_line, printable
from orch.model import typed
from orch.model.attempt import Launch, ReplyMode, Verdict
from orch.model.errors import OrchError
from orch.model.report import Action
from orch.plugins import Plugin
from orch.ports import Acts, Agent, AgentRequest, AttemptFacts, Took

LIMIT = 10_000
"""Characters of an action's text that are looked at."""
MOST = 100
"""Actions of one record."""


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

    @property
    def acts(self) -> Acts | None:
        """Of an agent that has one (`orch.ports.Acts`)."""
        with self._plugin.blamed("has no usable acts"):
            found = getattr(self._agent, "acts", None)
        return self._acts if callable(found) else None

    def _acts(self, record: dict[str, Any]) -> Iterator[Action]:
        """Whatever comes out is an action of bounded size, or the plugin's fault."""
        given: Any = self._agent
        with self._plugin.blamed("cannot say what it does"):
            given_acts = itertools.islice(given.acts(record), MOST)
            found = [typed.convert(msgspec.to_builtins(one), Action) for one in given_acts]
        for one in found:
            text = printable(one.text[:LIMIT]) if one.part else one_line(one.text[:LIMIT])
            yield msgspec.structs.replace(one, text=text, tool=one_line(one.tool[:LIMIT], 60))

    def probe(self, environ: Mapping[str, str]) -> str:
        try:
            with self._plugin.blamed("cannot be asked"):
                return self._agent.probe(environ)
        except OrchError as error:
            return f"agent {self.name}: {error.message}"
