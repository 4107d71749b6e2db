"""The first run of a person who has configured nothing: inside a git checkout, no `repo add`."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.acceptance.world import World


@pytest.fixture
def new(bare: World) -> World:
    bare.ask("issue", "create", "T")
    return bare


def test_a_run_inside_an_unregistered_checkout_registers_it_and_says_so(new: World) -> None:
    deep = new.repo / "deep"
    deep.mkdir()
    answer = new.orch("run", "basic_pr", "--issue", "1", "--json", cwd=deep)
    assert answer.code == 0, answer
    said = [line for line in answer.err.splitlines() if line.startswith("registered")]
    assert said == [f"registered thing: {new.repo}"]
    assert (answer.json["repo"], answer.json["status"]) == ("thing", "done")
    [listed] = new.ask("repo", "list")
    assert (listed["slug"], listed["local_path"]) == ("thing", str(new.repo))
    assert listed == new.ask("repo", "add", str(new.repo)), "as `repo add` would have done it"
    again = new.orch("run", "basic_pr", "--issue", "1", cwd=new.repo)
    assert again.code == 0, again
    assert "registered" not in again.err


def test_from_a_linked_worktree_the_main_checkout_is_registered(new: World) -> None:
    new.git("worktree", "add", "-q", "-b", "feat/mine", str(new.root / "mine"))
    plan = new.ask("run", "basic_pr", "-i", "1", "--dry-run", cwd=new.root / "mine")
    assert (plan["repo"], plan["registers"]) == ("thing", str(new.repo))


def test_a_dry_run_says_it_and_does_nothing(new: World) -> None:
    before = new.snapshot()
    answer = new.orch("run", "basic_pr", "--issue", "1", "--dry-run", cwd=new.repo)
    assert answer.code == 0, answer
    assert f"would register thing: {new.repo}" in answer.out
    asked = new.ask(
        "run", "basic_pr", "-i", "1", "--dry-run", "-p", '{"base_branch": "main"}', cwd=new.repo
    )
    assert asked["registers"] == str(new.repo)
    assert new.snapshot() == before
    assert list((new.home / "run").glob("look-*")) == []


def test_what_is_refused_registers_nothing(new: World) -> None:
    here = {"cwd": new.repo}
    new.refused("run", "basic_pr", "-i", "7", code="unknown_issue", exit_code=3, **here)
    new.refused("run", "basic_pr", code="issue_needed", exit_code=2, **here)
    base = '{"base_branch": "nowhere"}'
    new.refused(
        "run", "basic_pr", "-i", "1", "-p", base, code="unknown_branch", exit_code=3, **here
    )
    new.refused(
        "run", "basic_pr", "-i", "1", "--agent", "two", code="unknown_agent", exit_code=3, **here
    )
    new.git("remote", "remove", "origin")
    new.refused("run", "basic_pr", "-i", "1", code="no_remote", exit_code=2, **here)


def test_a_name_that_is_taken_is_refused_with_the_way_out(new: World) -> None:
    other = new.root / "sub" / "thing"
    new.git("clone", "-q", str(new.remote), str(other), where=new.root)
    new.ask("repo", "add", str(other))
    error = new.refused("run", "basic_pr", "-i", "1", code="repo_exists", exit_code=5, cwd=new.repo)
    assert error["hint"] == f"orch repo add {new.repo} --slug OTHER-NAME"


def test_a_checkout_without_commits_is_refused(new: World) -> None:
    new.git("init", "-q", "fresh", where=new.root)
    new.refused(
        "run", "basic_pr", "-i", "1", code="no_commits", exit_code=5, cwd=new.root / "fresh"
    )


def test_an_issues_own_repository_is_not_overruled_by_a_stranger(new: World) -> None:
    new.ask("repo", "add", "thing")
    new.ask("issue", "create", "For the thing", "--repo", "thing")
    new.git("clone", "-q", str(new.remote), "stranger", where=new.root)
    plan = new.ask("run", "basic_pr", "-i", "2", "--dry-run", cwd=new.root / "stranger")
    assert (plan["repo"], plan["registers"]) == ("thing", None)


def test_a_home_directory_kept_in_git_is_not_taken_for_a_project(new: World) -> None:
    new.git("init", "-q", ".", where=new.root)
    new.git("commit", "-q", "--allow-empty", "-m", "My dotfiles", where=new.root)
    downloads = new.root / "downloads"
    downloads.mkdir()
    new.refused("run", "basic_pr", "-i", "1", code="no_repo", exit_code=2, cwd=downloads)


def program(folder: Path, name: str) -> None:
    """A program that must not be started: it would leave a trace."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\ntouch {folder}/was-started\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_an_installed_agent_is_named_with_its_lines_and_not_run(new: World) -> None:
    new.configure({})
    bin_ = new.root / "agents-bin"
    program(bin_, "claude")
    env = {"PATH": f"{bin_}:{new.environ()['PATH']}"}
    error = new.refused(
        "run", "basic_pr", "-i", "1", code="no_agent", exit_code=2, cwd=new.repo, env=env
    )
    assert '[agents.claude] kind = "claude"' in error["message"]
    assert error["hint"].startswith("orch config set agents.claude.kind claude")
    assert not (bin_ / "was-started").exists()


def test_what_comes_next_is_said_when_a_run_is_done_and_works_as_it_stands(new: World) -> None:
    answer = new.orch("run", "basic_pr", "--issue", "1", cwd=new.repo)
    assert "    next: orch pr diff thing#1; orch pr merge thing#1\n" in answer.out
    assert new.orch("pr", "diff", "thing#1").code == 0
    assert new.orch("pr", "merge", "thing#1").code == 0
    assert "next:" not in new.orch("show", "@").out


def test_an_unknown_issue_is_told_with_the_nearest_in_the_sentence(new: World) -> None:
    error = new.refused("run", "basic_pr", "-i", "7", code="unknown_issue", exit_code=3)
    assert error["message"] == "there is no issue '7'; did you mean ISSUE-001?"
    assert error["hint"] == "orch issue list"


def test_where_there_is_no_issue_the_hint_makes_one(bare: World) -> None:
    error = bare.refused("run", "basic_pr", "-i", "1", code="unknown_issue", exit_code=3)
    assert error["hint"] == 'orch issue create "TITLE"'


def test_orch_alone_says_the_first_steps(new: World) -> None:
    answer = new.orch()
    assert (answer.code, answer.out) == (2, "")
    assert "First steps:\n  orch demo " in answer.err


def test_logs_of_a_silent_agent_whose_run_is_over_promise_nothing(new: World) -> None:
    new.configure({"one": ["sh", "-c", "echo done > done.txt"]})
    assert new.orch("run", "basic_pr", "--issue", "1", "--agent", "one", cwd=new.repo).code == 0
    assert new.orch("logs", "@").err == "nothing was written\n"
