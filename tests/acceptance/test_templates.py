"""Templates on real history, workflows of one's own by name, and trust in a repository's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.world import WRITES, World

OWN = """\
from orch import *


@do
def own(issue, words="hello"):
    '''Say something about the issue.'''
    yield Log(f"{words} {issue.title}")
    return words
"""
FIXES = """\
cat "$ORCH_PROMPT_FILE" >> prompts.txt
if [ -f work.txt ]; then echo ok > fixed.txt; else echo 1 > work.txt; fi"""
"""An agent that does it wrong at first and right when it is asked again."""


def place(world: World, text: str = OWN, name: str = "own") -> Path:
    """A workflow of the repository's own, in its main checkout."""
    path = world.repo / ".orch" / "workflows" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# --- enforced_pr


def test_enforced_pr_gives_the_failing_output_back_and_opens_one_pull_request(world: World) -> None:
    world.configure({"one": ["sh", "-c", FIXES]})
    test = "import os, sys; print('it', 'fails'); sys.exit(not os.path.exists('fixed.txt'))"
    params = {"test_command": ["python3", "-c", test], "max_retries": 2}
    record = world.run("enforced_pr", "--issue", "ISSUE-001", "--params", json.dumps(params))
    assert record["status"] == "done"
    assert len(record["prs"]) == 1
    names = [attempt["name"] for attempt in record["attempts"]]
    assert names == ["work", "test", "fix-1", "test"]
    head = record["prs"][0]["head"]
    prompts = world.git("show", f"{head}:prompts.txt", where=world.remote)
    assert "it fails" in prompts
    assert "Do a thing" in prompts


def test_enforced_pr_that_never_passes_opens_none(world: World) -> None:
    record = world.run(
        "enforced_pr", "--issue", "ISSUE-001", "--params",
        '{"test_command": "false", "max_retries": 1}', code=1,
    )  # fmt: skip
    assert record["status"] == "error"
    assert (record["error"]["code"], record["error"]["kind"]) == ("tests_failed", "CommandFailed")
    assert record["prs"] == []
    assert world.git("branch", "--list", "orch/*", where=world.remote) == ""
    names = [attempt["name"] for attempt in record["attempts"]]
    assert names == ["work", "test", "fix-1", "test"]


def test_enforced_pr_spends_no_fix_on_a_test_command_that_is_not_there(world: World) -> None:
    words = ("--issue", "ISSUE-001", "--params", '{"test_command": "no-such-program-here"}')
    record = world.run("enforced_pr", *words, code=1)
    assert record["error"]["code"] == "command_not_found"
    assert [attempt["name"] for attempt in record["attempts"]] == ["work", "test"]


# --- reviewed_pr

JUDGE = """\
echo junk > reviewers-scratch.txt
cat "$ORCH_PROMPT_FILE" >> ../review-prompts
if grep -q again work.txt; then echo '{"approved": true, "comments": ["good"]}'
else echo '{"approved": false, "comments": ["say it again"]}'; fi"""
WORKS = (
    'if [ -f work.txt ]; then grep -o "say it again" "$ORCH_PROMPT_FILE"; fi >> work.txt; echo x'
)
PAIR = '{"impl_agent": "one", "review_agent": "judge"%s}'


def test_reviewed_pr_sends_comments_back_and_opens_what_was_approved(world: World) -> None:
    world.configure({"one": ["sh", "-c", WORKS], "judge": ["sh", "-c", JUDGE]})
    record = world.run("reviewed_pr", "--issue", "ISSUE-001", "--params", PAIR % "")
    names = [attempt["name"] for attempt in record["attempts"]]
    assert names == ["impl", "review-1", "impl-2", "review-2"]
    (pull,) = record["prs"]
    assert "- good" in pull["body"]
    shown = world.git("show", "--stat", "--format=", pull["head"], where=world.remote)
    assert "work.txt" in shown
    assert "reviewers-scratch" not in shown
    assert world.git("show", f"{pull['head']}:work.txt", where=world.remote) == "say it again"


