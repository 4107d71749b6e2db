"""git itself confirms what the run record says, on a repository with a history worth the name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.world import WRITES, World, furnished

COMMITS = 200


def history() -> str:
    """A stream for git fast-import: 200 commits, a merge after every ten, tags and a file that grows
    on two sides."""
    lines: list[str] = []
    text = "".join

    def commit(number: int, branch: str, parents: list[str], path: str) -> None:
        message, body = f"Änderung {number}", f"{path} at {number}\n" * (number % 7 + 1)
        lines.extend([
            f"commit refs/heads/{branch}\nmark :{number}\n",
            f"committer Pat Person <pat@localhost> {1_600_000_000 + number * 3600} +0200\n",
            f"data {len(message.encode())}\n{message}\n",
            *(f"{'from' if first else 'merge'} {parent}\n" for first, parent in
              ((n == 0, p) for n, p in enumerate(parents))),
            f"M 100644 inline {path}\ndata {len(body.encode())}\n{body}\n",
        ])  # fmt: skip

    last, side = "refs/heads/main^0", ""
    for number in range(1, COMMITS + 1):
        if number % 10 == 8:
            commit(number, "side", [last], f"side/file {number}.txt")
            side = f":{number}"
            continue
        parents = [last, side] if number % 10 == 0 else [last]
        commit(number, "main", parents, f"src/módulo_{number % 13}.py")
        last = f":{number}"
        if number % 50 == 0:
            lines.append(f"tag v{number}\nfrom {last}\n")
            lines.append("tagger Pat Person <pat@localhost> 1600000000 +0000\ndata 2\nv\n")
    lines.append("reset refs/tags/main\nfrom :3\n\n")  # H68: a tag with the branch's name
    return text(lines)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A clone of that project, with two command agents."""
    import subprocess

    world = furnished(tmp_path_factory.mktemp("history") / "me")
    done = subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=world.repo, env=world.environ(),
        input=history().encode(), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    world.git("reset", "-q", "--hard", "refs/heads/main")
    world.git("push", "-q", "origin", "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*")
    assert int(world.git("rev-list", "--count", "refs/heads/main")) > COMMITS - 2
    world.configure(
        {"one": WRITES, "two": ["sh", "-c", "echo t > tests.txt && git rm -q README.md"]}
    )
    yield world
    world.close()


def confirm(world: World, record: dict[str, Any]) -> None:
    """Hold every claim of `record` against git."""
    assert record["status"] == "done"
    base = world.git("rev-parse", "refs/heads/main", where=world.remote)
    heads = dict(
        reversed(line.split("\t")) for line in world.git("ls-remote", "origin").splitlines()
    )
    assert heads["refs/heads/main"] == base, "nobody pushed to the default branch"
    for pull in record["prs"]:
        assert heads[f"refs/heads/{pull['head']}"] == pull["head_sha"]
        assert pull["base"] == "main"
        assert world.git("merge-base", pull["head_sha"], base) == base
        message = world.git("log", "-1", "--format=%B", pull["head_sha"])
        assert message.strip()
    listed = world.git("worktree", "list", "--porcelain").split("\n\n")
    trees = {
        lines[0].removeprefix("worktree "): lines[2].removeprefix("branch refs/heads/")
        for lines in (entry.splitlines() for entry in listed)
    }
    for attempt in record["attempts"]:
        assert trees[attempt["worktree"]] == attempt["branch"]
    told = {tree["path"]: tree for tree in world.ask("worktree", "list")}
    assert set(told) == set(trees) - {str(world.repo)}
    for path, tree in told.items():
        where = Path(path)
        assert tree["branch"] == trees[path]
        assert tree["dirty"] is bool(world.git("status", "--porcelain", where=where))
        ahead = world.git("rev-list", "--count", f"{tree['base_commit']}..HEAD", where=where)
        assert tree["ahead"] == int(ahead)
        assert world.git("rev-parse", "HEAD", where=where) == tree["head"]
    for place in (world.repo, world.remote):
        assert "error" not in world.git("fsck", "--strict", "--no-dangling", where=place)
    assert world.git("status", "--porcelain") == "", "the person's checkout is as it was"
    assert world.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert world.terminals() == []
    assert not list(Path(world.repo, ".git").rglob("*.lock"))


def test_basic_pr_on_a_project_with_history(old: World) -> None:
    record = old.run("basic_pr", "--issue", "1", "--agent", "one")
    confirm(old, record)
    [pull] = record["prs"]
    assert old.git("rev-list", "--count", f"refs/heads/main..{pull['head_sha']}") == "1"
    assert old.git("diff", "--name-only", f"refs/heads/main...{pull['head_sha']}") == "work.txt"


@pytest.mark.parametrize("strategy", ["merge", "rebase", "squash"])
def test_multi_agent_on_a_project_with_history(old: World, strategy: str) -> None:
    params = f'{{"impl_agent": "one", "test_agent": "two", "strategy": "{strategy}"}}'
    record = old.run("multi_agent", "--issue", "1", "--params", params)
    confirm(old, record)
    [pull] = record["prs"]
    changed = old.git("diff", "--name-status", f"refs/heads/main...{pull['head_sha']}")
    assert changed.split() == ["D", "README.md", "A", "tests.txt", "A", "work.txt"]
    merges = old.git("rev-list", "--merges", "--count", f"refs/heads/main..{pull['head_sha']}")
    assert (merges != "0") is (strategy == "merge")


def test_the_text_of_a_ticket_is_run_by_no_shell(old: World) -> None:
    touch = f"touch {old.root}/pwned"
    text = f"$({touch}) `{touch}` '; {touch}; '\n-x\n#{{x}} #({touch})"
    issue = old.ask("issue", "create", text.splitlines()[0], "--body", text)
    old.configure({"one": ["sh", "-c", 'cp "$ORCH_PROMPT_FILE" prompt.txt']})
    record = old.run("basic_pr", "--issue", issue["id"])
    confirm(old, record)
    tree = Path(record["attempts"][0]["worktree"])
    assert text in (tree / "prompt.txt").read_text(), "the agent got it to the letter"
    assert not (old.root / "pwned").exists()
