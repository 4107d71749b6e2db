"""Plugins: adapters and workflows of other distributions, found by their entry points.

What an entry point must name, group by group, and what `PLUGIN_API` promises, is in
`docs/plugins.md`.

Invariants:

- A name that Orch ships means what Orch ships, whatever is installed beside it; those names are
  found without `importlib.metadata`, which costs 40 ms (docs/adr/0007-plugins.md).
- Nothing is looked for until another name is asked for, and nothing of a distribution is imported
  until its own name is used. Whatever goes wrong in there ends as one `OrchError` that names the
  distribution.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, TypeVar, cast

import msgspec

from orch._version import __version__
from orch.model.errors import Conflict, NotFound, OrchError, ToolFailed
from orch.model.naming import nearest

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution

    from orch.ports import Clock, Git

PLUGIN_API = 1
"""The version of `Agent`, `Tracker` and `Forge`, of what their plugins are made from, and of what
`orch.testing` asks of them. It changes when a plugin that was right would not be any more."""
AGENTS, TRACKERS, FORGES = "orch.agents", "orch.trackers", "orch.forges"
SOURCES = "orch.sources"
WORKFLOWS = "orch.workflows"
RESERVED = ("orch.channels", "orch.sandboxes")
"""Groups whose port is still to come: what is registered there is listed, and never imported."""
_IMPORTING = threading.RLock()
WORDS = {
    AGENTS: "kind of agent",
    TRACKERS: "tracker",
    FORGES: "forge",
    SOURCES: "kind of source",
    WORKFLOWS: "workflow",
    "orch.channels": "channel",
    "orch.sandboxes": "sandbox",
}
PORTS = {AGENTS: "AgentPlugin", TRACKERS: "Tracker", FORGES: "Forge", SOURCES: "TicketSource"}
OURS = "orch-conductor"
SHIPPED: dict[str, dict[str, str]] = {
    AGENTS: {
        "acp": "orch.agents.acp",
        "aider": "orch.agents.aider",
        "claude": "orch.agents.claude",
        "codex": "orch.agents.codex",
        "command": "orch.agents.command",
        "copilot": "orch.agents.copilot",
        "gemini": "orch.agents.gemini",
        "kimi": "orch.agents.kimi",
        "minimax": "orch.agents.minimax",
        "opencode": "orch.agents.opencode",
        "qwen": "orch.agents.qwen",
        "scripted": "orch.agents.scripted_agent",
        "vibe": "orch.agents.vibe",
    },
    TRACKERS: {"vault": "orch.trackers.vault"},
    FORGES: {
        "forgejo": "orch.forges.gitea",
        "gitea": "orch.forges.gitea",
        "github": "orch.forges.github",
        "gitlab": "orch.forges.gitlab",
        "local": "orch.forges.local",
    },
    SOURCES: {
        "forgejo": "orch.trackers.gitea",
        "gitea": "orch.trackers.gitea",
        "github": "orch.trackers.github",
        "gitlab": "orch.trackers.gitlab",
        "jira": "orch.trackers.jira",
        "linear": "orch.trackers.linear",
    },
}
"""The adapters of pyproject.toml's own entry points, known without reading any metadata."""

Answer = TypeVar("Answer")


class Plugin(NamedTuple):
    """An entry point: `value` is the module that it names."""

    group: str
    name: str
    value: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"the {WORDS[self.group]} {self.name} of {self.distribution} {self.version}"

    @property
    def foreign(self) -> bool:
        return self.distribution != OURS

    def broken(self, what: str, *, code: str = "plugin_broken", hint: str = "") -> ToolFailed:
        """The error for a fault in this plugin; `what` completes the sentence."""
        return ToolFailed(
            f"{self} {what}",
            code=code,
            hint=hint or f"pip install --upgrade {self.distribution}, then: orch doctor",
            distribution=self.distribution,
            version=self.version,
        )

    @contextlib.contextmanager
    def blamed(self, doing: str) -> Iterator[None]:
        """What the plugin's code raises, other than errors of ours, is its fault."""
        try:
            yield
        except OrchError:
            raise
        # It is somebody else's code: whatever it raises must not end more than its own name.
        except (Exception, SystemExit) as error:
            raise self.broken(f"{doing}: {_sentence(error)}") from error


