"""Planning a run: everything that can be refused is refused here, before anything changes.

Invariant: reads only. What comes out is a complete `CreateRun`; once it is journaled, the task is
acknowledged and never lost.
"""

from __future__ import annotations

import ast
import inspect
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from orch.api.fitting import needs_fitting
from orch.api.workflows import Found, Workflows
from orch.config.tree import Defaults
from orch.model.command import CreateRun
from orch.model.errors import NotFound, OrchError, UsageError
from orch.model.naming import nearest
from orch.model.repo import Repo
from orch.model.run import Owner, Run, Source
from orch.model.ticket import Ticket
from orch.workflow.faults import failure_in
from orch.workflow.program import Program, Workflow
from orch.workflow.sources import (
    COMPOSITES,
    ENVELOPE,
    Modules,
    collect,
    entry_workflow,
    names_used,
    parse,
    read_builtin,
    read_source,
)

PUSHING = frozenset({"CreatePR", "Push"})
RUNNING = frozenset({"RunAgent", "SpawnAgent"})


def find_workflow(word: str, cwd: Path, named: Workflows | None = None) -> Found:
    """The workflow that a file's path (relative to `cwd`) or a name means; `named` are those that
    can be asked for by name, without it only the shipped ones."""
    path = cwd / word
    if word.endswith(".py") or os.sep in word:
        if not path.is_file():
            raise NotFound(
                f"there is no workflow file {word}",
                code="unknown_workflow",
                hint="orch template list",
            )
        resolved = path.resolve()
        source = read_source(resolved.stem, resolved)
        return Found(resolved.stem, "file", source, resolved.parent)
    named = named or Workflows(None, None)
    found = named.find(word)
    if found is not None:
        return found
    known = named.names()
    similar = nearest(word, known)
    meant = f"; did you mean {similar[0]!r}?" if similar else ""
    raise NotFound(
        f"there is no workflow {word!r} (templates: {', '.join(known)}){meant}",
        code="unknown_workflow",
        hint=f"orch run {similar[0]} --issue ISSUE-001" if similar else "orch template list",
    )


def program_of(run: Run, modules: Modules) -> Program[Any]:
    """The program that a run's sources, entry and arguments stand for."""
    module, _, function = run.entry.rpartition(":")
    workflow: Workflow[Any] = getattr(modules.load(module), function)
    program = workflow(**arguments(workflow, run.issue, run.params))
    if not run.unattended:
        return program
    enveloped: Program[Any] = modules.load(ENVELOPE).unattended(program)
    return enveloped


