"""Checking a workflow's files against this home, without running any of them.

Invariant: reads only, and asks for no trust: it is how a person looks before trusting.
"""

from __future__ import annotations

from pathlib import Path

from orch.api.planning import find_workflow
from orch.api.rooms import Rooms
from orch.api.workflows import Found, Workflows
from orch.model.errors import OrchError
from orch.model.repo import Repo
from orch.workflow.checks import Finding, check
from orch.workflow.sources import BUILTIN, COMPOSITES, collect


def validate(rooms: Rooms, named: Workflows, word: str, repo: Repo | None) -> list[Finding]:
    """What is wrong with the workflow that a path or name means, and with the modules beside it."""
    place, mark, wanted = word.partition(".py:")  # as `orch run flow.py:ship`
    found = looked_up(named, f"{place}.py" if mark else word, rooms.cwd)
    try:
        sources = collect(found.source, found.root, found.package)
    except OrchError as error:  # a syntax error, or a module beside it that cannot be read
        return [_as_finding(error, found)]
    ours = [
        source
        for name, source in sources.items()
        if name == found.source.module or not (name == COMPOSITES or name.startswith(BUILTIN))
    ]

    def agent_problem(name: str) -> str:
        try:
            rooms.choose_agent(name, "", repo)
        except OrchError as error:
            return error.message
        return ""

    return check(ours, found.source.module, agent_problem, wanted)


def looked_up(named: Workflows, word: str, cwd: Path) -> Found:
    """A workflow by name or path, for reading; `NotFound` names the nearest."""
    found = None if "/" in word or word.endswith(".py") else named.look(word)
    return found or find_workflow(word, cwd, named)


def _as_finding(error: OrchError, found: Found) -> Finding:
    file = str(error.data.get("file") or found.source.filename)
    line = int(error.data.get("line") or 1)
    place = f"{file}:{line}: "
    return Finding(
        file, line, 1, "error", error.code, error.message.removeprefix(place), error.hint
    )  # fmt: skip