class Premises(msgspec.Struct, frozen=True, kw_only=True):
    """What a tracker or a forge gets to work with. `directory` is its own place in Orch's home, which
    it makes when it needs it; `environ` is the caller's environment; `settings` is `[forges.NAME]` (a
    `orch.config.ForgeConfig`) of a forge that has one, and `table` where that is written (it may be
    `sources.NAME`), for errors; `accounts` (`orch.hosts.accounts.Accounts` or
    None) is where what is asked of remote services is entered. Fields may be added."""

    name: str
    directory: Path
    environ: Mapping[str, str]
    clock: Clock
    git: Git
    settings: Any = None
    table: str = ""
    accounts: Any = None


def find(group: str, name: str) -> Plugin | None:
    """What `name` means in `group`, None where nothing does. Imports nothing of it.
    `Conflict(plugin_ambiguous)` when several distributions bring it."""
    if name in SHIPPED.get(group, {}):
        return Plugin(group, name, SHIPPED[group][name], OURS, __version__)
    found = [plugin for plugin in foreign(group) if plugin.name == name]
    if len(found) > 1:
        owners = [f"{plugin.distribution} {plugin.version}" for plugin in found]
        raise Conflict(
            f"the {WORDS[group]} {name} is brought by several packages: {', '.join(owners)}",
            code="plugin_ambiguous",
            hint=f"pip uninstall {found[-1].distribution}",
        )
    return found[0] if found else None


def names(group: str) -> list[str]:
    """Every name in `group`."""
    installed = {plugin.name for plugin in foreign(group)}
    return sorted(installed | SHIPPED.get(group, {}).keys())


def foreign(group: str = "") -> list[Plugin]:
    """What other distributions bring (to `group`), by group and name; imports nothing of them."""
    found = (plugin for plugin in _scanned(tuple(sys.path)).plugins if plugin.foreign)
    return [plugin for plugin in found if group in ("", plugin.group)]


def unreadable() -> list[str]:
    """One sentence for each distribution whose entry points cannot be read."""
    return list(_scanned(tuple(sys.path)).problems)


def make(group: str, name: str, *given: Any) -> Any:
    """The adapter that the module of `name` makes of `given`: an object that fits the group's port.
    `NotFound(unknown_plugin)`, and `ToolFailed` (`plugin_broken`, `plugin_api`, `plugin_shape`)."""
    plugin = find(group, name)
    if plugin is None:
        raise unknown(group, name)
    return build(plugin, *given)


def build(plugin: Plugin, *given: Any) -> Any:
    """`make` for a plugin that was found."""
    maker: Callable[..., Any] = load(plugin).make
    with plugin.blamed("cannot be made"):
        made = maker(*given)
    lacking = [word for word in _members(plugin.group) if not hasattr(made, word)]
    if lacking:
        raise plugin.broken(f"has no {', no '.join(lacking)}", code="plugin_shape")
    return made


def load(plugin: Plugin) -> Any:
    """Its module, imported, and proven to be written for this version of Orch."""
    if plugin.group in RESERVED:
        raise plugin.broken(
            "is not loaded: this version of Orch has no port for it yet", code="plugin_reserved",
            hint="pip install --upgrade orch-conductor",
        )  # fmt: skip
    module_name, _, attribute = plugin.value.partition(":")
    with plugin.blamed("cannot be imported"), _aside(plugin):
        loaded: Any = importlib.import_module(module_name)
        for part in filter(None, attribute.split(".")):
            loaded = getattr(loaded, part)
    version = getattr(loaded, "PLUGIN_API", None)
    if version != PLUGIN_API:
        raise _other_version(plugin, version)
    if not callable(getattr(loaded, "make", None)):
        raise plugin.broken("has no function make", code="plugin_shape")
    return loaded


@contextlib.contextmanager
def _aside(plugin: Plugin) -> Iterator[None]:
    """What a foreign one prints while it is imported is not the answer of the command that needs it.
    Other threads go on to answer meanwhile, and no two imports undo each other's."""
    if not plugin.foreign:
        yield
        return
    with _IMPORTING, contextlib.redirect_stdout(cast(TextIO, _Aside(sys.stdout))):
        yield