def arguments(
    workflow: Workflow[Any], issue: Ticket | None, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Bind `issue` and `params` to the workflow's own parameters by name, or refuse."""
    signature = inspect.signature(workflow.function)
    names = list(signature.parameters)
    free = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    given = dict(params)
    if "issue" in given and issue is not None:
        raise UsageError(
            "the issue is given twice: --issue and in --params", code="bad_params",
            hint="leave it out of --params",
        )  # fmt: skip
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
    try:
        signature.bind(**given)
    except TypeError as error:  # parameters that no name reaches
        raise UsageError(
            f"the workflow {workflow.function.__name__} cannot be called by names: {error}",
            code="bad_params",
            hint="let its parameters be given by name",
        ) from error
    return given


class RunPlan:
    """A workflow with its sources, checked against one repository and one set of agents."""

    def __init__(self, word: str, cwd: Path, named: Workflows | None = None) -> None:
        place, mark, wanted = word.partition(".py:")  # `flow.py:ship` names the function too
        self.found = find_workflow(f"{place}.py" if mark else word, cwd, named)
        self.name, entry = self.found.name, self.found.source
        self.sources = collect(entry, self.found.root, self.found.package)
        self.found.vouch(self.sources.values())
        module = self._loaded(entry)
        function, self.workflow = entry_workflow(module, entry, wanted)
        self.entry = f"{entry.module}:{function}"
        self.used = names_used(s for s in self.sources.values() if s.module != COMPOSITES)

    def _loaded(self, entry: Source) -> ModuleType:
        try:
            return Modules(self.sources).load(entry.module)
        except OrchError:
            raise
        except (Exception, SystemExit) as error:
            files = {source.filename for source in self.sources.values()}
            failure = failure_in(error, files)
            raise UsageError(
                f"the workflow {entry.filename} cannot be loaded: {failure.message}",
                code="workflow_broken",
                hint=f"edit {entry.filename}, then repeat the command",
            ) from error

    def with_defaults(self, params: Mapping[str, Any], defaults: Defaults) -> Mapping[str, Any]:
        """`params`, and the configured test command where one is taken and none is given."""
        given = "test_command" in params or not defaults.test_command
        if given or not self.takes("test_command"):
            return params
        return {**params, "test_command": list(defaults.test_command)}

    def takes(self, parameter: str) -> bool:
        """Whether the workflow has a parameter of that name."""
        return parameter in inspect.signature(self.workflow.function).parameters

    @property
    def pushes(self) -> bool:
        return bool(self.used & PUSHING)

    def needs_remote(self, repo: Repo) -> None:
        if self.pushes and not repo.remote_url:
            raise UsageError(
                f"the workflow {self.name} pushes, but the repository {repo.slug} has no remote",
                code="no_remote",
                hint=f"git -C {shlex.quote(repo.local_path)} remote add origin URL, then:"
                f" orch repo add {shlex.quote(repo.local_path)}",
            )

    def needs_agents(self, choose: Callable[[str | None], None], params: Mapping[str, Any]) -> None:
        """Every agent that can be known now is known: those named in parameters or in the code, and
        the default one where the workflow runs an agent without naming it."""
        if not self.used & RUNNING:
            return
        asked = self._agents_in_calls()
        for name, parameter in inspect.signature(self.workflow.function).parameters.items():
            if name.endswith("agent"):
                value = params.get(name, parameter.default)
                asked |= {value} if value is None or isinstance(value, str) else set()
        for agent in sorted(asked, key=lambda agent: agent or ""):
            choose(agent)

    def _agents_in_calls(self) -> set[str | None]:
        """The agents that the code itself names; None where a call names none."""
        found: set[str | None] = set()
        for source in self.sources.values():
            for node in ast.walk(parse(source)):
                if isinstance(node, ast.Call) and _name(node.func) in RUNNING:
                    found |= _agents_of(node)
        return found

    def command(
        self, *, run: str, repo: str, issue: Ticket | None, agent: str,
        params: Mapping[str, Any], owner: Owner | None, task: int = 0,
    ) -> CreateRun:  # fmt: skip
        """The command that plans the run, for a `task` of the queue unattended. Refuses arguments
        that do not fit."""
        arguments(self.workflow, issue, params)
        _needs_json(params)
        needs_fitting(self.workflow.function, params)
        entry_module = self.entry.rpartition(":")[0]
        ordered: Sequence[Source] = sorted(
            self._sources(task), key=lambda source: source.module != entry_module
        )
        return CreateRun(
            id=run, workflow=self.name, entry=self.entry, repo=repo,
            title=issue.title if issue else self.name, params=dict(params),
            sources=tuple(ordered), issue=issue, agent=agent, owner=owner, task=task,
            unattended=bool(task),
        )  # fmt: skip

    def _sources(self, task: int) -> list[Source]:
        if not task:
            return list(self.sources.values())
        around = collect(read_builtin(ENVELOPE), None)
        return list((around | self.sources).values())


def _needs_json(params: Mapping[str, Any]) -> None:
    """What is journaled must be text that UTF-8 can carry (JSON may name half a character)."""
    try:
        msgspec.json.encode(params)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the parameters cannot be kept: {error}", code="bad_params",
            hint='--params \'{"name": "value"}\'',
        ) from error  # fmt: skip


AGENT_WORDS = frozenset({"agent", "type", "agent_type"})


def _agents_of(call: ast.Call) -> set[str | None]:
    """What a call of `RunAgent` says about its agent: a name, None for "no name", nothing where
    only running the code can tell."""
    given = [word.value for word in call.keywords if word.arg in AGENT_WORDS] + call.args[2:3]
    if not given:
        spread = any(word.arg is None for word in call.keywords) or any(
            isinstance(argument, ast.Starred) for argument in call.args
        )
        return set() if spread else {None}
    constants = [value.value for value in given if isinstance(value, ast.Constant)]
    return {word for word in constants if word is None or isinstance(word, str)}


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
