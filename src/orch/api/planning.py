"""Planning a run: everything that can be refused is refused here, before anything changes.

Invariant: reads only. What comes out is a complete `CreateRun`; once it is journaled, the task is
acknowledged and never lost.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orch.model.command import CreateRun
from orch.model.errors import NotFound, OrchError, ToolFailed, UsageError
from orch.model.naming import nearest
from orch.model.repo import Repo
from orch.model.run import Owner, Run, Source
from orch.model.ticket import Ticket
from orch.ports import Git, Terminals
from orch.workflow.program import Program, Workflow
from orch.workflow.sources import (
    Modules,
    builtin_names,
    builtin_source,
    collect,
    entry_workflow,
    names_used,
    parse,
    read_source,
)

PUSHING = frozenset({"CreatePR", "Push"})
OLDEST_GIT = (2, 38)
OLDEST_TMUX = (3, 2)


def find_workflow(word: str) -> tuple[str, Source, Path | None]:
    """(name, entry module, folder of its siblings) of a template's name or a file's path."""
    path = Path(word)
    if word.endswith(".py") or os.sep in word:
        if not path.is_file():
            raise NotFound(
                f"there is no workflow file {word}",
                code="unknown_workflow",
                hint="orch run basic_pr --issue ISSUE-001",
            )
        resolved = path.resolve()
        return resolved.stem, read_source(resolved.stem, resolved), resolved.parent
    if word in builtin_names():
        return word, builtin_source(word), None
    known = builtin_names()
    similar = nearest(word, known)
    meant = f"; did you mean {similar[0]}?" if similar else ""
    raise NotFound(
        f"there is no workflow {word!r}{meant} Templates: {', '.join(known)}",
        code="unknown_workflow",
        hint=f"orch run {similar[0] if similar else known[0]} --issue ISSUE-001",
    )


def program_of(run: Run, modules: Modules) -> Program[Any]:
    """The program that a run's sources, entry and arguments stand for."""
    module, _, function = run.entry.partition(":")
    workflow: Workflow[Any] = getattr(modules.load(module), function)
    return workflow(**arguments(workflow, run.issue, run.params))


def arguments(
    workflow: Workflow[Any], issue: Ticket | None, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Bind `issue` and `params` to the workflow's own parameters by name, or refuse."""
    signature = inspect.signature(workflow.function)
    names = list(signature.parameters)
    free = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    given = dict(params)
    if "issue" in given and issue is not None:
        raise UsageError("the issue is given twice: --issue and in --params", code="bad_params")
    if issue is not None and ("issue" in names or free):
        given["issue"] = issue
    for name in given:
        if name not in names and not free:
            similar = nearest(name, names)
            meant = f"; did you mean {similar[0]!r}?" if similar else ""
            raise UsageError(
                f"the workflow {workflow.function.__name__} has no parameter {name!r}{meant}",
                code="bad_params",
                hint=f"its parameters: {', '.join(names) or 'none'}",
            )
    for name, parameter in signature.parameters.items():
        required = parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        )
        if required and name not in given:
            if name == "issue":
                raise UsageError(
                    f"the workflow {workflow.function.__name__} needs an issue",
                    code="issue_needed",
                    hint='orch issue create "TITLE", then --issue ISSUE-001',
                )
            raise UsageError(
                f"the workflow {workflow.function.__name__} needs the parameter {name!r}",
                code="bad_params",
                hint=f"--params '{{\"{name}\": ...}}'",
            )
    return given


