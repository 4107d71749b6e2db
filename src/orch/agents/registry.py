"""Agents by name, as they are configured.

Invariant: a name gives an agent only if a person configured it; nothing is guessed, and what a
workflow or a flag asks for is never replaced by something else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from orch.agents.command import CommandAgent
from orch.agents.scripted_agent import ScriptedAgent
from orch.config import AgentConfig, Config
from orch.model.errors import NotFound, UsageError
from orch.model.naming import nearest
from orch.ports import Agent

Maker = Callable[[str, AgentConfig], Agent]


def _scripted(name: str, config: AgentConfig) -> Agent:
    return ScriptedAgent(name, config, python=sys.executable)


KINDS: Mapping[str, Maker] = {"command": CommandAgent, "scripted": _scripted}
"""What makes an agent of each `kind`."""


class Registry:
    """The agents of one configuration."""

    def __init__(
        self, config: Config, kinds: Mapping[str, Maker] = KINDS, *, path: str = ""
    ) -> None:
        """`path` is where installed programs are looked for when none is configured."""
        self._config = config
        self._kinds = kinds
        self._path = path

    def names(self) -> list[str]:
        return sorted(self._config.agents)

    def get(self, name: str) -> Agent:
        """Raises `NotFound` (`unknown_agent`) with the nearest names and the configured ones."""
        config = self._config.agents.get(name)
        if config is None:
            raise self._unknown(name)
        return self._kinds[config.kind](name, config)

    def choose(self, asked: str | None, run: str) -> str:
        """The effect's > the run's (`--agent`) > `[defaults] agent` > the only one > an error."""
        wanted = asked or run or self._config.defaults.agent
        if wanted:
            if wanted not in self._config.agents:
                raise self._unknown(wanted)
            return wanted
        names = self.names()
        if len(names) == 1:
            return names[0]
        if not names:
            raise self._none()
        raise UsageError(
            f"several agents are configured and none was chosen: {', '.join(names)}",
            code="agent_needed",
            hint=f'--agent {names[0]}, or agent = "{names[0]}" in [defaults] of config.toml',
        )

    def _none(self) -> UsageError:
        """No agent at all: the installed ones are named, none is taken."""
        from orch.agents.known import installed

        found = installed(self._path) if self._path else []
        if not found:
            return UsageError("no agent is configured", code="no_agent", hint=self._example("mine"))
        names = " and ".join(known.name for known in found)
        lines = found[0].lines().replace("\n", " ")
        verb = "is" if len(found) == 1 else "are"
        return UsageError(
            f"no agent is configured; {names} {verb} installed: {lines}",
            code="no_agent",
            hint=found[0].set_command(),
        )

    def _unknown(self, name: str) -> NotFound:
        names = self.names()
        similar = nearest(name, names)
        meant = f"; did you mean {' or '.join(similar)}?" if similar else ""
        listed = ", ".join(names) or "none"
        return NotFound(
            f'there is no agent "{name}"{meant} (configured: {listed})',
            code="unknown_agent",
            hint=f"--agent {similar[0]}" if similar else self._example(name),
        )

    def _example(self, name: str) -> str:
        return (
            f'add to {self._config.home}/config.toml: [agents.{name}] command = ["PROGRAM", "ARG"]'
        )
