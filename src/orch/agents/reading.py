"""The reader of an agent's output, by the name of a configured agent or of a kind of agent."""

from __future__ import annotations

from orch import plugins
from orch.agents import plain
from orch.agents.output import Reader
from orch.config import Config
from orch.model.errors import NotFound
from orch.model.naming import nearest


def reader(config: Config, name: str) -> Reader:
    """A configured agent's before a kind's. Raises `NotFound` (`unknown_agent`)."""
    configured = config.agents.get(name)
    kind = configured.kind if configured is not None else name
    plugin = plugins.find(plugins.AGENTS, kind)
    if plugin is None:
        raise _unknown(config, name)
    found: Reader = getattr(plugins.load(plugin), "read", plain.read)
    return found


def _unknown(config: Config, name: str) -> NotFound:
    known = sorted({*config.agents, *plugins.names(plugins.AGENTS)})
    near = nearest(name, known)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return NotFound(
        f'there is no agent and no kind of agent "{name}"{meant} (known: {", ".join(known)})',
        code="unknown_agent", hint=f"--agent {near[0] if near else known[0]}",
    )  # fmt: skip
