"""Where a repository's tickets live: the sources of the configuration, added, listed, removed.

Invariant: what is asked for is checked as a whole before the file is touched; removing a source
forgets what was remembered of its tickets and no task.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orch import plugins
from orch.config.explain import plain
from orch.config.secret import SecretUnavailable
from orch.config.source_tree import NAME, SourceConfig
from orch.model import typed
from orch.model.errors import (
    ConfigError,
    Conflict,
    NotFound,
    OrchError,
    SignInNeeded,
    UsageError,
)
from orch.model.naming import moment, nearest

VAULT = "vault"
"""The source that is there without a table."""

if TYPE_CHECKING:
    from orch.api.facade import Orch
    from orch.model.ticket_books import SourceState


def wanted(orch: Orch, repo: str, kind: str, name: str, given: dict[str, Any], more: str) -> Any:
    """(name, the table that is to be added). `more` is JSON with further keys. `UsageError`."""
    slug = orch.repo(repo).slug
    if plugins.find(plugins.SOURCES, kind) is None:
        raise plugins.unknown(plugins.SOURCES, kind)
    table = {"kind": kind, "repo": slug, **_more(more)}
    table |= {key: value for key, value in given.items() if value not in ("", (), None)}
    known = list(SourceConfig.__struct_fields__)
    for key in table:
        if key not in known:
            near = nearest(key, known)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(
                f"a source has no key {key!r}{meant}", code="unknown_config_key",
                hint=f"known here: {', '.join(known)}",
            )  # fmt: skip
    if name and not re.fullmatch(NAME, name):
        raise UsageError(
            f"a source cannot be called {name!r}: small letters, digits, _ and -, at most 40",
            code="bad_name", hint=f"--name {slug[:40]}-{kind}",
        )  # fmt: skip
    if name == VAULT:
        raise UsageError(
            f"{VAULT} is what the issues of this machine are called already", code="bad_name",
            hint=f"--name {slug[:40]}-{kind}",
        )  # fmt: skip
    _refuse_twice(orch, table)
    return name or _free_name(orch, slug, kind), table


def told_by_option(error: ConfigError, name: str, given: dict[str, Any]) -> UsageError:
    """What the configuration refuses of a new source, by the option that said it."""
    prefix = f"sources.{name}."
    key = str(error.data.get("key", "")).removeprefix(prefix)
    if not error.message.startswith(f"{prefix}{key}: "):
        return error
    option = f"--{key.replace('_', '-')}" if given.get(key) else f"--config ({key})"
    reason = error.message.removeprefix(f"{prefix}{key}: ")
    return UsageError(f"{option}: {reason}", code=error.code, hint="orch repo sources add --help")


def questions(kind: str) -> Sequence[tuple[str, str, str]]:
    """What a person is asked for a source of that kind: (key, question, what is usual)."""
    plugin = plugins.find(plugins.SOURCES, kind)
    if plugin is None:
        raise plugins.unknown(plugins.SOURCES, kind)
    asked: Sequence[tuple[str, str, str]] = getattr(plugins.load(plugin), "ASKS", ())
    return asked


def refuse_unusable(orch: Orch, name: str, config: SourceConfig) -> None:
    """What can be told without asking anybody: no project, one that cannot be, a bad option. A
    credential that is not at hand here may be so where the service runs."""
    try:
        made = orch.rooms.sources.made(name, config, orch.repo(config.repo))
        getattr(made, "project", "")
    except (SecretUnavailable, SignInNeeded):
        return
    except ConfigError as error:
        if error.code != "no_project":
            raise
        again = f"orch repo sources add {config.repo} --type {config.kind} --project OWNER/NAME"
        raise ConfigError(error.message, code=error.code, hint=again) from error


def _refuse_twice(orch: Orch, table: dict[str, Any]) -> None:
    """The tickets of one project are told of by one source: two would make two tasks of each."""
    wanted = _reads(orch, _told(table))
    for name, config in orch.rooms.config(None).sources.items():
        if _reads(orch, config) == wanted:
            raise Conflict(
                f"the source {name} reads these tickets for {config.repo} already",
                code="source_exists",
                hint=f"orch tickets sync {name}, or first: orch repo sources remove {config.repo} "
                f"{name}",
            )  # fmt: skip


def _reads(orch: Orch, config: SourceConfig) -> tuple[str, ...]:
    """What stands for the tickets that a source reads, however its table spells it."""
    project = config.project
    try:
        made = orch.rooms.sources.made("new", config, orch.repo(config.repo))
        project = str(getattr(made, "project", "")) or project
    except OrchError:
        pass  # what cannot be told yet is compared as it is written
    project = project.strip("/").casefold() or f"of {config.repo}"
    kind = "gitea" if config.kind == "forgejo" else config.kind
    return kind, config.base_url.rstrip("/").casefold(), project, config.query.strip()


def _told(table: dict[str, Any]) -> SourceConfig:
    """A table that is not configured yet, without its credentials."""
    return typed.convert(
        {key: value for key, value in table.items() if key not in ("user", "token", "secrets")},
        SourceConfig,
        strict=False,
    )


def _more(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        read = json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"--config is no JSON: {error}", code="bad_config",
            hint="""--config '{"project": "PROJ", "base_url": "https://example.org"}'""",
        ) from error  # fmt: skip
    if not isinstance(read, dict):
        raise UsageError("--config is no JSON object", code="bad_config", hint="--config '{}'")
    return read


def _free_name(orch: Orch, slug: str, kind: str) -> str:
    """The repository's own name for its first source, then with the kind, then with a number."""
    taken = orch.rooms.config(None).sources
    for name in (slug[:40], f"{slug[:30]}-{kind}"):
        if name not in taken and name != VAULT:
            return name
    return next(
        name for n in range(2, 1000) if (name := f"{slug[:26]}-{kind}-{n}") not in taken
    )  # fmt: skip


