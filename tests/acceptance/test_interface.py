"""The shapes that people script against: every key, the exit codes, errors as JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.world import World, furnished

ISSUE = {"id", "title", "status", "labels", "repo", "path"}
REPO = {"slug", "local_path", "remote_url", "default_branch", "workspace_dir"}
TREE = {"repo", "slug", "branch", "path", "status", "dirty", "ahead", "behind"}
PULL = {"repo", "number", "title", "state", "head", "base", "url"}
RUN = {
    "id", "workflow", "status", "reason", "repo", "issue", "result", "error", "steps", "attempts",
    "prs", "unresolved",
}  # fmt: skip
STEP = {"path", "effect", "status"}
ATTEMPT = {"id", "role", "agent", "status", "exit_code", "worktree", "branch"}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A home in which something has happened; tests only read it."""
    world = furnished(tmp_path_factory.mktemp("played") / "me")
    world.run("basic_pr", "--issue", "ISSUE-001")
    flow = world.flow('@do\ndef workflow():\n    yield Log("hello")\n    return 42\n')
    world.run(flow)
    yield world
    world.close()


def test_an_issue_is_answered_with_all_its_keys(world: World) -> None:
    (world.root / "spec.md").write_text("## Spec\n\nÜmläut ✓\n", encoding="utf-8")
    made = world.ask(
        "issue", "create", "Add a --json flag", "--body", "@spec.md", "--labels", "bug, cli",
        "--repo", "thing",
    )  # fmt: skip
    assert set(made) >= ISSUE
    assert (made["id"], made["title"], made["status"]) == ("ISSUE-002", "Add a --json flag", "open")
    assert made["labels"] == ["bug", "cli"]
    assert made["repo"] == "thing"
    assert made["body"].strip() == "## Spec\n\nÜmläut ✓"
    assert "Add a --json flag" in Path(made["path"]).read_text(encoding="utf-8")
    assert world.ask("issue", "show", "2") == made
    listed = world.ask("issue", "list")
    assert [issue["id"] for issue in listed] == ["ISSUE-002", "ISSUE-001"]
    assert listed[0] == made


def test_repositories_are_listed_with_all_their_keys(world: World) -> None:
    again = world.ask("repo", "add", str(world.repo))
    assert set(again) >= REPO
    assert again == world.ask("repo", "list")[0]
    assert again["slug"] == "thing"
    assert again["local_path"] == str(world.repo)
    assert again["remote_url"] == str(world.remote)
    assert again["default_branch"] == "main"
    assert len(world.ask("repo", "list")) == 1


def test_slug_and_workspace_are_chosen(bare: World) -> None:
    added = bare.ask("repo", "add", "thing", "--slug", "other-name", "--workspace", "trees")
    assert (added["slug"], added["workspace_dir"]) == ("other-name", str(bare.root / "trees"))
    made = bare.ask("worktree", "create", "other", "fix-crash")
    assert made["path"] == str(bare.root / "trees" / "fix-crash")


def test_a_url_is_cloned(bare: World) -> None:
    added = bare.ask("repo", "add", f"file://{bare.remote}", "--slug", "cloned")
    assert added["remote_url"] == f"file://{bare.remote}"
    assert bare.git("rev-parse", "HEAD", where=Path(added["local_path"])) == bare.git(
        "rev-parse", "main"
    )


def test_worktrees_are_told_as_git_sees_them(world: World) -> None:
    made = world.ask("worktree", "create", "thing", "fix-crash")
    assert set(made) >= TREE
    assert (made["repo"], made["slug"], made["branch"]) == ("thing", "fix-crash", "fix/crash")
    assert (made["status"], made["dirty"], made["ahead"], made["behind"]) == ("active", False, 0, 0)
    tree = Path(made["path"])
    (tree / "new.txt").write_text("x")
    world.git("add", "new.txt", where=tree)
    world.git("commit", "-q", "-m", "New", where=tree)
    (tree / "README.md").write_text("changed\n")
    [seen] = world.ask("worktree", "list")
    assert set(seen) >= TREE
    assert (seen["dirty"], seen["ahead"]) == (True, 1)
    second = world.ask("worktree", "create", "thing", "feat-b", "--from", "main")
    assert [t["slug"] for t in world.ask("worktree", "list")] == [second["slug"], "fix-crash"]


