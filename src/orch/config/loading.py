"""The configuration in force: layers, lowest first, made into one tree.

Built-in values, `<home>/config.toml`, the repository's `.orch.toml`, the command line. Within the
person's file `[repos.SLUG]` beats `[defaults]`; a repository's file beats both where it may speak at
all (see `narrowing`); the command line beats everything.

Invariant: a `Config` is complete and checked, or there is none. Loading reads two files at most and
runs nothing: references such as `cmd:` are resolved when an agent starts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import msgspec

from orch.config.care_tree import CareConfig, MetricsConfig
from orch.config.keys import Path, dotted
from orch.config.layers import BUILT_IN, Layer, Origin, from_file, from_flags
from orch.config.outreach_tree import HookLimits, NotifyConfig, RuleConfig
from orch.config.reading import Flat, Value, filled, named, overlay, read
from orch.config.review_tree import ReviewConfig
from orch.config.service_tree import (
    BreakerConfig,
    BudgetLimits,
    Metering,
    ModelMap,
    PriceConfig,
    RouterConfig,
    TimeoutConfig,
)
from orch.config.source_tree import ForgeConfig, SourceConfig
from orch.config.tree import (
    LISTS,
    NAMED,
    SECTIONS,
    AgentConfig,
    Defaults,
    GitIdentity,
    RetryPolicy,
    RunLimits,
    Service,
    Trust,
    WorktreeFiles,
)
from orch.model.errors import ConfigError, NotFound
from orch.model.naming import nearest

FILE = "config.toml"
REPOSITORY_FILE = ".orch.toml"
COMMANDED = ("acp", "command")
"""Kinds that are nothing without a `command`."""
OWN_KEYS = {"command": "command", "scripted": "script"}
"""The key that only agents of a kind have; those of other kinds have `options`."""
PROGRAMS = frozenset({
    "acp", "aider", "claude", "codex", "copilot", "gemini", "kimi", "minimax", "opencode", "qwen",
    "vibe",
})  # fmt: skip
"""Kinds of one program, for which `command` says how it is started here."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The tree. `repos` has the complete defaults of each `[repos.SLUG]`; `for_repo` applies them.
    `files` are the files that were read, in order."""

    home: str
    defaults: Defaults
    service: Service
    retry: RetryPolicy
    run: RunLimits
    git: GitIdentity
    trust: Trust
    worktree: WorktreeFiles
    agents: dict[str, AgentConfig]
    repos: dict[str, Defaults]
    router: RouterConfig
    model_map: ModelMap
    budget: dict[str, BudgetLimits]
    metering: Metering
    breakers: BreakerConfig
    timeouts: TimeoutConfig
    care: CareConfig
    metrics: MetricsConfig
    review: ReviewConfig
    prices: dict[str, PriceConfig]
    sources: dict[str, SourceConfig]
    forges: dict[str, ForgeConfig]
    hooks: HookLimits
    notify: NotifyConfig
    rules: tuple[RuleConfig, ...]
    files: tuple[str, ...]
    origins: dict[str, Origin]

    def for_repo(self, slug: str) -> Config:
        """The same with `defaults` as they are for this repository."""
        if slug not in self.repos:
            return self
        head = dotted(("repos", slug)) + "."
        moved = {
            f"defaults.{key.removeprefix(head)}": origin
            for key, origin in self.origins.items()
            if key.startswith(head)
        }
        kept = {k: o for k, o in self.origins.items() if not k.startswith("defaults.")}
        return msgspec.structs.replace(self, defaults=self.repos[slug], origins={**kept, **moved})

    def trusted(self, slug: str) -> bool:
        return slug in self.trust.repos

    def origin(self, key: str) -> Origin:
        """Where the value of `key` comes from, e.g. `agents.x.command` or `agents.x.command[1]`;
        `built-in` for a default. Raises `NotFound` for what is no key."""
        found = self.origins.get(key)
        if found is not None:
            return found
        if self._has(key):
            return Origin(BUILT_IN)
        near = nearest(key, list({**self.origins, **dict.fromkeys(_all_keys(self))}))
        raise NotFound(
            f"there is no configuration key {key}",
            code="unknown_config_key",
            hint=f"did you mean {' or '.join(near)}?" if near else "",
        )

    def _has(self, key: str) -> bool:
        return key in SECTIONS or key in NAMED or key in LISTS or key in _all_keys(self)


def home_from(environ: Mapping[str, str]) -> FilePath:
    """Orch's home: `ORCH_HOME`, else `CONDUCTOR_HOME`, else `~/.orch`; absolute. Nothing is made."""
    chosen = environ.get("ORCH_HOME") or environ.get("CONDUCTOR_HOME") or "~/.orch"
    if chosen == "~" or chosen.startswith("~/"):
        chosen = os.path.join(environ.get("HOME") or os.path.expanduser("~"), chosen[2:])
    return FilePath(os.path.abspath(chosen))


