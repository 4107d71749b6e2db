"""What must work: unusual titles, paths, checkouts, remotes and places to stand in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.world import WRITES, World, furnished, make

PLAIN_FLOW = """
@do
def workflow(issue=None, **params):
    env = yield CreateWorktree(issue=issue, name="plain")
    yield RunAgent(env=env, prompt="work")
    return {"repo": env.repo, "base": env.base_branch, "params": params}
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One furnished home for the tests that only plan."""
    world = furnished(tmp_path_factory.mktemp("must") / "me")
    yield world
    world.close()


def pushed(world: World, record: dict[str, object]) -> str:
    """The commit on the remote that the record's pull request speaks of."""
    [pull] = record["prs"]  # type: ignore[misc]
    tip = world.git("rev-parse", f"refs/heads/{pull['head']}", where=world.remote)
    assert tip == pull["head_sha"]
    assert "work.txt" in world.git("ls-tree", "--name-only", tip, where=world.remote).split()
    return tip


# --- titles


@pytest.mark.parametrize(
    "title",
    ["é" * 300, "日本語のタイトル" * 38, "…!?", "-- --help", "'\"\\`$(id) #{pane_id} @{-1}",
     "../../refs/heads/main.lock"],
    ids=lambda title: title[:12],
)  # fmt: skip
def test_any_title_works(played: World, title: str) -> None:
    """H17: cut on characters; the name of the branch is ours, the title stays the person's."""
    issue = played.ask("issue", "create", "--", title)
    assert issue["title"] == title
    record = played.run("basic_pr", "--issue", issue["id"])
    assert record["prs"][0]["title"] == title
    pushed(played, record)
    subject = played.git("log", "-1", "--format=%B", record["prs"][0]["head_sha"])
    assert subject.encode().decode() == subject
    assert len(Path(record["attempts"][0]["worktree"]).name) <= 100


# --- paths and checkouts


def test_paths_with_spaces_and_odd_letters(tmp_path: Path) -> None:
    world = make(tmp_path / "My Docs 'n' $HOME", repo="täst repo", home="orch home #1")
    try:
        added = world.ask("repo", "add", str(world.repo), "--workspace", "work trees; x")
        assert added["slug"] == "tast-repo"
        world.ask("issue", "create", "Do it")
        record = world.run("basic_pr", "--issue", "1")
        pushed(world, record)
        assert record["attempts"][0]["worktree"].startswith(str(world.root / "work trees; x"))
    finally:
        world.close()


def test_a_home_and_a_repository_behind_links(tmp_path: Path) -> None:
    """One repository by two paths is one repository."""
    world = make(tmp_path / "me")
    try:
        (tmp_path / "link-repo").symlink_to(world.repo)
        (tmp_path / "link-home").symlink_to(world.home)
        world.extra["ORCH_HOME"] = str(tmp_path / "link-home")
        added = world.ask("repo", "add", str(tmp_path / "link-repo"), "--slug", "thing")
        assert added["local_path"] == str(world.repo)
        world.ask("repo", "add", str(world.repo))
        assert len(world.ask("repo", "list")) == 1
        world.ask("issue", "create", "Do it")
        inside = tmp_path / "link-repo"
        record = world.run("basic_pr", "--issue", "1", cwd=inside)
        pushed(world, record)
    finally:
        world.close()


def test_a_home_with_a_long_path(tmp_path: Path) -> None:
    """A socket's address is short (about 100 bytes); a home's path need not be."""
    root = tmp_path / ("d" * 60) / ("e" * 60)
    root.parent.mkdir(parents=True)
    world = furnished(root)
    try:
        pushed(world, world.run("basic_pr", "--issue", "1"))
    finally:
        world.close()


def test_a_bare_main_checkout(bare: World) -> None:
    bare.git("clone", "-q", "--bare", str(bare.remote), "bare.git", where=bare.root)
    bare.git("remote", "set-url", "origin", str(bare.remote), where=bare.root / "bare.git")
    added = bare.ask("repo", "add", "bare.git")
    assert (added["slug"], added["default_branch"]) == ("bare", "main")
    bare.ask("issue", "create", "Do it")
    pushed(bare, bare.run("basic_pr", "--issue", "1", "--repo", "bare"))


