"""A checkout that was moved: registered anew with all it has, its worktrees mended, never guessed;
meanwhile it holds up nothing that is asked of the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.acceptance.world import World


@pytest.fixture
def worktree(world: World) -> Path:
    """Unsaved work in a worktree of `thing`."""
    path = Path(world.ask("worktree", "create", "thing", "w1")["path"])
    (path / "half.txt").write_text("half\n")
    return path


def move(world: World, name: str = "thing2") -> str:
    place = world.repo.parent / name
    world.repo = world.repo.rename(place)
    return str(place)


@pytest.mark.parametrize("words", [("--slug", "thing"), ()])
def test_a_moved_checkout_is_registered_anew_with_all_it_has(
    world: World, worktree: Path, words: tuple[str, ...]
) -> None:
    task = world.ask("task", "add", "Later", "--repo", "thing")
    place = move(world)
    planned = world.ask("repo", "add", place, *words, "--dry-run")
    assert (planned["slug"], planned["local_path"]) == ("thing", place)
    added = world.ask("repo", "add", place, *words)
    assert (added["slug"], added["local_path"]) == ("thing", place)
    assert [r["slug"] for r in world.ask("repo", "list")] == ["thing"]
    assert [(t["id"], t["repo"]) for t in world.ask("task", "list")] == [(task["id"], "thing")]
    assert (worktree / ".git").read_text() == f"gitdir: {place}/.git/worktrees/w1\n"
    assert "half.txt" in world.git("status", "--short", where=worktree)
    [item] = world.ask("worktree", "list")
    assert (item["status"], item["dirty"]) == ("active", True)
    world.git("add", "-A", where=worktree)
    world.git("commit", "-qm", "Half", where=worktree)
    assert world.ask("worktree", "push", "w1")["status"] == "pushed"
    (worktree / "more.txt").write_text("more\n")
    saved = world.ask("worktree", "delete", "w1", "--yes")["saved"]
    world.ask("worktree", "restore", saved)
    assert (worktree / "more.txt").read_text() == "more\n"
    world.ask("doctor")


def test_doing_it_again_without_the_name_refreshes_it(world: World, worktree: Path) -> None:
    place = move(world)
    world.ask("repo", "add", place)
    assert world.ask("repo", "add", place)["slug"] == "thing"


def test_a_pointer_that_leads_elsewhere_is_left_alone(world: World, worktree: Path) -> None:
    """What an agent put in the place of `.git` is not followed, and not written through."""
    bait = world.root / "bait"
    bait.write_text("mine\n")
    (worktree / ".git").unlink()
    (worktree / ".git").symlink_to(bait)
    world.ask("repo", "add", move(world))
    assert bait.read_text() == "mine\n"
    assert (worktree / ".git").is_symlink()


def test_another_repository_is_not_taken_for_it(world: World, worktree: Path) -> None:
    move(world)
    other = world.root / "other"
    world.git("init", "-q", str(other), where=world.root)
    world.git("commit", "-q", "--allow-empty", "-m", "First", where=other)
    error = world.refused(
        "repo", "add", str(other), "--slug", "thing", code="repo_exists", exit_code=5
    )
    assert "which is gone, and nothing shows" in error["message"]
    assert error["hint"] == f"orch repo add {other} --slug OTHER-NAME"
    assert world.ask("repo", "add", str(other))["slug"] == "other"


def test_the_same_remote_is_asked_about_not_guessed(world: World) -> None:
    """A second clone of a lost one's remote: the person says which it is."""
    remote = world.git("remote", "get-url", "origin")
    shutil.rmtree(world.repo)
    world.repo = second = world.root / "second"
    world.git("clone", "-q", remote, str(second), where=world.root)
    error = world.refused("repo", "add", str(second), code="repo_exists", exit_code=5)
    assert "it may be the same" in error["message"]
    assert f"orch repo add {second} --slug thing" in error["hint"]
    assert world.ask("repo", "add", str(second), "--slug", "thing")["local_path"] == str(second)


def test_one_that_is_still_there_is_never_replaced(world: World) -> None:
    remote = world.git("remote", "get-url", "origin")
    second = world.root / "second"
    world.git("clone", "-q", remote, str(second), where=world.root)
    error = world.refused(
        "repo", "add", str(second), "--slug", "thing", code="repo_exists", exit_code=5
    )
    assert "is taken by" in error["message"]


def test_a_lost_repository_holds_up_no_listing_and_is_never_called_clean(
    world: World, worktree: Path
) -> None:
    world.ask("repo", "add", str(_other(world)))
    world.ask("worktree", "create", "other", "w2")
    saved = world.ask("worktree", "delete", "w2", "--yes")["saved"]
    move(world)
    answer = world.orch("worktree", "trash")
    assert (answer.code, saved in answer.out) == (0, True), answer
    assert answer.err.count("thing was left out: ") == 1
    assert "orch repo add PATH --slug thing" in answer.err
    for words in ((), ("--dry-run",)):
        done = world.ask("env", "cleanup", *words)
        assert [said.split(":")[0] for said in done["left_out"]] == ["thing was left out"]
    world.ask("worktree", "restore", "w2")
    answer = world.orch("worktree", "list")
    [row] = [line.split() for line in answer.out.splitlines() if line.startswith("thing")]
    assert row == ["thing", "unknown", "-", "feat/w1"]
    assert "thing: The repository thing is no longer at" in answer.err


def test_what_removes_wants_the_whole_name(world: World) -> None:
    """A prefix may be meant for another repository."""
    error = world.refused("repo", "remove", "thin", code="unknown_repo", exit_code=3)
    assert "did you mean 'thing'?" in error["message"]
    world.ask("worktree", "create", "thing", "w1")
    error = world.refused(
        "worktree", "delete", "w1", "--repo", "thin", code="unknown_repo", exit_code=3
    )
    assert "did you mean 'thing'?" in error["message"]
    world.ask("worktree", "create", "thing", "w2")
    error = world.refused("repo", "remove", "thing", code="repo_in_use", exit_code=5)
    assert "2 worktrees" in error["message"]
    assert "orch env cleanup" in error["hint"]
    assert "orch worktree delete w" in error["hint"]


def _other(world: World) -> Path:
    other = world.root / "other"
    world.git("init", "-q", str(other), where=world.root)
    world.git("commit", "-q", "--allow-empty", "-m", "First", where=other)
    return other