def test_a_run_record_has_all_its_keys_and_show_prints_the_same(played: World) -> None:
    listed = played.ask("ps")
    assert [run["workflow"] for run in listed] == ["flow", "basic_pr"], "newest first"
    record = listed[1]
    assert set(record) >= RUN
    assert record["status"] == "done"
    assert (record["reason"], record["error"], record["unresolved"]) == (None, None, [])
    assert (record["repo"], record["issue"]) == ("thing", "ISSUE-001")
    assert all(set(step) >= STEP for step in record["steps"])
    assert {step["effect"] for step in record["steps"]} >= {
        "CreateWorktree/1", "RunAgent/1", "CreatePR/1", "Commit/1", "Push/1"
    }  # fmt: skip
    [attempt] = record["attempts"]
    assert set(attempt) >= ATTEMPT
    assert (attempt["role"], attempt["agent"], attempt["status"]) == ("work", "one", "succeeded")
    assert attempt["exit_code"] == 0
    [pull] = record["prs"]
    assert set(pull) >= PULL
    assert (pull["state"], pull["base"], pull["head"]) == ("open", "main", attempt["branch"])
    assert played.ask("show", record["id"]) == record
    assert played.ask("show", record["id"][:5]) == record
    assert played.ask("show", "@") == listed[0]
    assert listed[0]["result"] == 42
    assert played.ask("pr", "list") == [pull]


def test_the_record_of_a_run_on_stdout_is_the_one_of_show(world: World) -> None:
    record = world.run("basic_pr", "--issue", "ISSUE-001")
    assert record == world.ask("show", "@")


def test_quiet_prints_ids_alone(world: World) -> None:
    for words, wanted in (
        (("repo", "add", str(world.repo)), "thing"),
        (("issue", "create", "Another"), "ISSUE-002"),
        (("worktree", "create", "thing", "fix-b"), "fix-b"),
        (("issue", "list"), "ISSUE-002\nISSUE-001"),
        (("repo", "list"), "thing"),
        (("worktree", "list"), "fix-b"),
    ):
        answer = world.orch(*words, "--quiet")
        assert (answer.code, answer.out, answer.err) == (0, wanted + "\n", ""), answer
    ran = world.orch("run", "basic_pr", "--issue", "1", "--quiet")
    [listed] = world.ask("ps")
    assert (ran.code, ran.out, ran.err) == (0, listed["id"] + "\n", "")
    assert world.orch("ps", "-q").out == ran.out
    assert world.orch("pr", "list", "-q").out == "thing#1\n"


def test_listings_are_arrays_even_when_empty(bare: World) -> None:
    for words in (("repo", "list"), ("issue", "list"), ("worktree", "list"), ("pr", "list"),
                  ("ps",), ("gate", "list"), ("resume",)):  # fmt: skip
        answer = bare.orch(*words, "--json")
        assert (answer.code, answer.json) == (0, []), answer


def test_listings_are_never_cut(world: World) -> None:
    names = [f"fix-number-{n}-{'x' * 30}" for n in range(5)]
    title = "A very long title " * 16
    for name in names:
        world.ask("worktree", "create", "thing", name)
    vault = world.home / "vault"
    for n in range(2, 151):
        (vault / f"ISSUE-{n:03}.md").write_text(f"---\ntitle: {title}{n}\n---\nbody\n")
    listed = world.ask("issue", "list")
    assert [issue["id"] for issue in listed[:2]] == ["ISSUE-150", "ISSUE-149"]
    assert len(listed) == 150
    assert listed[0]["title"] == f"{title}150"
    table = world.orch("issue", "list")
    assert len(table.out.splitlines()) == 151
    assert "…" in table.out, "what is cut is marked"
    assert [tree["slug"] for tree in world.ask("worktree", "list")] == names[::-1]
    assert all(name in world.orch("worktree", "list", "--json").out for name in names)