def test_a_detached_main_checkout_stays_as_it_is(bare: World) -> None:
    bare.commit()
    bare.git("push", "-q", "origin", "main")
    bare.git("checkout", "-q", "--detach", "HEAD~1")
    (bare.repo / "README.md").write_text("an edit that is nobody else's business\n")
    before = bare.git("status", "--porcelain=v2", "--branch")
    added = bare.ask("repo", "add", "thing")
    assert added["default_branch"] == "main"
    bare.ask("issue", "create", "Do it")
    record = bare.run("basic_pr", "--issue", "1")
    tip = pushed(bare, record)
    assert bare.git("merge-base", tip, "main") == bare.git("rev-parse", "main")
    assert bare.git("status", "--porcelain=v2", "--branch") == before


def test_several_remotes_push_to_origin_alone(bare: World) -> None:
    for name in ("backup", "upstream"):
        bare.git("clone", "-q", "--bare", str(bare.repo), f"{name}.git", where=bare.root)
        bare.git("remote", "add", name, str(bare.root / f"{name}.git"))
    added = bare.ask("repo", "add", "thing")
    assert added["remote_url"] == str(bare.remote)
    bare.ask("issue", "create", "Do it")
    pushed(bare, bare.run("basic_pr", "--issue", "1"))
    for name in ("backup", "upstream"):
        heads = bare.git("for-each-ref", "--format=%(refname)", where=bare.root / f"{name}.git")
        assert heads == "refs/heads/main"


def test_a_single_remote_need_not_be_called_origin(bare: World) -> None:
    bare.git("remote", "rename", "origin", "company")
    assert bare.ask("repo", "add", "thing")["remote_url"] == str(bare.remote)
    bare.ask("issue", "create", "Do it")
    pushed(bare, bare.run("basic_pr", "--issue", "1"))


def test_a_default_branch_that_is_not_main(tmp_path: Path) -> None:
    world = furnished(tmp_path / "me", branch="trunk")
    try:
        world.git("branch", "main")  # a trap
        world.git("checkout", "-q", "-b", "feature")
        assert world.ask("repo", "add", "thing")["default_branch"] == "trunk"
        record = world.run("basic_pr", "--issue", "1")
        assert record["prs"][0]["base"] == "trunk"
        pushed(world, record)
    finally:
        world.close()


def test_a_base_that_only_the_remote_has(world: World) -> None:
    """H64: not even fetched yet; the pull request goes there."""
    other = world.root / "other"
    world.git("clone", "-q", str(world.remote), str(other), where=world.root)
    world.git("push", "-q", "origin", "HEAD:refs/heads/release/1.x", where=other)
    record = world.run("basic_pr", "--issue", "1", "--params", '{"base_branch": "release/1.x"}')
    assert record["prs"][0]["base"] == "release/1.x"
    made = world.ask("worktree", "create", "thing", "fix-y", "--from", "release/1.x")
    assert made["base_branch"] == "release/1.x"


def test_a_tag_named_like_the_branch(world: World) -> None:
    """H68: full names of refs everywhere."""
    world.git("tag", "main", world.commit())
    world.git("push", "-q", "origin", "refs/tags/main")
    record = world.run("basic_pr", "--issue", "1")
    tip = pushed(world, record)
    assert world.git("merge-base", tip, "refs/heads/main") == world.git(
        "rev-parse", "refs/heads/main"
    )


# --- where one stands, and what is asked for


@pytest.fixture
def two(world: World) -> World:
    """A second repository, `other`, beside `thing`."""
    world.git("clone", "-q", str(world.remote), "other", where=world.root)
    world.ask("repo", "add", "other")
    (world.repo / "deep" / "down").mkdir(parents=True)
    return world


