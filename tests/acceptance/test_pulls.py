"""`orch pr`: a person looks at, checks, merges and closes what runs have opened."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.world import World

TWO_PRS = """
@do
def workflow():
    for name in ("left", "right"):
        env = yield CreateWorktree(name=name)
        yield RunCommand(env=env, command=["sh", "-c", f"echo {name} > {name}.txt; echo 2 > two"])
        yield CreatePR(env=env, title=f"Add {name}", body="Why it is good.")
"""


@pytest.fixture
def opened(world: World) -> list[dict[str, Any]]:
    """Two open pull requests of `thing`: 1 adds left.txt, 2 adds right.txt; both add `two`."""
    prs: list[dict[str, Any]] = world.run(world.flow(TWO_PRS))["prs"]
    assert [pr["number"] for pr in prs] == [1, 2]
    return prs


def tip(world: World, branch: str = "main") -> str:
    return world.git("rev-parse", f"refs/heads/{branch}", where=world.remote)


def somebody_pushes(world: World, branch: str, name: str) -> str:
    """A commit on `branch` of the remote, from another checkout."""
    elsewhere = world.root / f"elsewhere-{name}"
    world.git("clone", "--quiet", "--branch", branch, str(world.remote), str(elsewhere))
    (elsewhere / name).write_text("theirs\n", encoding="utf-8")
    world.git("add", "--all", where=elsewhere)
    world.git("commit", "--quiet", "--message", f"Theirs: {name}", where=elsewhere)
    world.git("push", "--quiet", "origin", branch, where=elsewhere)
    return tip(world, branch)


# --- looking ------------------------------------------------------------------------------


def test_show_tells_what_the_remote_has_now(world: World, opened: list[dict[str, Any]]) -> None:
    shown = world.ask("pr", "show", "1")
    assert (shown["state"], shown["head_sha"]) == ("open", opened[0]["head_sha"])
    assert (shown["checks"], shown["warning"]) == ([], "")
    text = world.orch("pr", "show", "thing#1")
    assert text.code == 0
    assert "thing#1: Add left" in text.out
    assert "Why it is good." in text.out
    assert "orch:v1" not in text.out
    moved = somebody_pushes(world, opened[0]["head"], "more.txt")
    assert world.ask("pr", "show", "1")["head_sha"] == moved
    listed = {pr["number"]: pr["head_sha"] for pr in world.ask("pr", "list")}
    assert listed[1] == moved, "the books follow"
    assert world.orch("pr", "show", "1", "--quiet").out == "thing#1\n"


def test_names_of_a_pull_request(world: World, opened: list[dict[str, Any]]) -> None:
    for word in ("2", "#2", "thing#2", "th#2", "@", opened[1]["url"]):
        assert world.ask("pr", "show", word)["number"] == 2, word
    for word in ("7", "thing#7", "nonsense", "file:///nowhere"):
        world.refused("pr", "show", word, code="unknown_pr", exit_code=3)
    world.refused("pr", "show", "other#1", code="unknown_repo", exit_code=3)


def test_h94_a_number_of_two_repositories_names_both(
    world: World, opened: list[dict[str, Any]]
) -> None:
    second, remote = world.root / "second", world.root / "second.git"
    world.git("clone", "--quiet", "--bare", str(world.repo), str(remote), where=world.root)
    world.git("clone", "--quiet", str(remote), str(second), where=world.root)
    world.ask("repo", "add", str(second))
    world.run(world.flow(TWO_PRS), "--repo", "second")
    error = world.refused("pr", "merge", "1", code="ambiguous", exit_code=2)
    assert "second#1, thing#1" in error["message"]
    assert world.ask("pr", "show", "1", cwd=second)["repo"] == "second"
    assert world.ask("pr", "show", "second#2")["repo"] == "second"


def test_list_filters(world: World, opened: list[dict[str, Any]]) -> None:
    world.ask("pr", "close", "1")
    heads = [pr["head"] for pr in opened]
    for words, numbers in (
        ((), [2, 1]), (("--state", "all"), [2, 1]), (("--state", "open"), [2]),
        (("--state", "closed"), [1]), (("--head", heads[1]), [2]), (("--repo", "thing"), [2, 1]),
        (("--state", "merged"), []),
    ):  # fmt: skip
        assert [pr["number"] for pr in world.ask("pr", "list", *words)] == numbers, words
    world.refused("pr", "list", "--repo", "none", code="unknown_repo", exit_code=3)
    world.refused("pr", "list", "--state", "odd", code="usage", exit_code=2)


def test_diff_shows_the_change_and_its_files(world: World, opened: list[dict[str, Any]]) -> None:
    text = world.orch("pr", "diff", "1").out
    assert "+++ b/left.txt" in text
    assert "+left" in text
    files = [{"path": p, "added": 1, "removed": 0} for p in ("left.txt", "two")]
    assert world.ask("pr", "diff", "1", "--stat") == files
    assert world.orch("pr", "diff", "1", "--quiet").out == "left.txt\ntwo\n"
    assert "left.txt  +1" in world.orch("pr", "diff", "1", "--stat").out
    somebody_pushes(world, "main", "base.txt")
    assert world.ask("pr", "diff", "1")["diff"] == text, "what others do to the base is not of it"
    world.orch("pr", "merge", "1", "--strategy", "squash")
    assert world.ask("pr", "diff", "1", "--stat") == files
    # The other one's `two` is there already: what it still brings is one file.
    world.orch("pr", "merge", "2", "--strategy", "rebase")
    assert [f["path"] for f in world.ask("pr", "diff", "2", "--stat")] == ["right.txt"]
    world.refused("pr", "diff", "9", code="unknown_pr", exit_code=3)


def test_a_diff_on_a_terminal_acts_on_nothing(world: World) -> None:
    write = "printf 'x\\033]0;owned\\007y' > a.txt"
    flow = world.flow(f"""