class _Aside:
    """stderr for the thread that made it, for all others what was there before."""

    def __init__(self, before: TextIO) -> None:
        self._before = before
        self._thread = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        mine = threading.get_ident() == self._thread
        return getattr(sys.stderr if mine else self._before, name)


def _other_version(plugin: Plugin, version: object) -> ToolFailed:
    if not isinstance(version, int):
        what = f"does not say PLUGIN_API = {PLUGIN_API}"
        return plugin.broken(what, code="plugin_api")
    newer = OURS if version > PLUGIN_API else plugin.distribution
    return plugin.broken(
        f"is written for plugin API {version}, this Orch has {PLUGIN_API}", code="plugin_api",
        hint=f"pip install --upgrade {newer}",
    )  # fmt: skip


def unknown(group: str, name: str) -> NotFound:
    """The error for a name that nothing has, with what there is."""
    known = names(group)
    near = nearest(name, known)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return NotFound(
        f'there is no {WORDS[group]} "{name}"{meant} (known: {", ".join(known)})',
        code="unknown_plugin",
        hint="orch doctor (lists what is installed)",
    )


class Place(NamedTuple):
    """Where a plugin's workflow is: what it is imported as, its file, the folder that its
    distribution's top module lies in, and that module's name."""

    module: str
    path: Path
    root: Path
    package: str


def place(plugin: Plugin) -> Place:
    """The source of a workflow, found without running any of it."""
    from importlib.util import find_spec

    module, colon, _ = plugin.value.partition(":")
    if colon:
        raise plugin.broken("names a function, not the module it is in", code="plugin_shape")
    top, *below = module.split(".")
    with plugin.blamed("cannot be found"):
        spec = find_spec(top)
    for path, root in _files(spec, below) if spec else ():
        if path.suffix == ".py" and path.is_file():
            return Place(module, path, root, top)
    raise plugin.broken(f"has no source: there is no file for {module}", code="plugin_shape")


def _files(spec: ModuleSpec, below: list[str]) -> Iterator[tuple[Path, Path]]:
    """Where the source of a module `below` a top one may be, with the folder of the top one."""
    for folder in map(Path, spec.submodule_search_locations or ()):
        if folder.name == spec.name:
            place = folder.joinpath(*below)
            yield place / "__init__.py", folder.parent
            yield place.with_name(f"{place.name}.py"), folder.parent
    if spec.origin and not below:
        yield Path(spec.origin), Path(spec.origin).parent


class _Scan(NamedTuple):
    plugins: tuple[Plugin, ...]
    problems: tuple[str, ...]


@functools.lru_cache(maxsize=4)
def _scanned(path: tuple[str, ...]) -> _Scan:
    """Everything on `path`: what a long-lived process sees of an installation is what was there when
    it first looked, as with the modules that it has imported."""
    from importlib import metadata

    found: dict[str, list[Plugin]] = {}
    problems: list[str] = []
    for distribution in metadata.distributions(path=list(path)):
        try:
            plugins = _entries(distribution)
        except Exception as error:  # noqa: BLE001 - one broken distribution hides no other
            place = getattr(distribution, "_path", "a distribution")
            problems.append(f"{place} cannot be read: {_sentence(error)}")
            continue
        for plugin in plugins[:1]:  # the first one on the path is the one that is imported
            found.setdefault(plugin.distribution, plugins)
    ordered = sorted(plugin for plugins in found.values() for plugin in plugins)
    return _Scan(tuple(ordered), tuple(problems))


def _entries(distribution: Distribution) -> list[Plugin]:
    entries = [entry for entry in distribution.entry_points if entry.group in WORDS]
    if not entries:
        return []  # reading the rest of its metadata would cost more than all entry points
    owner, version = distribution.metadata["Name"].lower().replace("_", "-"), distribution.version
    return [Plugin(entry.group, entry.name, entry.value, owner, version) for entry in entries]


def _members(group: str) -> list[str]:
    """What the group's Protocol asks for."""
    from orch import ports

    port: type = getattr(ports, PORTS[group])
    methods = [word for word, value in vars(port).items() if callable(value)]
    return sorted(w for w in {*methods, *port.__annotations__} if not w.startswith("_"))


def _sentence(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"[:300] if words else type(error).__name__