def test_reviewed_pr_without_approval_opens_none(world: World) -> None:
    no = """echo '{"approved": false, "comments": ["never"]}'"""
    world.configure({"one": WRITES, "judge": ["sh", "-c", no]})
    words = ("--issue", "ISSUE-001", "--params", PAIR % ', "max_reviews": 1')
    record = world.run("reviewed_pr", *words, code=1)
    assert (record["error"]["kind"], record["prs"]) == ("ReviewRejected", [])
    assert record["error"]["data"]["comments"] == ["never"]
    assert world.git("branch", "--list", "orch/*", where=world.remote) == ""


def test_reviewed_pr_takes_no_words_for_an_approval(world: World) -> None:
    world.configure({"one": WRITES, "judge": ["sh", "-c", "echo 'LGTM, approved: true'"]})
    words = ("--issue", "ISSUE-001", "--params", PAIR % "")
    record = world.run("reviewed_pr", *words, code=1)
    assert record["prs"] == []
    assert record["error"]["kind"] == "AgentFailed"


# --- by name


def test_own_workflows_run_by_name_and_say_what_they_hide(world: World) -> None:
    folder = world.home / "workflows"
    folder.mkdir()
    (folder / "own.py").write_text(OWN)
    (folder / "basic_pr.py").write_text(OWN.replace("def own", "def basic_pr"))
    assert world.run("own", "--issue", "ISSUE-001")["result"] == "hello"
    answer = world.orch("run", "basic_pr", "--issue", "ISSUE-001")
    assert answer.code == 0, answer
    assert "not the built-in workflow basic_pr" in answer.err


def test_a_repositorys_workflows_run_once_trusted_and_until_they_change(world: World) -> None:
    path = place(world)
    words = ("run", "own", "--issue", "ISSUE-001", "--repo", "thing")
    error = world.refused(*words, code="workflows_untrusted", exit_code=5)
    assert error["hint"] == "orch trust thing"
    assert world.ask("trust", "thing", "--dry-run")["trusted"] is False
    world.refused(*words, code="workflows_untrusted", exit_code=5)
    granted = world.ask("trust", "thing")
    assert (granted["trusted"], granted["files"]) == (True, ["own.py"])
    assert world.run(*words[1:])["result"] == "hello"
    path.write_text(OWN.replace("hello", "goodbye"))
    error = world.refused(*words, code="workflows_changed", exit_code=5)
    assert "changed own.py" in error["message"]
    assert [item["state"] for item in world.ask("trust", "--list")] == ["changed"]
    assert world.ask("trust", "thing")["changes"] == ["changed own.py"]
    assert world.run(*words[1:])["result"] == "goodbye"
    assert world.ask("trust", "thing", "--revoke")["trusted"] is False
    world.refused(*words, code="workflows_untrusted", exit_code=5)
    assert world.ask("trust", "--list") == []
    world.refused("trust", "thing", "--revoke", code="not_trusted", exit_code=3)


def test_an_agents_worktree_lends_no_workflow(world: World) -> None:
    """What an agent writes into its worktree is never taken for the repository's own."""
    made = world.ask("worktree", "create", "thing", "fix-it")
    inside = Path(made["path"]) / ".orch" / "workflows"
    inside.mkdir(parents=True)
    (inside / "own.py").write_text(OWN)
    words = ("own", "--issue", "ISSUE-001")
    world.refused("run", *words, code="unknown_workflow", exit_code=3, cwd=Path(made["path"]))
    world.refused("trust", code="no_workflows", exit_code=3, cwd=Path(made["path"]))
    place(world, OWN.replace("hello", "main"))
    world.ask("trust", cwd=Path(made["path"]))
    assert world.run(*words, cwd=Path(made["path"]))["result"] == "main"


def test_a_run_keeps_the_repositorys_workflow_it_started_with(world: World) -> None:
    text = OWN.replace("return words", 'yield Gate("go on?")\n    return words')
    path = place(world, text)
    world.ask("trust", "thing")
    record = world.run("own", "--issue", "ISSUE-001", "--repo", "thing", code=6)
    path.write_text("not even Python")
    world.ask("gate", "approve", record["id"])
    done = world.ask("resume", record["id"])
    assert (done["status"], done["result"]) == ("done", "hello")


