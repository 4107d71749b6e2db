"""Agents by name, as they are configured; each of a kind that Orch ships or a plugin brings.

Invariant: a name gives an agent only if a person configured it; nothing is guessed, and what a
workflow or a flag asks for is never replaced by something else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from orch import plugins
from orch.agents.guarded import GuardedAgent
from orch.config import AgentConfig, Config
from orch.config.keys import dotted
from orch.model import typed
from orch.model.errors import ConfigError, NotFound, OrchError, UsageError
from orch.model.naming import nearest
from orch.model.repo import Repo
from orch.model.report import AgentState
from orch.plugins import Plugin
from orch.ports import Acts, Agent, Store, Took

_WHERE = re.compile(r" - at `\$\.?(?P<key>[^`]*)`$")


class Registry:
    """The agents of one configuration."""

    def __init__(self, config: Config, *, path: str = "") -> None:
        """`path` is where installed programs are looked for when none is configured."""
        self._config = config
        self._path = path

    def names(self) -> list[str]:
        return sorted(self._config.agents)

    def get(self, name: str) -> Agent:
        """Raises `NotFound` (`unknown_agent`) with the nearest names and the configured ones;
        `ConfigError` (`unknown_kind`, `config_invalid`) with file and line for a kind that is not
        installed and for options that it refuses; `ToolFailed` for a broken plugin."""
        config = self._config.agents.get(name)
        if config is None:
            raise self._unknown(name)
        plugin = plugins.find(plugins.AGENTS, config.kind)
        if plugin is None:
            missing = plugins.unknown(plugins.AGENTS, config.kind)
            path = ("agents", name, "kind")
            raise self._wrong(path, missing.message, code="unknown_kind", hint=missing.hint)
        agent: Agent = plugins.build(plugin, name, config, self._options(name, config, plugin))
        return GuardedAgent(agent, plugin) if plugin.foreign else agent

    def took(self, name: str) -> Took | None:
        """How a configured agent shows that it took a message; None for any other."""
        return self.get(name).took if name in self._config.agents else None

    def at_hand(self, environ: Mapping[str, str]) -> list[str]:
        """Known programs that are installed and no agent of this configuration."""
        from orch.agents.known import installed

        there = installed(environ.get("PATH", os.defpath))
        return [one.name for one in there if one.name not in self._config.agents]

    def state(self, name: str, environ: Mapping[str, str]) -> AgentState:
        """How an agent stands on this machine, also a known one that is not configured. Its program
        is asked for its version."""
        from orch.agents.known import NAMES, Known

        if name not in self._config.agents and name in NAMES:
            kind = plugins.find(plugins.AGENTS, name)
            assert kind is not None, "what is known is shipped"
            known = plugins.build(kind, name, AgentConfig(kind=name), None)
            found: AgentState = known.state(environ)
            steps = (Known(name).set_command(), found.fix)
            return msgspec.structs.replace(found, fix="; ".join(filter(None, steps)))
        agent = self.get(name)
        asked = getattr(agent, "state", None)
        if asked is not None:
            return typed.convert(asked(environ), AgentState)
        problem = agent.probe(environ)
        return AgentState(problem=problem.removeprefix(f"agent {name}: "))

    def acts(self, name: str) -> Acts | None:
        """What tells the actions in a record of its stream; None for a program of which nothing is
        known, and for an agent that cannot be made (any more)."""
        try:
            found: Acts | None = getattr(self.get(name), "acts", None)
        except OrchError:
            return None
        return found

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
            hint=f"--agent {names[0]}, or: orch config set defaults.agent {names[0]}",
        )

    def _none(self) -> UsageError:
        """No agent at all: the installed ones are named, none is taken."""
        from orch.agents.known import installed

        found = installed(self._path) if self._path else []
        if not found:
            return UsageError("no agent is configured", code="no_agent", hint=_example("mine"))
        names = " and ".join(known.name for known in found)
        lines = found[0].lines().replace("\n", " ")
        verb = "is" if len(found) == 1 else "are"
        return UsageError(
            f"no agent is configured; {names} {verb} installed: {lines}",
            code="no_agent",
            hint=found[0].set_command(),
        )

    def _options(self, name: str, config: AgentConfig, plugin: Plugin) -> Any:
        """The kind's own options, as its `Options` has them; None for a kind without."""
        shape = getattr(plugins.load(plugin), "Options", None)
        path = ("agents", name, "options")
        known: list[str] = []
        if shape is not None:
            with plugin.blamed("has no usable Options"):
                known = _fields(shape)
        hint = f"{plugin} knows: {', '.join(known) or 'no options'}"
        for key in config.options:
            if key not in known:
                near = nearest(key, known)
                meant = f"; did you mean {' or '.join(near)}?" if near else ""
                code = "config_unknown_key"
                raise self._wrong((*path, key), f"unknown option{meant}", code=code, hint=hint)
        if shape is None:
            return None
        try:
            with plugin.blamed("has no usable Options"):
                return _converted(config.options, shape)
        except _Misfit as error:
            raise self._wrong((*path, *error.inner), error.message, hint=hint) from error

    def _wrong(
        self, path: tuple[str, ...], message: str, *, code: str = "", hint: str = ""
    ) -> ConfigError:
        key = dotted(path)
        while len(path) > 1 and dotted(path) not in self._config.origins:
            path = path[:-1]
        origin = self._config.origin(dotted(path))
        return ConfigError(
            f"{origin}: {key}: {message}", code=code, hint=hint, file=origin.file,
            line=origin.line, key=key,
        )  # fmt: skip

    def _unknown(self, name: str) -> NotFound:
        names = self.names()
        similar = nearest(name, names)
        meant = f"; did you mean {' or '.join(similar)}?" if similar else ""
        listed = ", ".join(names) or "none"
        return NotFound(
            f'there is no agent "{name}"{meant} (configured: {listed})',
            code="unknown_agent",
            hint=f"--agent {similar[0]}" if similar else _example(name),
        )