def load(
    home: FilePath,
    repo_path: FilePath | None,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    own: Layer | None = None,
    theirs: Layer | None = None,
) -> Config:
    """Read and check everything; with `own`, as if that were the person's file, with `theirs`
    the repository's.

    `repo_path` is a repository's main checkout (never a worktree, which an agent can write to), or
    None. `flags` are dotted keys (`{"defaults.agent": "x"}`); None values count as not given.
    Raises `ConfigError` with `file`, `line` and `key` in its data.
    """
    user_home = environ.get("HOME", "")
    own_file = str(home / FILE)
    own = own or from_file(home / FILE)
    person: Flat = read(own, user_home) if own else {}
    if own:
        _check_agents(own, person)
        _check_sources(own, person)
    repository = theirs or _repository_layer(repo_path)
    narrowed: Flat = {}
    if repository:
        from orch.config import narrowing

        narrowing.refuse_forbidden(repository, own_file)
        narrowed = read(repository, user_home)
        narrowing.check_values(repository, narrowed, person, own_file)
    agents = list(named(own, "agents")) if own else []
    for layer, flat in ((own, person), (repository, narrowed)):
        if layer:
            _check_chosen_agents(layer, flat, agents)
    given = _read_flags(flags, user_home)
    files = tuple(layer.file for layer in (own, repository) if layer)
    return _assembled(str(home), person, narrowed, given, own, files)


def _read_flags(flags: Mapping[str, Any], user_home: str) -> Flat:
    layer = from_flags(flags)
    for section in NAMED:
        if section in layer.raw:
            raise layer.error((section,), f"is set in {FILE}, not on the command line")
    return read(layer, user_home)


def _repository_layer(repo_path: FilePath | None) -> Layer | None:
    if repo_path is None:
        return None
    pointer = repo_path / ".git"
    with contextlib.suppress(OSError):
        if pointer.is_file() and b"/worktrees/" in pointer.read_bytes()[:4096]:
            raise ConfigError(
                f"{repo_path} is a linked worktree: {REPOSITORY_FILE} is read from the main checkout",
                code="config_not_main", file=str(repo_path / REPOSITORY_FILE), line=0,
            )  # fmt: skip
    return from_file(repo_path / REPOSITORY_FILE, repository=True)


def _assembled(
    home: str, person: Flat, narrowed: Flat, given: Flat, own: Layer | None, files: tuple[str, ...]
) -> Config:
    flat = overlay([person, narrowed, given])
    repos = {}
    for slug in named(own, "repos") if own else ():
        for_slug = _for_slug(slug, person, narrowed, given)
        repos[slug] = Defaults(**filled(Defaults, for_slug, ("repos", slug)))
        flat.update(for_slug)
    names = named(own, "agents") if own else ()
    agents = {name: AgentConfig(**filled(AgentConfig, flat, ("agents", name))) for name in names}
    tables = {
        section: {
            name: NAMED[section][0](**filled(NAMED[section][0], flat, (section, name)))
            for name in (named(own, section) if own else ())
        }
        for section in ("budget", "prices", "sources", "forges")
    }
    sections = {name: struct(**filled(struct, flat, (name,))) for name, struct in SECTIONS.items()}
    lists = {name: flat[name,].value if (name,) in flat else () for name in LISTS}
    values: dict[str, Any] = {**sections, **tables, **lists, "agents": agents, "repos": repos}
    return Config(home=home, files=files, origins=_origins(flat, own), **values)


