"""Planning refuses everything that can be refused, before anything changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orch.api.planning import RunPlan, arguments, find_workflow, program_of
from orch.model.command import RegisterRepo
from orch.model.errors import NotFound, OrchError, UsageError
from orch.store.memory import MemoryStore
from orch.workflow.program import Workflow, do
from orch.workflow.sources import Modules
from tests.records import ME, PERSON, RUN, a_repo, a_ticket

HEAD = "from orch import *\nfrom orch import do\n"
ISSUE = a_ticket()


def planned(folder: Path, text: str, name: str = "flow.py") -> RunPlan:
    (folder / name).write_text(text, encoding="utf-8")
    return RunPlan(f"./{name}", folder)


def refused(error: type[OrchError], code: str, act: Callable[[], Any]) -> OrchError:
    with pytest.raises(error) as caught:
        act()
    assert caught.value.code == code
    return caught.value


# --- the workflow's name


def test_a_templates_name_is_found_without_any_file(tmp_path: Path) -> None:
    found = find_workflow("basic_pr", tmp_path)
    assert (found.name, found.origin, found.root) == ("basic_pr", "built-in", None)
    assert found.source.module == "orch.workflow.templates.basic_pr"


NEAR = [("basic-pr", "basic_pr"), ("multiagent", "multi_agent"), ("basicpr", "basic_pr")]


@pytest.mark.parametrize(("word", "meant"), NEAR)
def test_an_unknown_template_suggests_the_nearest(word: str, meant: str, tmp_path: Path) -> None:
    error = refused(NotFound, "unknown_workflow", lambda: find_workflow(word, tmp_path))
    assert f"there is no workflow {word!r}" in error.message
    assert f"did you mean {meant!r}?" in error.message
    assert error.hint.startswith(f"orch run {meant}")
    assert error.exit_code == 3


@pytest.mark.parametrize("word", ["zzz", ""])
def test_a_word_like_nothing_lists_what_there_is(word: str, tmp_path: Path) -> None:
    error = refused(NotFound, "unknown_workflow", lambda: find_workflow(word, tmp_path))
    assert "basic_pr, enforced_pr, multi_agent" in error.message
    assert "did you mean" not in error.message
    assert error.hint


@pytest.mark.parametrize("word", ["flow.py", "./flow.py", "{folder}/flow.py", "sub/../flow.py"])
def test_a_file_is_found_from_where_one_stands(word: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "flow.py").write_text("x = 1\n")
    found = find_workflow(word.format(folder=tmp_path), tmp_path)
    assert (found.name, found.origin, found.root) == ("flow", "file", tmp_path)
    assert found.source.module == "flow"
    assert found.source.filename == str(tmp_path / "flow.py")


def test_a_template_wins_over_a_folder_of_its_name_and_a_path_over_a_template(
    tmp_path: Path,
) -> None:
    (tmp_path / "basic_pr").mkdir()
    (tmp_path / "basic_pr.py").write_text("x = 1\n")
    assert find_workflow("basic_pr", tmp_path).root is None
    assert find_workflow("./basic_pr.py", tmp_path).root == tmp_path


@pytest.mark.parametrize("word", ["absent.py", "./absent", "sub"])
def test_a_file_that_is_not_there_is_named(word: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    error = refused(NotFound, "unknown_workflow", lambda: find_workflow(word, tmp_path))
    assert word in error.message


def test_siblings_of_a_symlinked_file_are_those_of_the_real_one(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "flow.py").write_text(f"import words\n{HEAD}@do\ndef workflow(): yield Log('x')\n")
    (real / "words.py").write_text("")
    (tmp_path / "link.py").symlink_to(real / "flow.py")
    assert "words" in RunPlan("./link.py", tmp_path).sources


# --- loading


BROKEN = [
    ("1 / 0", "workflow_broken", "ZeroDivisionError: division by zero (flow.py line 3)"),
    ("import nowhere", "workflow_broken", "ModuleNotFoundError: No module named 'nowhere'"),
    ("raise SystemExit(2)", "workflow_broken", "SystemExit: 2 (flow.py line 3)"),
    ("import helper", "workflow_broken", "ValueError: in the helper (helper.py line 2)"),
    ("def f(:", "workflow_syntax", "flow.py:3: "),
    ("return 1", "workflow_syntax", "flow.py:3: 'return' outside function"),
    ("x = RunAgent(env=1, prompt='', output_format='json')", "bad_output_format", "json"),
]


@pytest.mark.parametrize(("line", "code", "says"), BROKEN, ids=[b[0][:20] for b in BROKEN])
def test_a_file_that_cannot_be_loaded_is_named_with_its_line(
    line: str, code: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "helper.py").write_text("x = 1\nraise ValueError('in the helper')\n")
    error = refused(UsageError, code, lambda: planned(tmp_path, f"{HEAD}{line}\n"))
    assert says in error.message
    assert error.exit_code == 2


def test_a_file_without_an_entry_is_refused(tmp_path: Path) -> None:
    refused(NotFound, "no_entry", lambda: planned(tmp_path, "x = 1\n"))


ENTRIES = [
    ("flow.py", "@do\ndef workflow(): yield Log('x')\n", "flow:workflow"),
    ("flow.py", "@do\ndef main(): yield Log('x')\n", "flow:main"),
    ("my-flow.py", "@do\ndef only(): yield Log('x')\n", "my-flow:only"),
    ("my.flow.py", "@do\ndef only(): yield Log('x')\n", "my.flow:only"),
    ("a:b.py", "@do\ndef only(): yield Log('x')\n", "a:b:only"),
    ("json.py", "@do\ndef only(): yield Log('x')\n", "json:only"),
]


@pytest.mark.parametrize(("name", "text", "entry"), ENTRIES)
def test_the_entry_of_a_run_leads_back_to_its_program(
    name: str, text: str, entry: str, tmp_path: Path
) -> None:
    """Whatever the file is called."""
    plan = planned(tmp_path, HEAD + text, name)
    assert plan.entry == entry
    store = MemoryStore(now=lambda: 1.0)
    store.send(RegisterRepo(a_repo()), PERSON)
    store.send(
        plan.command(run=RUN, repo="thing", issue=None, agent="", params={}, owner=ME), PERSON
    )
    run = store.run(RUN)
    assert run is not None
    sources = {source.module: source for source in store.sources(RUN)}
    assert program_of(run, Modules(sources)).name == entry.rpartition(":")[2]


# --- arguments


@do
def takes_issue(issue: Any, base: Any = None) -> Any:
    yield


@do
def takes_words(count: Any, *, name: Any, note: Any = "") -> Any:
    yield


@do
def takes_anything(**words: Any) -> Any:
    yield


@do
def takes_nothing() -> Any:
    yield


@do
def takes_many(*args: Any) -> Any:
    yield


@do
def takes_by_place(first: Any, /) -> Any:
    yield


BINDINGS: list[tuple[Workflow[Any], Any, dict[str, Any], Any]] = [
    (takes_issue, ISSUE, {}, {"issue": ISSUE}),
    (takes_issue, ISSUE, {"base": "main"}, {"issue": ISSUE, "base": "main"}),
    (takes_issue, None, {"issue": "text"}, {"issue": "text"}),
    (takes_issue, None, {}, "issue_needed"),
    (takes_issue, ISSUE, {"issue": "text"}, "bad_params"),
    (takes_issue, ISSUE, {"bass": 1}, "bad_params"),
    (takes_words, None, {"count": 1, "name": "n"}, {"count": 1, "name": "n"}),
    (takes_words, None, {"count": None, "name": None, "note": 3},
     {"count": None, "name": None, "note": 3}),
    (takes_words, ISSUE, {"count": 1, "name": "n"}, {"count": 1, "name": "n"}),
    (takes_words, None, {"count": 1}, "bad_params"),
    (takes_words, None, {"name": "n"}, "bad_params"),
    (takes_anything, ISSUE, {"x": 1}, {"x": 1, "issue": ISSUE}),
    (takes_anything, None, {}, {}),
    (takes_nothing, ISSUE, {}, {}),
    (takes_nothing, None, {"x": 1}, "bad_params"),
    (takes_many, None, {}, {}),
    (takes_many, None, {"args": [1]}, "bad_params"),
    (takes_by_place, None, {"first": 1}, "bad_params"),
]  # fmt: skip


@pytest.mark.parametrize(("workflow", "issue", "params", "expected"), BINDINGS, ids=range(18))
def test_arguments_are_bound_by_name_or_refused(
    workflow: Workflow[Any], issue: Any, params: dict[str, Any], expected: Any
) -> None:
    if isinstance(expected, str):
        error = refused(UsageError, expected, lambda: arguments(workflow, issue, params))
        assert workflow.__name__ in error.message or "given twice" in error.message  # type: ignore[attr-defined]
    else:
        given = dict(params)
        assert arguments(workflow, issue, params) == expected
        assert params == given, "what a person gave is not changed"
        workflow(**arguments(workflow, issue, params))


def test_an_unknown_parameter_suggests_the_nearest_and_lists_all() -> None:
    error = refused(UsageError, "bad_params", lambda: arguments(takes_issue, ISSUE, {"bse": 1}))
    assert "'bse'; did you mean 'base'?" in error.message
    assert "issue, base" in error.hint


def test_a_missing_parameter_shows_how_it_is_given() -> None:
    error = refused(UsageError, "bad_params", lambda: arguments(takes_words, None, {"name": "n"}))
    assert "'count'" in error.message
    assert error.hint == "--params '{\"count\": ...}'"


UNKEPT = [{"x": "half \ud800"}, {"x": object()}, {"\udfff": 1}]


@pytest.mark.parametrize("params", UNKEPT, ids=range(3))
def test_parameters_that_cannot_be_journaled_are_refused(
    params: dict[str, Any], tmp_path: Path
) -> None:
    plan = planned(tmp_path, f"{HEAD}@do\ndef workflow(**words): yield Log('x')\n")
    refused(
        UsageError, "bad_params",
        lambda: plan.command(run=RUN, repo="thing", issue=None, agent="", params=params, owner=ME),
    )  # fmt: skip


def test_a_plan_becomes_one_complete_command(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("x = 1\n")
    plan = planned(
        tmp_path, f"{HEAD}import helper\n@do\ndef workflow(issue, n=1): yield Log('x')\n"
    )
    command = plan.command(
        run=RUN, repo="thing", issue=ISSUE, agent="claude", params={"n": 2}, owner=ME
    )
    assert (command.id, command.workflow, command.entry) == (RUN, "flow", "flow:workflow")
    assert (command.repo, command.title, command.agent) == ("thing", ISSUE.title, "claude")
    assert (command.params, command.issue, command.owner) == ({"n": 2}, ISSUE, ME)
    assert command.sources[0].module == "flow", "the entry first"
    assert {s.module for s in command.sources} == {"flow", "helper", "orch.workflow.composites"}


def test_a_run_without_an_issue_is_titled_by_its_workflow(tmp_path: Path) -> None:
    plan = planned(tmp_path, f"{HEAD}@do\ndef workflow(): yield Log('x')\n")
    command = plan.command(run=RUN, repo="thing", issue=None, agent="", params={}, owner=None)
    assert command.title == "flow"


# --- remotes


REMOTES = [
    ("yield CreatePR(env=1, title='t')", True),
    ("yield Push(env=1)", True),
    ("import orch\n    yield orch.Push(env=1)", True),
    ("from orch import Push as P\n    yield P(env=1)", True),
    ("yield Commit(env=1, message='m')", False),
    ("yield Log('CreatePR')", False),
]


@pytest.mark.parametrize(("body", "pushes"), REMOTES)
def test_a_workflow_that_pushes_needs_a_remote(body: str, pushes: bool, tmp_path: Path) -> None:
    text = "from orch import Commit, CreatePR, Log, Push, do\n"
    plan = planned(tmp_path, f"{text}@do\ndef workflow():\n    {body}\n")
    assert plan.pushes == pushes
    plan.needs_remote(a_repo())
    bare = a_repo(remote_name="", remote_url="")
    if pushes:
        error = refused(UsageError, "no_remote", lambda: plan.needs_remote(bare))
        assert "thing has no remote" in error.message
        assert "remote add origin" in error.hint
    else:
        plan.needs_remote(bare)


def test_pushing_in_a_module_beside_the_workflow_counts(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("from orch import Push\ndef f(env): return Push(env=env)\n")
    assert planned(
        tmp_path, f"{HEAD}import helper\n@do\ndef workflow(): yield helper.f(1)\n"
    ).pushes


@pytest.mark.parametrize("name", ["basic_pr", "multi_agent"])
def test_the_shipped_templates_push(name: str, tmp_path: Path) -> None:
    assert RunPlan(name, tmp_path).pushes


# --- agents


RUN_IT = "yield RunAgent(env=1, prompt='p'{0})"
AGENTS: list[tuple[str, str, dict[str, Any], set[str | None]]] = [
    # (parameters, body, params, which agents must be there)
    ("", "yield Log('x')", {}, set()),
    ("", RUN_IT.format(""), {}, {None}),
    ("", RUN_IT.format(", agent='codex'"), {}, {"codex"}),
    ("", RUN_IT.format(", type='codex'"), {}, {"codex"}),
    ("", RUN_IT.format(", agent_type='codex'"), {}, {"codex"}),
    ("", RUN_IT.format(", agent=None"), {}, {None}),
    ("", "yield RunAgent(1, 'p', 'codex')", {}, {"codex"}),
    ("", "yield RunAgent(1, 'p')", {}, {None}),
    ("", "words = {}\n    " + RUN_IT.format(", **words"), {}, set()),
    ("", "name = 'x'\n    " + RUN_IT.format(", agent=name"), {}, set()),
    ("agent=None", RUN_IT.format(", agent=agent"), {}, {None}),
    ("agent=None", RUN_IT.format(", agent=agent"), {"agent": "codex"}, {"codex"}),
    ("agent='claude'", RUN_IT.format(", agent=agent"), {}, {"claude"}),
    ("agent='claude'", RUN_IT.format(", agent=agent"), {"agent": "codex"}, {"codex"}),
    ("agent='claude'", RUN_IT.format(", agent=agent"), {"agent": None}, {None}),
    ("impl_agent=None, test_agent='x'", RUN_IT.format(", agent=impl_agent"), {}, {None, "x"}),
    ("agent=None", "yield Log('x')", {"agent": "codex"}, set()),
    ("agent", RUN_IT.format(", agent=agent"), {"agent": 7}, set()),
    ("", RUN_IT.format("") + "\n    " + RUN_IT.format(", agent='codex'"), {}, {None, "codex"}),
]


@pytest.mark.parametrize(("parameters", "body", "params", "needed"), AGENTS, ids=range(len(AGENTS)))
def test_every_agent_that_can_be_known_is_asked_for(
    parameters: str, body: str, params: dict[str, Any], needed: set[str | None], tmp_path: Path
) -> None:
    text = f"from orch import Log, RunAgent, do\n@do\ndef workflow({parameters}):\n    {body}\n"
    asked: list[str | None] = []

    def choose(agent: str | None) -> str:
        asked.append(agent)
        return agent or "default"

    planned(tmp_path, text).needs_agents(choose, params)
    assert set(asked) == needed
    assert len(asked) == len(needed), "each once"


def test_an_agent_that_is_not_there_refuses_the_run(tmp_path: Path) -> None:
    def choose(agent: str | None) -> str:
        raise NotFound(f"there is no agent {agent!r}", code="unknown_agent")

    plan = RunPlan("multi_agent", tmp_path)
    refused(NotFound, "unknown_agent", lambda: plan.needs_agents(choose, {"impl_agent": "nobody"}))