@do
def workflow():
    env = yield CreateWorktree(name="evil")
    yield RunCommand(env=env, command=["sh", "-c", {write!r}])
    yield CreatePR(env=env, title="Evil")
""")
    world.run(flow)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "orch", "pr", "diff", "1"], cwd=world.root, stdout=slave,
        stderr=slave, stdin=subprocess.DEVNULL, env=world.environ(),
    )  # fmt: skip
    os.close(slave)
    said = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    os.close(master)
    assert process.wait() == 0
    assert b"+xy" in said
    assert b"\x1b]0;" not in said
    assert "\x1b]0;owned" in world.orch("pr", "diff", "1").out, "a pipe gets it as it is"


def test_without_the_remote_the_record_is_shown_and_said_to_be_old(
    world: World, opened: list[dict[str, Any]]
) -> None:
    first = world.orch("pr", "diff", "1").out
    world.remote.rename(world.root / "gone")
    shown = world.ask("pr", "show", "1")
    assert shown["state"] == "open"
    assert "no repository at the remote" in shown["warning"]
    answer = world.orch("pr", "diff", "1")
    assert (answer.code, answer.out) == (0, first)
    assert "shown as recorded" in answer.err
    assert world.orch("pr", "checks", "1").code == 0
    never_looked_at = world.refused("pr", "diff", "2", code="diff_unknown", exit_code=5)
    assert "the remote could not be looked at" in never_looked_at["message"]
    world.refused("pr", "merge", "1", code="remote_missing", exit_code=3)
    world.refused("pr", "reopen", "1", code="remote_missing", exit_code=3)
    world.refused("pr", "check", "1", "unit", "success", code="remote_missing", exit_code=3)


# --- merging ------------------------------------------------------------------------------


@pytest.mark.parametrize(("strategy", "parents"), [("merge", 2), ("squash", 1), ("rebase", 1)])
def test_merge_lands_at_the_remote_and_nowhere_else(
    world: World, opened: list[dict[str, Any]], strategy: str, parents: int
) -> None:
    mine = world.git("rev-parse", "HEAD")
    done = world.ask("pr", "merge", "1", "--strategy", strategy)
    assert (done["state"], done["merged_sha"]) == ("merged", tip(world))
    found = world.git("rev-list", "--parents", "--max-count=1", tip(world), where=world.remote)
    assert len(found.split()) == parents + 1
    assert world.git("show", f"{tip(world)}:left.txt", where=world.remote) == "left"
    assert world.git("rev-parse", "HEAD") == mine
    assert world.git("status", "--porcelain") == ""
    assert done["behind"] == str(world.repo)
    assert tip(world, opened[0]["head"]) == opened[0]["head_sha"], "its branch stays"
    [listed] = world.ask("pr", "list", "--state", "merged")
    assert listed["merged_sha"] == done["merged_sha"]
    after = tip(world)
    again = world.orch("pr", "merge", "1", "--strategy", strategy)
    assert again.code == 0
    assert "is merged already" in again.out
    assert tip(world) == after


def test_a_merge_says_what_it_did_and_what_is_behind(
    world: World, opened: list[dict[str, Any]]
) -> None:
    answer = world.orch("pr", "merge", "1")
    assert answer.out == f"thing#1 merged: main has it as {tip(world)}\n"
    assert f"your checkout's main is behind: git -C {world.repo} pull" in answer.err
    world.git("pull", "--quiet", "--ff-only", "origin", "main")
    assert world.ask("pr", "merge", "1")["behind"] == ""


def test_a_dry_run_says_what_would_be_and_does_nothing(
    world: World, opened: list[dict[str, Any]]
) -> None:
    before = world.snapshot()
    assert world.ask("pr", "merge", "1", "--dry-run")["would"] == "merge"
    said = world.orch("pr", "merge", "1", "--dry-run", "--strategy", "squash").out
    assert said == "would merge thing#1 into main (squash)\n"
    assert world.ask("pr", "close", "1", "--dry-run")["would"] == "close"
    assert world.ask("pr", "reopen", "1", "--dry-run")["would"] == "reopen"
    assert world.ask("pr", "check", "1", "unit", "success", "--dry-run")["would"] == "check"
    assert world.snapshot() == before
    world.ask("pr", "merge", "1")
    assert world.ask("pr", "merge", "1", "--dry-run")["would"] == ""
    # Both add `two`, one with other words: the trial finds it.
    somebody_pushes(world, opened[1]["head"], "two")
    error = world.refused("pr", "merge", "2", "--dry-run", code="merge_conflict", exit_code=1)
    assert error["data"]["files"] == ["two"]


def test_a_conflict_is_refused_with_its_files(world: World, opened: list[dict[str, Any]]) -> None:
    base = somebody_pushes(world, "main", "left.txt")
    error = world.refused("pr", "merge", "1", "--dry-run", code="merge_conflict", exit_code=1)
    assert error["data"]["files"] == ["left.txt"]
    assert world.orch("pr", "merge", "1", "--json").error["code"] == "merge_conflict"
    assert (tip(world), world.ask("pr", "show", "1")["state"]) == (base, "open")


def test_h80_another_head_than_the_expected_is_not_merged(
    world: World, opened: list[dict[str, Any]]
) -> None:
    old = opened[0]["head_sha"]
    new = somebody_pushes(world, opened[0]["head"], "more.txt")
    for words in (("--expect", old), ("--expect", old[:9]), ("--expect", old, "--dry-run")):
        error = world.refused("pr", "merge", "1", *words, code="head_moved", exit_code=5)
        assert error["data"] == {"expected": error["data"]["expected"], "head": new}
    assert world.ask("pr", "merge", "1", "--expect", new[:9])["head_sha"] == new


def test_h81_what_was_merged_by_hand_is_merged(world: World, opened: list[dict[str, Any]]) -> None:
    world.git("fetch", "--quiet", "origin")
    world.git("merge", "--quiet", "--no-ff", "-m", "By hand", f"origin/{opened[0]['head']}")
    world.git("push", "--quiet", "origin", "main")
    shown = world.ask("pr", "show", "1")
    assert (shown["state"], shown["merged_sha"]) == ("merged", tip(world))
    assert "is merged already" in world.orch("pr", "merge", "1").out
    assert [pr["number"] for pr in world.ask("pr", "list", "--state", "merged")] == [1]


def test_the_branch_goes_only_when_asked_and_only_ours(
    world: World, opened: list[dict[str, Any]]
) -> None:
    heads = [pr["head"] for pr in opened]
    done = world.ask("pr", "merge", "1", "--delete-branch")
    assert (done["branch_deleted"], done["branch_kept"]) == (True, "")
    branches = world.git("branch", "--format=%(refname:short)", where=world.remote).split()
    assert branches == ["main", heads[1]]
    again = world.ask("pr", "merge", "1", "--delete-branch")
    assert (again["branch_deleted"], again["branch_kept"]) == (False, "")
    world.git("update-ref", "-d", f"refs/orch/made/{heads[1]}")
    kept = world.ask("pr", "merge", "2", "--delete-branch")
    assert not kept["branch_deleted"]
    assert "was not made here" in kept["branch_kept"]
    assert tip(world, heads[1]) == opened[1]["head_sha"]


def test_a_remote_with_the_base_checked_out_is_told(
    world: World, opened: list[dict[str, Any]]
) -> None:
    world.git("config", "core.bare", "false", where=world.remote)
    before = tip(world)
    error = world.orch("pr", "merge", "1", "--json").error
    assert error["code"] == "base_checked_out"
    assert error["hint"] == f"Leave it there with: git -C '{world.remote}' switch --detach"
    assert (tip(world), world.ask("pr", "show", "1")["state"]) == (before, "open")
    world.git("config", "core.bare", "true", where=world.remote)
    assert world.ask("pr", "merge", "1")["state"] == "merged"


def test_nobody_is_asked_where_nobody_may_be(world: World, opened: list[dict[str, Any]]) -> None:
    world.refused("pr", "merge", "1", "--no-input", code="needs_yes", exit_code=2)
    world.refused("pr", "merge", "1", "--strategy", "odd", code="usage", exit_code=2)
    assert world.ask("pr", "merge", "1", "--no-input", "--yes")["state"] == "merged"


# --- checks -------------------------------------------------------------------------------


def test_checks_stand_in_the_way_until_they_pass(
    world: World, opened: list[dict[str, Any]]
) -> None:
    head = opened[0]["head_sha"]
    made = world.ask("pr", "check", "1", "unit", "pending", "--url", "https://x/1")
    assert (made["state"], made["url"], made["head_sha"]) == ("pending", "https://x/1", head)
    world.ask("pr", "check", "1", "lint", "failure", "--summary", "3 lines", "--head", head[:8])
    error = world.refused("pr", "merge", "1", code="checks_failed", exit_code=5)
    assert error["data"]["checks"] == ["lint"]
    assert "--force" in error["hint"]
    told = world.orch("pr", "checks", "1")
    assert told.code == 0
    assert "lint" in told.out
    assert "3 lines" in told.out
    world.ask("pr", "check", "1", "lint", "success")
    world.refused("pr", "merge", "1", code="checks_pending", exit_code=5)
    assert [c["state"] for c in world.ask("pr", "show", "1")["checks"]] == ["success", "pending"]
    assert world.ask("pr", "merge", "1", "--force")["state"] == "merged"


def test_h77_a_new_push_has_none(world: World, opened: list[dict[str, Any]]) -> None:
    old = opened[0]["head_sha"]
    world.ask("pr", "check", "1", "unit", "failure")
    new = somebody_pushes(world, opened[0]["head"], "more.txt")
    assert world.ask("pr", "checks", "1") == []
    # A script that looked at the old commit says so; the new one is not judged by it.
    world.ask("pr", "check", "1", "unit", "success", "--head", old)
    assert world.ask("pr", "checks", "1") == []
    world.ask("pr", "check", "1", "unit", "failure", "--head", new)
    world.refused("pr", "merge", "1", code="checks_failed", exit_code=5)


def test_what_is_no_check_is_refused(world: World, opened: list[dict[str, Any]]) -> None:
    for words, code in (
        (("1", "unit", "green"), "usage"), (("1", "a\nb", "success"), "bad_check"),
        (("1", "unit", "success", "--head", "xyz"), "bad_name"),
        (("1", "unit", "success", "--head", "1234567"), "bad_name"),
    ):  # fmt: skip
        world.refused("pr", "check", *words, code=code, exit_code=2)
    world.refused("pr", "check", "9", "unit", "success", code="unknown_pr", exit_code=3)
    world.refused("pr", "checks", "9", code="unknown_pr", exit_code=3)


# --- closing ------------------------------------------------------------------------------


def test_close_and_reopen(world: World, opened: list[dict[str, Any]]) -> None:
    assert world.orch("pr", "close", "1").out == "thing#1 is closed\n"
    assert world.ask("pr", "close", "1")["state"] == "closed"
    error = world.refused("pr", "merge", "1", code="pr_closed", exit_code=5)
    assert error["hint"] == "orch pr reopen thing#1"
    assert world.ask("pr", "reopen", "1")["state"] == "open"
    world.ask("pr", "close", "1")
    world.git("update-ref", "-d", f"refs/heads/{opened[0]['head']}", where=world.remote)
    world.refused("pr", "reopen", "1", code="head_gone", exit_code=5)
    world.ask("pr", "merge", "2")
    for words in (("close", "2"), ("close", "2", "--dry-run"), ("reopen", "2")):
        world.refused("pr", *words, code="pr_merged", exit_code=5)
    for verb in ("close", "reopen"):
        world.refused("pr", verb, "9", code="unknown_pr", exit_code=3)


def test_a_broken_record_is_told_and_kept(
    world: World, opened: list[dict[str, Any]], person: Path
) -> None:
    path = world.home / "forge" / "thing" / "pulls" / "1.json"
    path.write_text(path.read_text("utf-8").replace('"open"', '"odd"'), encoding="utf-8")
    for words in (("show", "1"), ("merge", "1"), ("close", "1"), ("diff", "thing#1")):
        world.refused("pr", *words, code="pr_broken", exit_code=2)
    assert world.ask("pr", "merge", "2")["state"] == "merged"