def planned(world: World, *words: str, cwd: Path | None = None) -> str:
    found = world.ask("run", "basic_pr", *words, "--dry-run", cwd=cwd)
    return str(found["repo"])


def test_the_repository_is_the_asked_one_then_where_one_stands_then_the_issues(two: World) -> None:
    two.ask("issue", "create", "For the other", "--repo", "other")
    assert planned(two, "-i", "2", "--repo", "thing", cwd=two.root / "other") == "thing"
    assert planned(two, "-i", "2", cwd=two.repo / "deep" / "down") == "thing"
    assert planned(two, "-i", "1", cwd=two.root / "other") == "other"
    assert planned(two, "-i", "2") == "other", "the issue's"
    error = two.refused("run", "basic_pr", "-i", "1", code="repo_needed", exit_code=2)
    assert "thing" in error["message"]
    assert "other" in error["message"]


def test_standing_in_a_worktree_is_standing_in_its_repository(two: World) -> None:
    made = two.ask("worktree", "create", "other", "fix-a")
    deep = Path(made["path"]) / "sub"
    deep.mkdir()
    assert planned(two, "-i", "1", cwd=deep) == "other"
    two.git("worktree", "add", "-q", str(two.root / "foreign"), "-b", "mine")
    assert planned(two, "-i", "1", cwd=two.root / "foreign") == "thing", "made by git alone"


def test_the_only_repository_is_taken(played: World) -> None:
    assert planned(played, "-i", "1") == "thing"


def test_an_issue_may_be_a_file(world: World) -> None:
    spec = world.root / "my spec.md"
    spec.write_text("# Mend the thing\n\nAll of it. $(touch pwned)\n", encoding="utf-8")
    record = world.run("basic_pr", "--issue", "my spec.md")
    assert record["prs"][0]["title"] == "Mend the thing"
    again = world.ask("run", "basic_pr", "--issue", str(spec), "--dry-run")
    assert again["issue"] == record["issue"]
    assert len(world.ask("issue", "list")) == 1, "the file is not copied into the vault"
    assert not list(world.root.rglob("pwned"))


def test_an_issue_is_found_by_any_way_of_writing_its_number(played: World) -> None:
    for word in ("1", "001", "issue-1", "ISSUE-001"):
        assert played.ask("issue", "show", word)["id"] == "ISSUE-001"


def test_a_body_comes_from_stdin(world: World) -> None:
    made = world.ask("issue", "create", "From a pipe", "--body", "-", stdin="line ü\n\nmore\n")
    assert made["body"].strip() == "line ü\n\nmore"


def test_params_come_from_a_file(world: World) -> None:
    flow = world.flow(PLAIN_FLOW)
    (world.root / "p.json").write_text(json.dumps({"words": ["ä", 1, None, {"x": 2.5}]}))
    record = world.run(flow, "--params", "@p.json")
    assert record["result"] == {
        "repo": "thing", "base": "main", "params": {"words": ["ä", 1, None, {"x": 2.5}]}
    }  # fmt: skip
    assert record["params"] == {"words": ["ä", 1, None, {"x": 2.5}]}


def test_the_agent_is_the_effects_then_the_asked_one_then_the_default(world: World) -> None:
    flow = world.flow(
        "@do\ndef workflow():\n"
        '    env = yield CreateWorktree(name="w")\n'
        '    yield RunAgent(env=env, prompt="a", agent="two")\n'
        '    yield RunAgent(env=env, prompt="b")\n'
    )
    agents = dict.fromkeys(("one", "two", "three"), WRITES)
    world.configure(agents)
    error = world.refused("run", flow, code="agent_needed", exit_code=2)
    assert "three" in error["message"] + error["hint"]
    asked = world.run(flow, "--agent", "three")
    assert [a["agent"] for a in asked["attempts"]] == ["two", "three"]
    text = (world.home / "config.toml").read_text()
    (world.home / "config.toml").write_text(text.replace("[defaults]", '[defaults]\nagent="one"'))
    default = world.run(flow)
    assert [a["agent"] for a in default["attempts"]] == ["two", "one"]


