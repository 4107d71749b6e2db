"""A rehearsal shows what a workflow would ask for, and ends whatever the workflow does."""

from __future__ import annotations

from typing import Any

import pytest

from orch.model.errors import NotFound, StepError
from orch.workflow.program import Gather, do
from orch.workflow.rehearsal import MOST_STEPS, SCENARIOS, Rehearsed, Scenario, rehearse
from orch.workflow.sources import Modules, builtin_source, collect
from tests.unit.workflow.stage import TREE, ask, expand
from tests.unit.workflow.test_templates import ISSUE

from orch import (  # isort: skip
    AgentFailed, CaptureOutput, CreateIssue, Gate, GetIssue, Log, Now, Random, ResolveIssue, RunAgent,
    RunCommand, SendMessage, Sleep, SpawnAgent, WaitForStatus,
)  # fmt: skip


def shipped(name: str, **arguments: Any) -> Any:
    entry = builtin_source(name)
    workflow = getattr(Modules(collect(entry, None)).load(entry.module), name)
    return workflow(issue=ISSUE, **arguments)


def play(program: Any, name: Scenario = "pass", **options: Any) -> Rehearsed:
    return rehearse(program, expand, name, lambda asked: asked or "one", issue=ISSUE, **options)


def effects(played: Rehearsed) -> list[str]:
    return [step["effect"] for step in played.steps]


@pytest.mark.parametrize("name", ["basic_pr", "enforced_pr", "multi_agent", "reviewed_pr"])
def test_the_shipped_templates_end_in_a_pull_request(name: str) -> None:
    played = play(shipped(name))
    assert (played.end, effects(played)[-1]) == ("done", "CreatePR")
    assert played.result["title"] == ISSUE.title


def test_only_what_the_workflow_itself_asks_for_is_shown() -> None:
    played = play(shipped("basic_pr"))
    assert effects(played) == ["CreateWorktree", "RunAgent", "CreatePR"]
    assert [step["path"] for step in played.steps] == ["0", "1", "2"]
    assert ISSUE.title in played.steps[1]["summary"]
    assert "-> branch orch/issue-001" in played.steps[0]["summary"]


def test_a_check_that_fails_once_is_repeated() -> None:
    played = play(shipped("enforced_pr"), "retry")
    assert played.end == "done"
    assert effects(played) == [
        "CreateWorktree", "RunAgent", "RunCommand", "RunAgent", "RunCommand", "CreatePR",
    ]  # fmt: skip
    codes = [s["summary"][-1] for s in played.steps if s["effect"] == "RunCommand"]
    assert codes == ["1", "0"]


def test_a_check_that_never_passes_spends_the_attempts() -> None:
    played = play(shipped("enforced_pr", max_retries=2), "spent", checks=True)
    assert played.error is not None
    assert (played.end, played.error.code, played.checked) == ("error", "tests_failed", True)
    assert effects(played).count("RunCommand") == 3


def test_a_verdict_by_a_schema_is_a_check() -> None:
    passed = play(shipped("reviewed_pr"))
    assert (passed.checked, passed.end) == (True, "done")
    assert any(s["summary"].endswith("-> approved=true, comments=[]") for s in passed.steps)
    retried = play(shipped("reviewed_pr"), "retry")
    assert retried.end == "done"
    assert sum("approved=" in s["summary"] for s in retried.steps) == 2
    spent = play(shipped("reviewed_pr"), "spent", checks=True)
    assert spent.error is not None
    assert (spent.error.kind, "CreatePR" in effects(spent)) == ("ReviewRejected", False)


def test_agents_beside_the_workflow_are_rehearsed() -> None:
    @do
    def flow() -> Any:
        refs = yield Gather([SpawnAgent(env=TREE, prompt=word) for word in "ab"])
        ended = yield WaitForStatus(refs)
        assert (yield SendMessage(refs[0], "go on")).delivered
        yield CaptureOutput(refs[0])
        made = yield CreateIssue("Found")
        yield ResolveIssue(made)
        yield Sleep(10)
        return [one.ok for one in ended] + [(yield GetIssue("ISSUE-7")).id]

    assert play(flow()).result == [True, True, "ISSUE-7"]
    assert play(flow(), "spent").result == [False, False, "ISSUE-7"]


def test_where_nothing_is_checked_the_agent_fails_for_good() -> None:
    assert play(shipped("basic_pr")).checked is False
    played = play(shipped("basic_pr"), "spent", checks=False)
    assert played.error is not None
    assert (played.end, played.error.code) == ("error", "attempts_spent")


def test_numbered_checks_are_one_check() -> None:
    @do
    def flow() -> Any:
        for number in (1, 2, 3):
            if (yield RunCommand(env=TREE, command="x", name=f"review-{number}")).ok:
                return number
        return None

    assert play(flow(), "retry").result == 2


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_loop_without_an_end_is_left(name: Scenario) -> None:
    @do
    def flow() -> Any:
        while True:
            yield Log("again")

    played = play(flow(), name)
    assert (played.end, len(played.steps)) == ("unfinished", MOST_STEPS)


def test_a_loop_that_holds_on_to_its_end_is_left() -> None:
    @do
    def flow() -> Any:
        try:
            while True:
                yield Log("again")
        finally:
            yield Log("and again")

    assert play(flow()).end == "unfinished"


def test_wide_gathers_and_calls_are_numbered_by_their_paths() -> None:
    @do
    def inner(word: str) -> Any:
        return (yield ask(word))

    @do
    def flow() -> Any:
        return (yield Gather([inner("a"), ask("b")]))

    played = play(flow())
    assert sorted(step["path"] for step in played.steps) == ["0/gather.0/0", "0/gather.1/0"]


def test_every_effect_has_an_answer_of_its_type() -> None:
    @do
    def flow() -> Any:
        agent = yield RunAgent(env=TREE, prompt="x", output_format="result")
        gate = yield Gate("sure?")
        return [agent.status, gate.decision, (yield Now()).year, (yield Random())]

    assert play(flow()).result == ["done", "approve", 2000, 0.5]


def test_an_agent_that_cannot_be_chosen_fails_the_step() -> None:
    def choose(asked: str | None) -> str:
        raise NotFound(f"there is no agent {asked!r}", code="unknown_agent")

    @do
    def flow() -> Any:
        try:
            yield RunAgent(env=TREE, prompt="x", agent="gone")
        except StepError as error:
            return error.code
        return ""

    assert rehearse(flow(), expand, "pass", choose).result == "unknown_agent"


def test_an_error_is_told_as_a_run_would_tell_it() -> None:
    @do
    def flow() -> Any:
        yield Log("x")
        raise AgentFailed("no", code="nothing_left")

    played = play(flow())
    assert played.error is not None
    assert (played.end, played.error.kind, played.error.code) == (
        "error", "AgentFailed", "nothing_left",
    )  # fmt: skip