class Preflight:
    """The checks of the tools and the disk. `room_mb` is the least free space, in MiB."""

    def __init__(self, git: Git, terminals: Terminals, room_mb: int) -> None:
        self._git = git
        self._terminals = terminals
        self._room_mb = room_mb

    def tools(self, *, tmux: bool) -> None:
        """git and tmux are there and new enough."""
        version = self._git.version()
        if version < OLDEST_GIT:
            raise _too_old("git", version, OLDEST_GIT)
        if tmux:
            version = self._terminals.version()
            if version < OLDEST_TMUX:
                raise _too_old("tmux", version, OLDEST_TMUX)

    def room(self, *folders: str) -> None:
        """There is space to work in, on every disk that would be written to."""
        for folder in folders:
            place = Path(folder)
            while not place.exists():
                place = place.parent
            figures = os.statvfs(place)
            free_mb = figures.f_bavail * figures.f_frsize / 2**20
            if free_mb < self._room_mb:
                raise ToolFailed(
                    f"the disk with {folder} is full: {free_mb:.1f} MiB free,"
                    f" {self._room_mb} MiB needed; nothing was changed",
                    code="disk_full",
                    hint="free some space and repeat the command",
                )


def _too_old(tool: str, version: tuple[int, ...], oldest: tuple[int, ...]) -> ToolFailed:
    return ToolFailed(
        f"{tool} {_dotted(version)} is too old; {_dotted(oldest)} or newer is needed",
        code=f"{tool}_too_old",
        hint=f"upgrade {tool}, then: orch doctor",
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


class RunPlan:
    """A workflow with its sources, checked against one repository and one set of agents."""

    def __init__(self, word: str) -> None:
        self.name, entry, root = find_workflow(word)
        self.sources = collect(entry, root)
        modules = Modules(self.sources)
        try:
            module = modules.load(entry.module)
        except OrchError:
            raise
        except Exception as error:
            raise UsageError(
                f"the workflow {entry.filename} cannot be loaded: {type(error).__name__}: {error}",
                code="workflow_broken",
            ) from error
        function, self.workflow = entry_workflow(module, entry)
        self.entry = f"{entry.module}:{function}"
        self.used = names_used(s for s in self.sources.values() if s.module != _composites())

    @property
    def pushes(self) -> bool:
        return bool(self.used & PUSHING)

    def needs_remote(self, repo: Repo) -> None:
        if self.pushes and not repo.remote_url:
            raise UsageError(
                f"the workflow {self.name} pushes, but the repository {repo.slug} has no remote",
                code="no_remote",
                hint=f"git -C {repo.local_path} remote add origin URL, then:"
                f" orch repo add {repo.local_path}",
            )

    def needs_agents(self, choose: Callable[[str | None], str], params: Mapping[str, Any]) -> None:
        """Every agent that can be known now is known: those named in parameters, and the default
        one where the workflow runs an agent without naming it."""
        if "RunAgent" not in self.used:
            return
        signature = inspect.signature(self.workflow.function)
        named = [name for name in signature.parameters if name.endswith("agent")]
        unnamed = self._runs_unnamed()
        for name in named:
            value = params.get(name, signature.parameters[name].default)
            if isinstance(value, str):
                choose(value)
            elif value is None:
                unnamed = True
        if unnamed:
            choose(None)

    def _runs_unnamed(self) -> bool:
        keywords = {"agent", "type", "agent_type"}
        for source in self.sources.values():
            for node in ast.walk(parse(source)):
                if isinstance(node, ast.Call) and _name(node.func) == "RunAgent":
                    given = {word.arg for word in node.keywords}
                    if not given & keywords and None not in given and len(node.args) < 3:
                        return True
        return False

    def command(
        self, *, run: str, repo: str, issue: Ticket | None, agent: str,
        params: Mapping[str, Any], owner: Owner | None,
    ) -> CreateRun:  # fmt: skip
        """The command that plans the run. Refuses arguments that do not fit."""
        arguments(self.workflow, issue, params)
        entry_module = self.entry.partition(":")[0]
        ordered: Sequence[Source] = sorted(
            self.sources.values(), key=lambda source: source.module != entry_module
        )
        return CreateRun(
            id=run, workflow=self.name, entry=self.entry, repo=repo,
            title=issue.title if issue else self.name, params=dict(params),
            sources=tuple(ordered), issue=issue, agent=agent, owner=owner,
        )  # fmt: skip


def _composites() -> str:
    from orch.workflow.sources import COMPOSITES

    return COMPOSITES


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