def test_a_prefix_that_could_be_two_is_refused(world: World) -> None:
    first = world.run(world.flow("@do\ndef workflow():\n    yield Log('x')\n"))["id"]
    second = first[:6] + first[6:].translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    with sqlite3.connect(world.home / "orch.db") as books:  # ids are random; this one is its twin
        books.execute(
            "insert into runs (id, status, repo, workflow, stop, updated_at, body)"
            " select ?, status, repo, workflow, stop, updated_at, replace(body, id, ?) from runs",
            (second, second),
        )
    books.close()
    error = world.refused("show", first[:6], code="ambiguous", exit_code=2)
    assert first in error["message"]
    assert second in error["message"]
    assert world.ask("show", first[:7])["id"] == first
    assert world.ask("show", second)["id"] == second


def test_a_repository_is_found_by_its_unique_prefix(bare: World) -> None:
    bare.git("clone", "-q", str(bare.remote), "things", where=bare.root)
    bare.ask("repo", "add", "thing", "--slug", "thing-one")
    bare.ask("repo", "add", "things", "--slug", "thing-two")
    assert bare.ask("worktree", "create", "thing-t", "fix-a")["repo"] == "thing-two"
    error = bare.refused("worktree", "create", "thing", "fix-b", code="ambiguous", exit_code=2)
    assert "thing-one" in error["message"]
    assert "thing-two" in error["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("repo", "add", "thing", "--dry-run"),
        ("repo", "add", "file://REMOTE", "--slug", "cloned", "--dry-run"),
        ("issue", "create", "A title", "--body", "text", "--dry-run"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_dry_run_touches_nothing_in_a_new_home(bare: World, words: tuple[str, ...]) -> None:
    asked = [word.replace("REMOTE", str(bare.remote)) for word in words]
    before = bare.snapshot()
    plain = bare.orch(*asked)
    assert plain.code == 0, plain
    assert plain.out
    assert json.loads(bare.orch(*asked, "--json").out)
    assert bare.snapshot() == before


def test_dry_run_touches_nothing_in_a_home_at_work(played: World) -> None:
    other = played.root / "other"
    played.git("clone", "-q", str(played.remote), str(other), where=played.root)
    (other / "new.txt").write_text("new\n")
    played.git("add", ".", where=other)
    played.git("commit", "-q", "-m", "Ahead of what is known", where=other)
    played.git("push", "-q", "origin", "HEAD:main", where=other)
    before = played.snapshot()
    for words in (
        ("run", "basic_pr", "--issue", "ISSUE-001"),
        ("run", "multi_agent", "--issue", "ISSUE-001", "--params", '{"impl_agent": "one"}'),
        ("worktree", "create", "thing", "fix-c"),
        ("worktree", "create", "thing", "fix-c", "--from", "main"),
        ("stop", "@"),
        ("stop", "@", "--abort"),
    ):
        plain = played.orch(*words, "--dry-run")
        assert plain.code in ((0, 5) if words[0] == "stop" else (0,)), plain
        answer = played.orch(*words, "--dry-run", "--json")
        assert answer.json, answer
        assert played.snapshot() == before, words


def test_an_error_is_told_on_stderr_and_with_json_on_stdout(played: World) -> None:
    plain = played.orch("show", "fffffffffff0")
    assert (plain.code, plain.out) == (3, "")
    assert plain.err.startswith("error: ")
    assert "[unknown_run]" in plain.err
    assert "try: orch ps" in plain.err
    asked = played.orch("show", "fffffffffff0", "--json")
    assert asked.code == 3
    assert asked.error["code"] == "unknown_run"
    assert asked.error["hint"] == "orch ps"


def test_version_is_one_word_for_all(played: World) -> None:
    said = {
        played.orch("--version").out.strip(),
        played.orch("version").out.strip(),
        "orch " + played.ask("version")["version"],
        "orch " + played.orch("version", "-q").out.strip(),
    }
    assert len(said) == 1
