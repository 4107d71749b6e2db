"""Agents by name, as they are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.agents.command import CommandAgent
from orch.agents.scripted import ScriptedAgent
from orch.model.errors import NotFound, UsageError
from orch.model.naming import nearest
from orch.ports import Agent

if TYPE_CHECKING:
    from orch.config import Config

KINDS: dict[str, type[CommandAgent]] = {"command": CommandAgent, "scripted": ScriptedAgent}


class Registry:
    """The agents of one configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def names(self) -> list[str]:
        return sorted(self._config.agents)

    def get(self, name: str) -> Agent:
        """`NotFound` names what is configured and what was perhaps meant."""
        config = self._config.agents.get(name)
        if config is None:
            raise self._unknown(name)
        return KINDS[config.kind](name, config)

    def choose(self, asked: str | None, run: str) -> str:
        """The effect's > the run's > `[defaults] agent` > the only one configured > an error."""
        wanted = asked or run or self._config.defaults.agent
        if wanted:
            if wanted not in self._config.agents:
                raise self._unknown(wanted)
            return wanted
        names = self.names()
        if len(names) == 1:
            return names[0]
        if not names:
            raise UsageError(
                "no agent is configured", code="no_agent",
                hint='add to config.toml: [agents.mine] command = ["PROGRAM", "ARG"]',
            )  # fmt: skip
        raise UsageError(
            f"which agent? Configured are {', '.join(names)}", code="agent_needed",
            hint=f"--agent {names[0]} (or in config.toml: [defaults] agent = \"{names[0]}\")",
        )  # fmt: skip

    def _unknown(self, name: str) -> NotFound:
        names = self.names()
        similar = nearest(name, names)
        meant = f"; did you mean {similar[0]!r}?" if similar else ""
        listed = ", ".join(names) or "none"
        return NotFound(
            f"there is no agent {name!r}{meant} (configured: {listed})", code="unknown_agent",
            hint=f"[agents.{name}] command = [...] in config.toml",
        )  # fmt: skip