class Home(Protocol):
    """What `Configured` needs of a home."""

    @property
    def store(self) -> Store: ...
    def config(self, repo: Repo | None) -> Config: ...
    def choose_agent(self, asked: str | None, run: str, repo: Repo | None) -> str: ...
    def agent_lacks(self, name: str) -> str: ...
    def reread(self) -> Sequence[str]: ...


class Configured:
    """The agents as each repository's configuration has them, read anew for each question."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def choose(self, asked: str | None, run: str, repo: str) -> str:
        return self._home.choose_agent(asked, run, self._home.store.repo(repo))

    def get(self, name: str) -> Agent:
        return Registry(self._home.config(None)).get(name)

    def took(self, name: str) -> Took | None:
        return Registry(self._home.config(None)).took(name)

    def startable(self, repo: str) -> list[str]:
        config = self._home.config(self._home.store.repo(repo))
        return [name for name in config.agents if not self._home.agent_lacks(name)]

    def refresh(self) -> None:
        self._home.reread()


def _example(name: str) -> str:
    """The command that makes an agent of this name; a name that needs quotes is left out."""
    from orch.agents.known import Known

    plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return Known(name if plain else "mine", ("PROGRAM", "ARG")).set_command()


class _Misfit(UsageError):
    """Options that do not fit; `inner` is the path of the one at fault."""

    def __init__(self, message: str, inner: tuple[str, ...]) -> None:
        super().__init__(message)
        self.inner = inner


def _fields(shape: Any) -> list[str]:
    from msgspec import inspect

    info: Any = inspect.type_info(shape)
    return [field.encode_name for field in info.fields]


def _converted(options: dict[str, Any], shape: Any) -> Any:
    try:
        return typed.convert(options, shape)
    except msgspec.ValidationError as error:
        text = str(error)
        match = _WHERE.search(text)
        message = (text[: match.start()] if match else text).replace("`", '"')
        inner = (match["key"].partition(".")[0].partition("[")[0],) if match else ()
        raise _Misfit(message[:1].lower() + message[1:], tuple(filter(None, inner))) from error