def _for_slug(slug: str, person: Flat, narrowed: Flat, given: Flat) -> Flat:
    """The effective defaults of one repository, under `("repos", slug)`."""
    own = {path: value for path, value in person.items() if path[:2] == ("repos", slug)}
    layers = [_moved(person, slug), own, _moved(narrowed, slug), _moved(given, slug)]
    flat = overlay(layers)
    key: Path = ("repos", slug, "max_parallel")
    if own.get(key) and own[key].value and flat[key].value > own[key].value:
        flat[key] = own[key]  # the repository's file may only lower it
    return flat


def _moved(flat: Flat, slug: str) -> Flat:
    moved: Flat = {}
    for path, value in flat.items():
        if path[0] == "defaults":
            inner = {
                f"repos.{slug}.{key.removeprefix('defaults.')}": origin
                for key, origin in value.inner.items()
            }
            moved["repos", slug, *path[1:]] = Value(value.value, value.origin, inner)
    return moved


def _origins(flat: Flat, own: Layer | None) -> dict[str, Origin]:
    origins: dict[str, Origin] = {}
    for path, value in flat.items():
        origins[dotted(path)] = value.origin
        origins.update(value.inner)
    if own:
        tables: list[Path] = [(section,) for section in own.raw]
        tables += [(section, name) for section in NAMED for name in named(own, section)]
        origins.update((dotted(table), own.origin(table)) for table in tables)
    return origins


def _check_agents(layer: Layer, flat: Flat) -> None:
    """What one key alone cannot tell: an agent needs a program, of its kind."""
    for name in named(layer, "agents"):
        path: Path = ("agents", name)
        values = filled(AgentConfig, flat, path)
        kind = values.get("kind", "command")
        if kind in COMMANDED and "command" not in values:
            raise layer.error(
                path, "has no command", hint=f'command = ["program", …] in [agents.{name}]'
            )
        for key in ("command", "script", "options"):
            if key == "command" and kind in PROGRAMS:
                continue  # in the place of the program's name
            if key in values and key != OWN_KEYS.get(kind, "options"):
                raise layer.error(
                    (*path, key), f'has no meaning with kind = "{kind}"', hint=_kinds_with(key)
                )


def _check_sources(layer: Layer, flat: Flat) -> None:
    """A source is of a kind, and for a repository."""
    for name in named(layer, "sources"):
        values = filled(SourceConfig, flat, ("sources", name))
        for key, example in (("kind", "github"), ("repo", "thing")):
            if not values.get(key):
                hint = f'{key} = "{example}" in [sources.{name}]'
                raise layer.error(("sources", name), f"has no {key}", hint=hint)


def _kinds_with(key: str) -> str:
    kinds = [f'kind = "{kind}"' for kind, own in OWN_KEYS.items() if own == key]
    return f"{key} goes with {kinds[0]}" if kinds else f"{key} goes with a kind of a plugin"


def _check_chosen_agents(layer: Layer, flat: Flat, agents: list[str]) -> None:
    for path, value in flat.items():
        if _names_an_agent(path) and value.value:
            if value.value in agents:
                continue
            near = nearest(value.value, agents)
            listed = ", ".join(agents) or "none"
            raise layer.error(
                path,
                f'there is no agent "{value.value}"'
                + (f"; did you mean {' or '.join(near)}?" if near else ""),
                code="config_unknown_agent",
                hint=f"configured agents: {listed}",
            )


def _names_an_agent(path: Path) -> bool:
    return path[-1] in ("agent", "fallback") and path[0] in ("defaults", "repos", "router")


def _all_keys(config: Config) -> list[str]:
    keys = [f"{section}.{key}" for section in SECTIONS for key in _fields(section)]
    for section, (struct, _, _) in NAMED.items():
        for name in getattr(config, section):
            keys.append(f"{section}.{name}")
            keys += [f"{section}.{name}.{key}" for key in struct.__struct_fields__]
    return keys


def _fields(section: str) -> tuple[str, ...]:
    return SECTIONS[section].__struct_fields__