def test_trust_needs_workflows(world: World) -> None:
    world.refused("trust", "thing", code="no_workflows", exit_code=3)
    world.refused("trust", "thing", "--list", "--revoke", code="usage", exit_code=2)
    world.refused("trust", "nothing", code="unknown_repo", exit_code=3)


# --- orch template


def test_the_list_says_where_each_comes_from(world: World) -> None:
    place(world)
    listed = world.ask("template", "list", "--repo", "thing")
    by_name = {item["name"]: item for item in listed}
    shipped = {"agent_only", "basic_pr", "enforced_pr", "multi_agent", "reviewed_pr"}
    assert shipped | {"own"} == set(by_name)
    assert (by_name["own"]["origin"], by_name["own"]["state"]) == ("repository", "untrusted")
    assert by_name["own"]["summary"] == "Say something about the issue."
    assert by_name["own"]["parameters"] == [
        {"name": "issue", "default": None, "required": True},
        {"name": "words", "default": "'hello'", "required": False},
    ]
    text = world.orch("template", "list", "--repo", "thing")
    assert "own (repository, untrusted)" in text.out
    assert "enforced_pr (built-in)" in text.out
    assert max(map(len, text.out.splitlines())) <= 80


def test_show_prints_the_source_and_runs_nothing(world: World) -> None:
    place(world, "raise SystemExit(9)\n", "evil")
    shown = world.orch("template", "show", "evil", "--repo", "thing")
    assert (shown.code, shown.out) == (0, "raise SystemExit(9)\n")
    source = world.ask("template", "show", "enforced_pr")
    assert source["origin"] == "built-in"
    assert "def enforced_pr(" in source["text"]
    world.refused("template", "show", "enforcedpr", code="unknown_workflow", exit_code=3)


@pytest.mark.parametrize("start", ["basic_pr", "enforced_pr", "multi_agent", "reviewed_pr"])
def test_new_writes_a_copy_that_runs_by_its_name(world: World, start: str) -> None:
    assert world.ask("template", "new", "mine", "--from", start, "--dry-run")["written"] is False
    made = world.ask("template", "new", "mine", "--from", start)
    text = Path(made["path"]).read_text()
    assert "def mine(" in text
    assert "type: ignore" not in text
    (listed,) = [item for item in world.ask("template", "list") if item["name"] == "mine"]
    assert (listed["origin"], listed["state"]) == ("home", "ready")
    world.refused("template", "new", "mine", code="workflow_exists", exit_code=5)
    plan = world.ask("run", "mine", "--issue", "ISSUE-001", "--dry-run")
    assert plan["workflow"] == "mine"


@pytest.mark.parametrize("name", ["", "a-b", "../x", "1a", "class", "a.py"])
def test_new_refuses_what_is_no_name(world: World, name: str) -> None:
    world.refused("template", "new", name, code="bad_name", exit_code=2)


def test_render_fills_placeholders_from_words_files_and_the_environment(world: World) -> None:
    path = world.root / "prompt.md"
    path.write_text("{{WHO}}: {{#if TITLE}}do {{TITLE}}{{/if}}{{#if NOTE}}({{NOTE}}){{/if}}\n")
    (world.root / "title.txt").write_text("a {{WHO}} thing")
    words = (str(path), "TITLE=@title.txt")
    for call in (("template",), ("template", "render")):
        answer = world.orch(*call, *words, env={"WHO": "Ada"})
        assert (answer.code, answer.out) == (0, "Ada: do a {{WHO}} thing\n"), answer
    world.refused("template", *words, "WOH=x", code="unknown_placeholder", exit_code=2)
    refused = ("template", "render", *words, "--no-env")
    error = world.refused(*refused, code="unknown_placeholder", exit_code=2, env={"WHO": "Ada"})
    assert "'WHO'" in error["message"]
    assert world.orch("template", *words, "--no-env", "--blank").out == ": do a {{WHO}} thing\n"
    world.refused("template", "no/such.md", code="no_template", exit_code=3)
    world.refused("template", *words, "WHO", code="bad_value", exit_code=2)
    world.refused("template", "lisst", code="unknown_command", exit_code=2)
