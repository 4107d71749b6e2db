"""What every workflow keeps that others are to run, whatever it is for.

A third party proves one with:

    class TestMine(WorkflowContract):
        @pytest.fixture
        def found(self): return workflow("my_package.flow")

Nothing is touched: it is read, and rehearsed on made-up answers.
"""

from __future__ import annotations

from typing import Any

import pytest

from orch.api.planning import arguments
from orch.api.workflows import Found
from orch.model.run import Source
from orch.model.ticket import Ticket
from orch.plugins import WORKFLOWS, Plugin, place
from orch.workflow.checks import check
from orch.workflow.outline import outline
from orch.workflow.rehearsal import SCENARIOS, Rehearsed, Scenario, rehearse
from orch.workflow.sources import COMPOSITES, Modules, collect, entry_workflow, read_source

ISSUE = Ticket(id="ISSUE-001", title="Add a --json flag", body="For `list`.\n", repo="thing")


def workflow(module: str) -> Found:
    """The workflow in an importable module, as its entry point would name it."""
    source, path, root, package = place(Plugin(WORKFLOWS, module, module, "this", "checkout"))
    return Found(
        module.rpartition(".")[2], "plugin", read_source(source, path), root, (), None, package
    )


class WorkflowContract:
    """Subclass as `TestX` and give `found`; where a parameter has no default, also `params`."""

    @pytest.fixture
    def found(self) -> Found:
        raise NotImplementedError("give a fixture `found` with the workflow")

    @pytest.fixture
    def params(self) -> dict[str, Any]:
        return {}

    @pytest.fixture
    def sources(self, found: Found) -> dict[str, Source]:
        return collect(found.source, found.root, found.package)

    def test_it_says_what_it_is_for(self, found: Found) -> None:
        assert outline(found.source).summary

    def test_nothing_is_wrong_that_can_be_known_without_running_it(
        self, found: Found, sources: dict[str, Source]
    ) -> None:
        own = [source for name, source in sources.items() if name != COMPOSITES]
        assert check(own, found.source.module) == []

    @pytest.mark.parametrize("scenario", SCENARIOS)
    def test_it_comes_to_an_end_whatever_is_answered(
        self, found: Found, sources: dict[str, Source], params: dict[str, Any], scenario: Scenario
    ) -> None:
        played = _played(found, sources, params, scenario)
        assert played.end in ("done", "error"), played
        if scenario == "pass":
            assert played.end == "done", played.error

    def test_it_asks_for_the_same_every_time(
        self, found: Found, sources: dict[str, Source], params: dict[str, Any]
    ) -> None:
        first, second = (_played(found, sources, params, "retry") for _ in range(2))
        assert first.steps == second.steps
        assert first.steps


def _played(
    found: Found, sources: dict[str, Source], params: dict[str, Any], scenario: Scenario
) -> Rehearsed:
    modules = Modules(sources)
    expand = modules.load(COMPOSITES).EXPAND
    _, asked = entry_workflow(modules.load(found.source.module), found.source)
    program = asked(**arguments(asked, ISSUE, params))
    return rehearse(
        program, lambda effect: expand[type(effect)](effect), scenario, lambda name: name or "one",
        issue=ISSUE,
    )  # fmt: skip
