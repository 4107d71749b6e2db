"""Work sessions: begun, noted in, ended with a postmortem, looked back at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.world import World

RECORD = {"id", "name", "open", "started_at", "ended_at", "notes", "postmortem"}


def editor(world: World, script: str) -> dict[str, str]:
    """An EDITOR that does what `script` says to "$1", and keeps what it was shown."""
    program = world.root / "my editor"
    program.write_text(f'#!/bin/sh\ncp "$1" "{world.root}/shown"\n{script}\n', encoding="utf-8")
    program.chmod(0o755)
    return {"EDITOR": f"'{program}'"}


def test_a_session_from_its_beginning_to_a_look_back(world: World) -> None:
    world.ask("issue", "create", "Before the session")
    begun = world.ask("session", "start", "Fix the login")
    assert set(begun) == RECORD
    assert (begun["id"], begun["name"], begun["open"], begun["ended_at"]) == (
        1, "Fix the login", True, "",
    )  # fmt: skip
    run = world.run("basic_pr", "--issue", "1")
    made = world.ask("worktree", "create", "thing", "fix-crash")
    assert len(world.ask("session", "note", "The cache was stale")["notes"]) == 1
    ended = world.ask("session", "end", "--message", "Shipped.")
    assert (ended["open"], ended["postmortem"]) == (False, "Shipped.")
    world.ask("worktree", "create", "thing", "fix-later")
    looked = world.ask("session", "show")
    assert set(looked) == RECORD | {"worktrees", "runs", "timeline"}
    assert looked["worktrees"] == [run["attempts"][0]["worktree"], made["path"]]
    assert [each["id"] for each in looked["runs"]] == [run["id"]]
    assert looked["runs"][0]["status"] == "done"
    said = [item["what"] for item in looked["timeline"]]
    assert said[0] == "session 'Fix the login' began"
    assert f"run {run['id']} is done" in said
    assert "worktree fix/crash" in said
    assert "note: The cache was stale" in said
    assert said[-1] == "the session ended"
    assert not any("fix/later" in what for what in said)
    assert looked == world.ask("session", "show", "1") == world.ask("session", "show", "@")
    plain = world.orch("session", "show", "1").out
    assert f"  run {run['id']} (basic_pr) for ISSUE-001: done\n" in plain
    assert plain.endswith("\nShipped.\n")


def test_one_is_open_at_a_time_and_the_errors_say_what_to_do(world: World) -> None:
    for words in (("end",), ("note", "x"), ("end", "--dry-run")):
        error = world.refused("session", *words, code="no_session", exit_code=5)
        assert error["hint"].startswith("orch session start")
    world.refused("session", "show", code="unknown_session", exit_code=3)
    world.ask("session", "start")
    for words in (("start", "two"), ("start", "two", "--dry-run")):
        error = world.refused("session", *words, code="session_open", exit_code=5)
        assert error["hint"] == "orch session end"
    world.refused("session", "note", " ", code="empty_note", exit_code=2)
    world.refused("session", "show", "7", code="unknown_session", exit_code=3)


def test_sessions_are_listed_newest_first(world: World) -> None:
    assert world.ask("session", "list") == []
    for name in ("One", "Two \x1b[31mred"):
        world.ask("session", "start", name)
        world.ask("session", "end")
    world.ask("session", "start", "Three")
    listed = world.ask("session", "list")
    assert [item["id"] for item in listed] == [3, 2, 1]
    assert [item["open"] for item in listed] == [True, False, False]
    table = world.orch("session", "list")
    assert "\x1b" not in table.out
    assert max(map(len, table.out.splitlines())) <= 80
    assert world.orch("session", "list", "-q").out == "3\n2\n1\n"


def test_the_postmortem_is_written_in_the_persons_own_editor(world: World) -> None:
    world.ask("session", "start", "Fix the login")
    world.ask("worktree", "create", "thing", "fix-crash")
    env = editor(
        world, """printf 'It was\\n\\n# a heading\\n' | cat - "$1" > "$1.x"; mv "$1.x" "$1\""""
    )
    ended = world.ask("session", "end", "--edit", env=env)
    assert ended["postmortem"] == "It was\n\n# a heading"
    shown = Path(world.root, "shown").read_text()
    assert "# What came of session 1: Fix the login" in shown
    assert "worktree fix/crash" in shown
    assert list(world.root.glob("orch-edit-*")) == []


@pytest.mark.parametrize(
    ("env", "code", "exit_code"),
    [
        ({"EDITOR": "false"}, "editor_failed", 9),
        ({"EDITOR": "no-such-editor-here"}, "editor_failed", 9),
        ({"EDITOR": "un'closed"}, "editor_failed", 9),
        ({"EDITOR": ""}, "no_editor", 2),
    ],
)
def test_an_editor_that_fails_ends_nothing(
    world: World, env: dict[str, str], code: str, exit_code: int
) -> None:
    world.ask("session", "start", "Fix the login")
    world.refused("session", "end", "--edit", code=code, exit_code=exit_code, env=env)
    world.refused("session", "note", code=code, exit_code=exit_code, env=env)
    assert world.ask("session", "list")[0]["open"]


def test_a_text_may_come_from_a_file_or_standard_input(world: World) -> None:
    world.ask("session", "start", "x")
    (world.root / "notes.md").write_text("# Möglich\n")
    world.ask("session", "note", "@notes.md")
    world.ask("session", "note", "-", stdin="from a pipe\n")
    ended = world.ask("session", "end", "--note", "@notes.md")
    assert [note["text"] for note in ended["notes"]] == ["# Möglich\n", "from a pipe\n"]
    assert ended["postmortem"] == "# Möglich\n"


def test_a_dry_run_changes_nothing(world: World) -> None:
    before = world.snapshot()
    assert world.orch("session", "start", "x", "--dry-run").out == "would begin a session x\n"
    assert world.ask("session", "start", "x", "--dry-run") == {"name": "x"}
    assert world.snapshot() == before
    world.ask("session", "start", "x")
    before = world.snapshot()
    for words in (("note", "y"), ("end", "-m", "y")):
        assert world.ask("session", *words, "--dry-run")["open"]
        assert world.snapshot() == before