def record(
    orch: Orch, name: str, config: SourceConfig, state: SourceState | None
) -> dict[str, Any]:
    """One source as listings have it; credentials are masked."""
    rows = orch.store.tickets.tickets(name)
    shown = {
        key: value for key, value in plain(config).items()
        if key in ("kind", "repo") or getattr(config, key) != getattr(SourceConfig(), key)
    }  # fmt: skip
    return {
        "name": name, "kind": config.kind, "repo": config.repo,
        "project": config.project or _project(orch, name),
        "base_url": config.base_url, "start": config.start, "label": config.label,
        "write": config.write, "tickets": len(rows), "open": sum(row.open for row in rows),
        "synced_at": moment(state.looked_at) if state and state.looked_at else None,
        "due_at": moment(state.due) if state and state.due else None,
        "error": state.error if state else "", "config": shown,
    }  # fmt: skip


def _project(orch: Orch, name: str) -> str:
    """What the repository's remote says; empty where nobody can tell."""
    try:
        return str(getattr(orch.rooms.sources.open(name), "project", ""))
    except OrchError:
        return ""


def listing(orch: Orch, repo: str = "") -> list[dict[str, Any]]:
    """All sources, or those of one repository, by name."""
    slug = orch.repo(repo).slug if repo else ""
    states = {state.name: state for state in orch.store.tickets.states()}
    return [
        record(orch, name, config, states.get(name))
        for name, config in sorted(orch.rooms.config(None).sources.items())
        if slug in ("", config.repo)
    ]


def find(orch: Orch, name: str) -> SourceConfig:
    known = orch.rooms.config(None).sources
    if name in known:
        return known[name]
    near = nearest(name, list(known))
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise NotFound(
        f"there is no source {name!r}{meant}", code="unknown_source", hint="orch repo sources list"
    )


def may_remove(orch: Orch, repo: str, name: str) -> list[int]:
    """The tasks of its tickets that are not over (they stay, and are told of nowhere any more)."""
    config = find(orch, name)
    if orch.repo(repo).slug != config.repo:
        raise Conflict(
            f"the source {name} is for {config.repo}, not for {repo}", code="other_repo",
            hint=f"orch repo sources remove {config.repo} {name}",
        )  # fmt: skip
    live = [task for task in orch.store.tasks_of_sources() if task.issue.startswith(f"{name}:")]
    return [task.id for task in live if task.state not in ("done", "cancelled")]


def probe(orch: Orch, name: str) -> str:
    """One sentence on what keeps a source from being read; empty when nothing does."""
    lacks, hint = probed(orch, name)
    return f"{lacks} ({hint})" if hint else lacks


def probed(orch: Orch, name: str) -> tuple[str, str]:
    """What keeps a source from being read, and what mends it; both empty when nothing does."""
    try:
        source = orch.rooms.sources.open(name)
        ask = getattr(source, "probe", None)
        if ask is not None:
            said: str = ask()
            return said, ""
        source.me()
    except OrchError as error:
        return error.message, error.hint
    return "", ""


def stats(orch: Orch) -> list[dict[str, Any]]:
    """For each source: how many tickets stand how, how many have tasks, and why others have none."""
    found = []
    configured, with_tasks = orch.rooms.config(None).sources, orch.store.tasks_of_sources()
    for name in sorted({*configured, *(state.name for state in orch.store.tickets.states())}):
        rows = orch.store.tickets.tickets(name)
        if not rows and name not in configured:
            continue  # it was removed
        tasks = [task for task in with_tasks if task.issue.startswith(f"{name}:")]
        reports = [orch.store.tickets.report(task.id) for task in tasks]
        found.append(
            {
                "source": name, "open": sum(row.open for row in rows),
                "closed": sum(not row.open for row in rows),
                "gone": sum(row.gone for row in rows), "tasks": len(tasks),
                "done": sum(task.state == "done" for task in tasks),
                "unwritten": sum(1 for one in reports if one is not None and one.error),
            }
        )  # fmt: skip
    return found


def encoded(table: dict[str, Any]) -> dict[str, Any]:
    """As JSON shows it: credentials masked."""
    config = _told(table)
    shown: dict[str, Any] = plain(config)
    return {key: shown[key] for key in table if key in shown} | {
        key: "***" for key in ("user", "token", "secrets") if key in table
    }
