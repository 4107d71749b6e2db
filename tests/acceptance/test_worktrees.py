"""Worktrees without fear, as a person meets them: made from anything, shown, delivered, deleted and
brought back. H57: what exists nowhere else is refused, or kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.world import World

COMMITS = [
    "sh",
    "-c",
    'echo work > work.txt; git add -A; git commit -qm "By the agent"; echo x > left.txt',
]
WAITS = ["sh", "-c", "echo half > half.txt; exec sleep 600"]


def created(world: World, name: str = "fix-crash", *more: str) -> Path:
    return Path(world.ask("worktree", "create", "thing", name, *more)["path"])


def slugs(world: World) -> list[str]:
    return [item["slug"] for item in world.ask("worktree", "list")]


# --- delete and restore


def test_h57_work_is_refused_then_kept_and_brought_back_as_it_was(world: World) -> None:
    path = created(world)
    (path / "README.md").write_text("staged\n")
    world.git("add", "README.md", where=path)
    (path / "README.md").write_text("edited after\n")
    (path / "new.txt").write_text("new\n")
    before = world.git("status", "--short", where=path)
    error = world.refused("worktree", "delete", "fix-crash", code="worktree_has_work", exit_code=5)
    assert "2 uncommitted files" in error["message"]
    assert "orch worktree delete fix-crash --yes" in error["hint"]
    assert error["data"]["risk"]["dirty"] == ["README.md", "new.txt"]
    assert path.is_dir()
    done = world.ask("worktree", "delete", "fix-crash", "--yes")
    assert (done["status"], done["branch_kept"]) == ("deleted", "")
    assert not path.exists()
    assert os.listdir(path.parent) == []
    assert slugs(world) == []
    assert "fix/crash" not in world.git("branch", "--list", "fix/crash")
    [kept] = world.ask("worktree", "trash")
    assert (kept["id"], kept["restore"], kept["changed"]) == (done["saved"], done["restore"], 2)
    back = world.ask(*done["restore"].split()[1:])
    assert (back["slug"], back["branch"], back["path"]) == ("fix-crash", "fix/crash", str(path))
    assert world.git("status", "--short", where=path) == before
    assert (path / "README.md").read_text() == "edited after\n"
    assert world.git("show", ":README.md", where=path) == "staged"
    assert slugs(world) == ["fix-crash"]


def test_what_is_clean_and_pushed_needs_no_yes_and_comes_back_all_the_same(world: World) -> None:
    path = created(world)
    (path / "new.txt").write_text("new\n")
    world.git("add", "-A", where=path)
    world.git("commit", "-qm", "New", where=path)
    error = world.refused("worktree", "delete", "fix-crash", code="worktree_has_work", exit_code=5)
    assert "1 unpushed commit" in error["message"]
    assert world.ask("worktree", "push", "fix-crash")["status"] == "pushed"
    world.ask("worktree", "delete", "fix/crash")
    world.ask("worktree", "restore", "fix-crash")
    assert (path / "new.txt").read_text() == "new\n"


def test_deleting_says_in_words_what_is_kept_and_how_to_get_it(world: World) -> None:
    path = created(world)
    (path / "new.txt").write_text("new\n")
    words = ("worktree", "delete", "fix-crash", "--dry-run")
    error = world.refused(*words, code="worktree_has_work", exit_code=5)
    assert "1 uncommitted file (new.txt)" in error["message"]
    planned = world.orch(*words, "--yes")
    assert planned.code == 0
    assert "would delete thing/fix-crash (fix/crash)" in planned.out
    assert "  what exists nowhere else would be kept for 14 days:\n" in planned.out
    assert "not committed: new.txt" in planned.out
    assert path.is_dir()
    answer = world.orch("worktree", "delete", "fix-crash", "--yes")
    assert "  bring it back: orch worktree restore " in answer.out
    again = world.orch("worktree", "restore", "fix-crash")
    assert "brought back fix/crash" in again.out
    (path / "new.txt").write_text("newer\n")
    assert world.orch("worktree", "delete", "fix-crash", "--yes", "-q").out.strip().endswith("-2")


def test_a_worktree_that_is_gone_from_the_disk_can_be_deleted(world: World) -> None:
    path = created(world)
    (path / "new.txt").write_text("new\n")
    world.git("add", "-A", where=path)
    world.git("commit", "-qm", "New", where=path)
    shutil.rmtree(path)
    world.refused("worktree", "delete", "fix-crash", code="worktree_has_work", exit_code=5)
    world.ask("worktree", "delete", "fix-crash", "--yes")
    world.ask("worktree", "restore", "fix-crash")
    assert (path / "new.txt").read_text() == "new\n"


def test_unknown_names_are_told_with_near_ones(world: World) -> None:
    created(world)
    error = world.refused("worktree", "delete", "fix-crsh", code="unknown_worktree", exit_code=3)
    assert "fix-crash" in error["message"]
    for words in (("show",), ("push",), ("pr",)):
        world.refused("worktree", *words, "nope", code="unknown_worktree", exit_code=3)
    world.refused("worktree", "restore", "nope", code="unknown_trash", exit_code=3)


def test_h94_the_same_name_in_two_repositories_is_asked_for(world: World) -> None:
    other = world.root / "other"
    world.git("clone", "--quiet", str(world.remote), str(other), where=world.root)
    world.ask("repo", "add", str(other))
    created(world)
    world.ask("worktree", "create", "other", "fix-crash")
    world.refused("worktree", "delete", "fix-crash", code="ambiguous", exit_code=2)
    world.ask("worktree", "delete", "fix-crash", "--repo", "other")
    assert [w["repo"] for w in world.ask("worktree", "list")] == ["thing"]


def test_a_restore_never_overwrites(world: World) -> None:
    path = created(world)
    world.ask("worktree", "delete", "fix-crash")
    path.mkdir()
    (path / "theirs.txt").write_text("theirs\n")
    world.refused("worktree", "restore", "fix-crash", code="worktree_foreign", exit_code=5)
    assert (path / "theirs.txt").read_text() == "theirs\n"
    shutil.rmtree(path)
    world.ask("worktree", "restore", "fix-crash")
    world.refused("worktree", "restore", "fix-crash", code="worktree_exists", exit_code=5)


# --- live runs


def test_h74_the_worktree_of_a_live_run_is_not_touched(world: World) -> None:
    world.configure({"waits": WAITS})
    process = world.start("run", "basic_pr", "--issue", "ISSUE-001", "--agent", "waits")
    [item] = world.until(lambda: world.ask("worktree", "list"), "the worktree")
    path = Path(item["path"])
    world.until((path / "half.txt").exists, "half.txt")
    for more in ((), ("--yes",), ("--dry-run",)):
        answer = world.orch("worktree", "delete", item["slug"], *more, "--json")
        assert answer.code == 5, answer
        assert answer.error["code"] == "worktree_in_use"
        assert answer.error["hint"] == f"orch stop {item['run']} --abort"
    done = world.ask("env", "cleanup")
    assert done["removed"] == []
    assert "is running" in done["kept"][0]["reason"]
    assert world.orch("repo", "remove", "thing", "--json").error["code"] == "repo_in_use"
    assert (path / "half.txt").read_text() == "half\n"
    world.ask("stop", item["run"], "--abort")
    process.wait(timeout=60)
    assert (path / "half.txt").read_text() == "half\n", "an aborted run leaves its files"
    world.ask("env", "cleanup")
    assert not path.exists()
    world.ask("worktree", "restore", item["slug"])
    assert (path / "half.txt").read_text() == "half\n"


def test_h57_a_stopped_run_keeps_its_worktree_until_it_is_over(world: World) -> None:
    world.configure({"waits": WAITS})
    process = world.start("run", "basic_pr", "--issue", "ISSUE-001", "--agent", "waits")
    [item] = world.until(lambda: world.ask("worktree", "list"), "the worktree")
    path = Path(item["path"])
    world.until((path / "half.txt").exists, "half.txt")
    world.ask("stop", item["run"])
    process.wait(timeout=60)
    assert (path / "half.txt").read_text() == "half\n"
    world.refused("worktree", "delete", item["slug"], "--yes", code="worktree_in_use", exit_code=5)
    assert "is blocked" in world.ask("env", "cleanup")["kept"][0]["reason"]
    assert (path / "half.txt").read_text() == "half\n"


def test_h57_a_failed_run_leaves_its_work_and_cleanup_keeps_it(world: World) -> None:
    world.configure({"fails": ["sh", "-c", "echo half > half.txt; exit 3"]})
    record = world.run("basic_pr", "--issue", "ISSUE-001", "--agent", "fails", code=1)
    assert record["status"] == "error"
    [item] = world.ask("env", "list", "--workflow", "@")
    assert (item["run"], item["run_status"], item["dirty"]) == (record["id"], "error", True)
    before = world.snapshot()
    planned = world.ask("env", "cleanup", "--dry-run")
    assert [r["status"] for r in planned["removed"]] == ["planned"]
    told = world.orch("env", "cleanup", "--open-prs", "--dry-run")
    assert told.err.endswith("1 would be deleted; do it: orch env cleanup --open-prs\n")
    assert world.snapshot() == before
    late = world.ask("env", "cleanup", "--older-than", "1")
    assert (late["removed"], len(late["kept"])) == ([], 1)
    answer = world.orch("env", "cleanup")
    assert "not committed: half.txt" in answer.out
    assert answer.err.endswith("deleted 1; see what is kept for 14 days: orch worktree trash\n")
    assert world.ask("env", "list") == []
    world.ask("worktree", "restore", item["slug"])
    assert (Path(item["path"]) / "half.txt").read_text() == "half\n"


def test_h62_a_worktree_with_an_open_pull_request_is_kept_unless_asked(world: World) -> None:
    world.configure({"commits": COMMITS})
    world.run("basic_pr", "--issue", "ISSUE-001", "--agent", "commits")
    [item] = world.ask("env", "list")
    done = world.ask("env", "cleanup")
    assert done["removed"] == []
    assert done["kept"][0]["reason"] == "its pull request thing#1 is open"
    assert world.orch("env", "cleanup").err.endswith("nothing to remove, 1 stays\n")
    done = world.ask("env", "cleanup", "--open-prs")
    assert [r["slug"] for r in done["removed"]] == [item["slug"]]
    assert world.git("for-each-ref", "refs/heads/orch", "refs/orch/made") == ""


# --- making


def test_an_issue_gives_name_branch_and_itself(world: World) -> None:
    world.ask("issue", "create", "Ärger: it *crashes* on start, always", "--labels", "bug")
    made = world.ask("worktree", "create", "thing", "--issue", "ISSUE-002")
    assert made["slug"] == "fix-issue-002-arger-it-crashes-on-start"
    assert made["branch"] == "fix/issue-002-arger-it-crashes-on-start"
    assert made["issue"] == "ISSUE-002"
    named = world.ask("worktree", "create", "thing", "feat-mine", "--issue", "ISSUE-002")
    assert (named["branch"], named["issue"]) == ("feat/mine", "ISSUE-002")


def test_a_stacked_worktree_starts_from_the_others_tip(world: World) -> None:
    below = created(world, "feat-below")
    (below / "below.txt").write_text("below\n")
    world.git("add", "-A", where=below)
    world.git("commit", "-qm", "Below", where=below)
    planned = world.ask(
        "worktree", "create", "thing", "feat-above", "--on", "feat-below", "--dry-run"
    )
    assert (planned["status"], planned["base_branch"]) == ("planned", "feat/below")
    above = world.ask("worktree", "create", "thing", "feat-above", "--on", "feat-below")
    assert (above["base_branch"], above["ahead"]) == ("feat/below", 0)
    assert (Path(above["path"]) / "below.txt").exists()


def test_a_pull_request_is_gone_on_with_on_its_own_branch(world: World) -> None:
    world.run("basic_pr", "--issue", "ISSUE-001")
    [item] = world.ask("env", "list")
    world.refused("worktree", "create", "thing", "--pr", "1", code="branch_in_use", exit_code=5)
    world.ask("env", "cleanup", "--open-prs")
    made = world.ask("worktree", "create", "thing", "feat-more", "--pr", "1")
    assert (made["branch"], made["base_branch"]) == (item["branch"], "main")
    path = Path(made["path"])
    assert (path / "work.txt").exists()
    (path / "more.txt").write_text("more\n")
    world.git("add", "-A", where=path)
    world.git("commit", "-qm", "More", where=path)
    pushed = world.ask("worktree", "push", "feat-more")
    tip = world.git("rev-parse", f"refs/heads/{item['branch']}", where=world.remote)
    assert tip == pushed["commit"]


def test_sources_exclude_one_another_and_names_are_needed(world: World) -> None:
    words = ("worktree", "create", "thing", "x", "--from", "main", "--pr", "1")
    world.refused(*words, code="too_many_sources", exit_code=2)
    world.refused("worktree", "create", "thing", code="bad_name", exit_code=2)
    world.refused("worktree", "create", "thing", "--pr", "9", code="unknown_pr", exit_code=3)
    world.refused(
        "worktree", "create", "thing", "--issue", "ISSUE-9", code="unknown_issue", exit_code=3
    )


def test_ignored_files_are_brought_by_policy_and_kept_when_deleted(world: World) -> None:
    world.commit(".gitignore", "*.env\nnode_modules/\n")
    (world.repo / "local.env").write_text("SECRET=1\n")
    (world.repo / "not-ignored.txt").write_text("x\n")
    (world.repo / "node_modules" / "left-pad").mkdir(parents=True)
    (world.repo / "node_modules" / "left-pad" / "index.js").write_text("pad\n")
    (world.repo / ".orch.toml").write_text(
        '[worktree]\ncopy = ["*.env", "not-ignored.txt"]\nlink = ["node_modules"]\n'
    )
    answer = world.orch("worktree", "create", "thing", "fix-crash")
    assert "not-ignored.txt is not ignored there" in answer.err
    path = Path(world.ask("worktree", "show", "fix-crash")["path"])
    assert (path / "local.env").read_text() == "SECRET=1\n"
    assert not (path / "local.env").is_symlink()
    assert (path / "node_modules" / "left-pad").is_symlink()
    assert (path / "node_modules" / "left-pad" / "index.js").read_text() == "pad\n"
    assert world.git("status", "--short", where=path) == ""
    (path / "local.env").write_text("SECRET=2\n")
    error = world.refused("worktree", "delete", "fix-crash", code="worktree_has_work", exit_code=5)
    assert "1 ignored file (local.env)" in error["message"]
    world.ask("worktree", "delete", "fix-crash", "--yes")
    assert (world.repo / "node_modules" / "left-pad" / "index.js").exists()
    world.ask("worktree", "restore", "fix-crash")
    assert (path / "local.env").read_text() == "SECRET=2\n"


def test_h57_ignored_files_that_look_personal_are_work_and_the_others_are_named(
    world: World,
) -> None:
    world.commit(".gitignore", "*.log\n.env*\n*.pem\nnode_modules/\n")
    world.git("push", "--quiet", "origin", "main")
    path = created(world)
    (path / "conf").mkdir()
    (path / "conf" / ".env.local").write_text("SECRET=1\n")
    (path / "huge.pem").write_text("x" * 65_537)
    (path / "node_modules").mkdir()
    (path / "node_modules" / "ca.pem").write_text("theirs\n")
    for number in range(5):
        (path / f"{number}.log").write_text("log\n")
    error = world.refused("worktree", "delete", "fix-crash", code="worktree_has_work", exit_code=5)
    assert "1 ignored file (conf/.env.local)" in error["message"]
    lost = [*(f"{number}.log" for number in range(5)), "huge.pem", "node_modules/"]
    planned = world.orch("worktree", "delete", "fix-crash", "--yes", "--dry-run")
    assert "  ignored, kept: conf/.env.local" in planned.out
    named = "ignored by git, would be gone for good: 0.log, 1.log, 2.log, 3.log, 4.log and 2 more\n"
    assert named in planned.err
    assert (path / "0.log").exists()
    done = world.ask("worktree", "delete", "fix-crash", "--yes")
    assert (done["ignored"], done["risk"]["ignored"]) == (lost, ["conf/.env.local"])
    world.ask("worktree", "restore", "fix-crash")
    assert (path / "conf" / ".env.local").read_text() == "SECRET=1\n"
    assert not (path / "0.log").exists()


def test_ignored_files_go_without_yes_but_not_without_a_word(world: World) -> None:
    world.commit(".gitignore", "*.log\n")
    world.git("push", "--quiet", "origin", "main")
    path = created(world)
    (path / "x.log").write_text("SECRET\n")
    answer = world.orch("worktree", "delete", "fix-crash")
    assert (answer.code, path.exists()) == (0, False)
    assert "ignored by git, gone for good: x.log\n" in answer.err


def test_the_worktrees_of_runs_get_them_too(world: World) -> None:
    world.commit(".gitignore", "*.env\n")
    world.git("push", "--quiet", "origin", "main")
    (world.repo / "local.env").write_text("SECRET=1\n")
    reads = ["sh", "-c", "cat local.env > seen.txt"]
    world.configure({"one": reads}, '[worktree]\ncopy = ["*.env"]\n')
    world.run("basic_pr", "--issue", "ISSUE-001")
    [item] = world.ask("env", "list")
    assert (Path(item["path"]) / "seen.txt").read_text() == "SECRET=1\n"
    assert "local.env" not in world.git("ls-tree", "-r", "--name-only", item["branch"])


@pytest.mark.parametrize("pattern", ["/etc/passwd", "../secret", "a/../../b", "!x", "", "a\\nb"])
def test_patterns_lead_nowhere_else(world: World, pattern: str) -> None:
    (world.repo / ".orch.toml").write_text(f'[worktree]\ncopy = ["{pattern}"]\n')
    answer = world.orch("worktree", "create", "thing", "fix-crash", "--json")
    assert (answer.code, answer.error["code"]) == (2, "config_invalid")
    assert slugs(world) == []


# --- delivering, adopting, showing


def test_a_pull_request_is_opened_for_committed_work_only(world: World) -> None:
    path = created(world, "--issue", "ISSUE-001")
    name = slugs(world)[0]
    world.refused("worktree", "pr", name, code="nothing_to_propose", exit_code=5)
    (path / "new.txt").write_text("new\n")
    error = world.refused("worktree", "pr", name, code="worktree_dirty", exit_code=5)
    assert "orch does not commit" in error["message"]
    world.git("add", "-A", where=path)
    world.git("commit", "-qm", "New", where=path)
    before = world.snapshot()
    planned = world.ask("worktree", "pr", name, "--dry-run")
    assert (planned["state"], planned["title"]) == ("planned", "Do a thing")
    assert world.snapshot() == before
    pull = world.ask("worktree", "pr", name, "--draft", "--body", "Why.")
    assert (pull["number"], pull["title"], pull["base"], pull["draft"]) == (
        1, "Do a thing", "main", True,
    )  # fmt: skip
    assert pull["head_sha"] == world.git(
        "rev-parse", f"refs/heads/{pull['head']}", where=world.remote
    )
    assert world.ask("worktree", "pr", name)["number"] == 1
    assert [p["number"] for p in world.ask("pr", "list")] == [1]
    shown = world.ask("worktree", "show", name)
    assert (shown["pr"]["number"], shown["issue"], shown["risk"]["commits"]) == (1, "ISSUE-001", [])


def test_a_worktree_made_by_hand_is_adopted_where_it_is(world: World) -> None:
    path = world.root / "Hot Fix"
    world.git("worktree", "add", "--quiet", "-b", "hotfix", str(path))
    planned = world.ask("worktree", "adopt", str(path), "--dry-run")
    assert (planned["slug"], planned["status"]) == ("hot-fix", "planned")
    taken = world.ask("worktree", "adopt", "Hot Fix")
    assert (taken["slug"], taken["branch"], taken["path"]) == ("hot-fix", "hotfix", str(path))
    world.refused("worktree", "adopt", str(path), code="worktree_exists", exit_code=5)
    world.refused("worktree", "adopt", str(world.repo), code="not_a_worktree", exit_code=5)
    (path / "new.txt").write_text("new\n")
    world.git("add", "-A", where=path)
    world.git("commit", "-qm", "New", where=path)
    assert world.ask("worktree", "push", ".", cwd=path)["branch"] == "hotfix"
    done = world.ask("worktree", "delete", "hotfix")
    assert "was not made by orch" in done["branch_kept"]
    assert not path.exists()
    assert world.git("branch", "--list", "hotfix").strip() == "hotfix"
    back = world.ask("worktree", "restore", "hot-fix")
    assert back["branch"] == "hotfix"
    assert (Path(back["path"]) / "new.txt").exists()


def test_a_worktree_of_a_repository_that_is_not_registered_is_told(bare: World) -> None:
    path = bare.root / "hand"
    bare.git("worktree", "add", "--quiet", "-b", "hotfix", str(path))
    bare.refused("worktree", "adopt", str(path), code="unknown_repo", exit_code=3)


def test_showing_says_what_is_only_here(world: World) -> None:
    path = created(world)
    (path / "new.txt").write_text("new\n")
    said = world.orch("worktree", "show", "fix-crash").out
    assert "worktree:      thing/fix-crash" in said
    assert "not committed: new.txt" in said
    assert max(map(len, said.splitlines())) <= 80 + len(str(path))


# --- repositories


def test_a_repository_is_forgotten_and_its_checkout_stays(world: World) -> None:
    created(world)
    shown = world.ask("repo", "show", "thing")
    assert (shown["worktrees"], shown["is_clone"]) == (["fix-crash"], False)
    error = world.refused("repo", "remove", "thing", code="repo_in_use", exit_code=5)
    assert error["hint"] == "orch worktree delete fix-crash --repo thing"
    world.ask("worktree", "delete", "fix-crash")
    world.refused(
        "repo", "remove", "thing", "--delete-clone", "--yes", code="not_our_clone", exit_code=2
    )
    assert world.ask("repo", "remove", "thing", "--dry-run")["status"] == "planned"
    assert world.ask("repo", "remove", "thing")["status"] == "removed"
    assert world.ask("repo", "list") == []
    assert (world.repo / "README.md").exists()
    world.refused("repo", "show", "thing", code="unknown_repo", exit_code=3)
    world.ask("repo", "add", str(world.repo))
    world.ask("worktree", "restore", "fix-crash")


def clone_of(world: World) -> Path:
    record: dict[str, Any] = world.ask("repo", "add", f"file://{world.remote}", "--slug", "copy")
    return Path(record["local_path"])


def test_h57_a_clone_goes_only_when_its_remote_has_everything(world: World) -> None:
    path = clone_of(world)
    words = ("repo", "remove", "copy", "--delete-clone")
    world.refused(*words, code="needs_yes", exit_code=5)
    (path / "new.txt").write_text("new\n")
    world.refused(*words, "--yes", code="clone_has_work", exit_code=5)
    world.git("add", "-A", where=path)
    world.git("commit", "-qm", "New", where=path)
    error = world.refused(*words, "--yes", code="clone_has_work", exit_code=5)
    assert "the remote does not have" in error["message"]
    world.git("push", "--quiet", "origin", "HEAD", where=path)
    done = world.ask(*words, "--yes")
    assert (done["status"], done["clone_deleted"]) == ("removed", True)
    assert not path.exists()
    assert [r["slug"] for r in world.ask("repo", "list")] == ["thing"]


def test_h57_a_clone_whose_remote_is_silent_is_kept(world: World) -> None:
    path = clone_of(world)
    os.rename(world.remote, f"{world.remote}-gone")
    answer = world.orch("repo", "remove", "copy", "--delete-clone", "--yes", "--json")
    assert answer.code != 0
    assert (path / "README.md").exists()
    assert [r["slug"] for r in world.ask("repo", "list")] == ["copy", "thing"]


def test_h57_a_stash_and_what_is_kept_of_worktrees_hold_a_clone(world: World) -> None:
    path = clone_of(world)
    words = ("repo", "remove", "copy", "--delete-clone", "--yes")
    (path / "README.md").write_text("stashed\n")
    world.git("stash", where=path)
    world.refused(*words, code="clone_has_work", exit_code=5)
    world.git("stash", "drop", where=path)
    world.git("reflog", "expire", "--expire=now", "--all", where=path)
    tree = Path(world.ask("worktree", "create", "copy", "fix-crash")["path"])
    (tree / "new.txt").write_text("new\n")
    world.ask("worktree", "delete", "fix-crash", "--yes")
    world.refused(*words, code="clone_has_work", exit_code=5)
