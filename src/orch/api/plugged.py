"""What is installed beside Orch, looked at one by one: which plugins there are, and which are broken.

Invariant: changes nothing and runs no workflow; a plugin that is broken is a line, not an end.
"""

from __future__ import annotations

from typing import NamedTuple

from orch import plugins
from orch.api.workflows import NAME
from orch.model.errors import OrchError
from orch.plugins import Plugin
from orch.workflow.sources import builtin_names


class Examined(NamedTuple):
    """`problem` is one sentence on what is wrong, empty when nothing is; `fix` the command that
    helps; `note` what a person should know all the same."""

    plugin: Plugin
    problem: str = ""
    fix: str = ""
    note: str = ""


def examine() -> list[Examined]:
    """Every plugin of another distribution, by group and name."""
    return [_examined(plugin) for plugin in plugins.foreign()]


def _examined(plugin: Plugin) -> Examined:
    if plugin.group in plugins.RESERVED:
        return Examined(plugin, note="not used: this version of Orch has no port for it yet")
    try:
        if plugin.group == plugins.WORKFLOWS:
            hidden = plugin.name in builtin_names()
            if not NAME.fullmatch(plugin.name):
                raise plugin.broken("has a name that cannot be asked for", code="plugin_shape")
            plugins.place(plugin)
        else:
            hidden = plugin.name in plugins.SHIPPED[plugin.group]
            plugins.load(plugin)
        if not hidden:
            plugins.find(plugin.group, plugin.name)  # refuses a name that several packages bring
    except OrchError as error:
        return Examined(plugin, error.message, error.hint)
    return Examined(plugin, note="not used: Orch ships one of that name" if hidden else "")