def test_a_repository_without_a_remote_runs_what_does_not_push(bare: World) -> None:
    bare.git("remote", "remove", "origin")
    assert bare.ask("repo", "add", "thing")["remote_url"] == ""
    assert bare.run(bare.flow(PLAIN_FLOW))["result"]["repo"] == "thing"


def test_edits_by_hand_of_an_issue_count(world: World) -> None:
    path = Path(world.ask("issue", "show", "1")["path"])
    path.write_text(path.read_text().replace("Do a thing", "Do another thing"))
    assert world.run("basic_pr", "--issue", "1")["prs"][0]["title"] == "Do another thing"


def test_the_agent_gets_an_allow_list_of_the_environment(world: World) -> None:
    """H98: and that also from a caller with a minimal PATH who stands in /."""
    world.configure({"one": ["sh", "-c", "env > env.txt"]})
    planted = {
        "GITHUB_TOKEN": "secret-1", "JIRA_TOKEN": "secret-2", "AWS_SECRET_ACCESS_KEY": "secret-3",
        "ORCH_SECRET": "secret-4", "TMUX": "/tmp/not-ours,1,0", "LC_TIME": "C",
        "PATH": "/usr/bin:/bin", "CLAUDECODE": "secret-5", "VIRTUAL_ENV": "secret-6", "TERM": "xterm",
    }  # fmt: skip
    record = world.run("basic_pr", "--issue", "1", env=planted, cwd=Path("/"))
    text = (Path(record["attempts"][0]["worktree"]) / "env.txt").read_text()
    seen = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert "secret" not in text
    assert seen["PATH"] == "/usr/bin:/bin"
    assert seen["HOME"] == str(world.root)
    assert seen["LC_TIME"] == "C"
    assert seen["ORCH_RUN"] == record["id"]
    assert seen["ORCH_TASK"] == str(record["task"])
    assert seen["ORCH_ATTEMPT"] == record["attempts"][0]["id"]
    assert Path(seen["ORCH_PROMPT_FILE"]).is_file()
    assert seen["ORCH_RESULT_FILE"]
    assert seen["PWD"] == record["attempts"][0]["worktree"]
    names = set(seen) - {"PWD", "OLDPWD", "SHLVL", "_", "TMUX", "TMUX_PANE"}
    allowed = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "TZ"}
    assert not {n for n in names if n not in allowed and not n.startswith(("LC_", "ORCH_"))}


def test_an_agent_has_what_its_configuration_gives_it(world: World) -> None:
    (world.root / "key").write_text("from-a-file\n")
    world.configure({
        "one": 'command = ["sh", "-c", "env > env.txt"]\npass_env = ["MY_VAR"]\n'
        f'env = {{ A = "plain", B = "env:CALLER", C = "file:{world.root}/key",'
        ' D = "cmd:printf from-a-command" }'
    })  # fmt: skip
    callers = {"MY_VAR": "mine", "CALLER": "from-the-caller", "OTHER": "no"}
    record = world.run("basic_pr", "--issue", "1", env=callers)
    text = (Path(record["attempts"][0]["worktree"]) / "env.txt").read_text()
    seen = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert (seen["A"], seen["B"], seen["C"], seen["D"], seen["MY_VAR"]) == (
        "plain", "from-the-caller", "from-a-file", "from-a-command", "mine"
    )  # fmt: skip
    assert "OTHER" not in seen
    told = world.orch("show", "@", "--json").out
    assert "from-a-file" not in told
    assert "from-a-command" not in told


def test_an_agent_may_print_fifty_megabytes(world: World) -> None:
    flood = "head -c 50000000 /dev/zero | tr '\\0' x; echo e; echo y > w"
    world.configure({"one": ["sh", "-c", flood]})
    record = world.run("basic_pr", "--issue", "1")
    assert record["status"] == "done"
    answer = world.orch("logs", "@", "-n", "1")
    assert answer.code == 0
    assert answer.out.endswith("xe\n")
    assert len(answer.out) < 2 * 1024 * 1024
