"""What must be refused before anything changes: the books, the files of the home and git's refs are
the same afterwards, and there is one clear error with its code and the next command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.world import World, furnished, make

FLOW = '@do\ndef workflow(n=1):\n    yield Log("x")\n    return n\n'


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A furnished home that no test changes: `refused` looks after that."""
    world = furnished(tmp_path_factory.mktemp("still") / "me")
    (world.root / "flow.py").write_text("from orch import *\n\n" + FLOW)
    (world.root / "list.json").write_text("[1]")
    (world.root / "latin.txt").write_bytes(b"\xff\xfe")
    (world.root / "empty").mkdir()
    yield world
    world.close()


@pytest.mark.parametrize(
    ("words", "code", "exit_code", "said"),
    [
        (("run", "basic_pl", "-i", "1"), "unknown_workflow", 3, "basic_pr"),
        (("run", "./nope.py"), "unknown_workflow", 3, "nope.py"),
        (("run", "basic_pr", "-i", "ISSUE-999"), "unknown_issue", 3, "ISSUE-999"),
        (("run", "basic_pr", "-i", "nope.md"), "unknown_issue", 3, "nope.md"),
        (("run", "basic_pr", "-i", "--all"), "unknown_issue", 3, "--all"),
        (("run", "basic_pr"), "issue_needed", 2, "issue"),
        (("run", "basic_pr", "-i", "1", "--repo", "thinq"), "unknown_repo", 3, "thing"),
        (("run", "basic_pr", "-i", "1", "--agent", "on"), "unknown_agent", 3, "one"),
        (("run", "multi_agent", "-i", "1", "-p", '{"impl_agent": "nine"}'), "unknown_agent", 3,
         "nine"),
        (("show", "abc"), "unknown_run", 3, "abc"),
        (("show", "@"), "unknown_run", 3, "no run"),
        (("show", "@{1}"), "unknown_run", 3, "@{1}"),
        (("stop", "abc"), "unknown_run", 3, "abc"),
        (("resume", "abc"), "unknown_run", 3, "abc"),
        (("logs", "abc"), "unknown_run", 3, "abc"),
        (("gate", "approve", "abc"), "unknown_run", 3, "abc"),
        (("issue", "show", "7"), "unknown_issue", 3, "7"),
        (("worktree", "create", "thinh", "fix-a"), "unknown_repo", 3, "thing"),
        (("worktree", "list", "--repo", "nope"), "unknown_repo", 3, "nope"),
        (("worktree", "create", "thing", "fix-a", "--from", "mian"), "unknown_branch", 3, "main"),
        (("issue", "create", "T", "--repo", "thinh"), "unknown_repo", 3, "thing"),
        (("issue", "create", "   "), "empty_title", 2, "title"),
        (("issue", "create", "T", "--body", "@nope.txt"), "unreadable_file", 2, "nope.txt"),
        (("issue", "create", "T", "--body", "@latin.txt"), "unreadable_file", 2, "UTF-8"),
        (("repo", "add", "nowhere"), "not_a_repository", 3, "nowhere"),
        (("repo", "add", "empty"), "not_a_repository", 3, "empty"),
        (("repo", "add", "flow.py"), "not_a_repository", 3, "flow.py"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)  # fmt: skip
def test_unknown_names(
    still: World, words: tuple[str, ...], code: str, exit_code: int, said: str
) -> None:
    error = still.refused(*words, code=code, exit_code=exit_code)
    assert said in error["message"] + error["hint"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("rnu", "basic_pr"), "unknown_command", "run"),
        (("issue", "crate", "T"), "unknown_command", "create"),
        (("worktree", "lst"), "unknown_command", "list"),
        (("gate", "aprove", "@"), "unknown_command", "approve"),
        (("run", "basic_pr", "--isue", "1"), "unknown_option", "--issue"),
        (("ps", "--jsno"), "unknown_option", "--json"),
        (("ps", "extra"), "usage", "extra"),
        (("run",), "usage", "WORKFLOW"),
        (("issue", "create"), "usage", "TITLE"),
        (("logs", "@", "-n", "many"), "usage", "many"),
        (("logs", "@", "-n", "-1"), "usage", "-1"),
        (("help", "exit-code"), "unknown_topic", "exit-codes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_unknown_words_of_the_command_line(
    still: World, words: tuple[str, ...], code: str, said: str
) -> None:
    """With the nearest known word."""
    plain = still.orch(*words)
    assert (plain.code, plain.out) == (2, ""), plain
    assert plain.err.startswith("error: "), plain
    assert said in plain.err, plain
    if words[0] != "help":  # it has no JSON form
        still.refused(*words, code=code, exit_code=2)


@pytest.mark.parametrize(
    "words",
    [
        ("task", "add", "lone \udcff\udcfe"), ("issue", "create", "T", "--body", "\udcff\n"),
        ("send", "@", "\udcff"), ("repo", "add", "\udcff"), ("\udcff",), ("ps", "--\udcff"),
    ],
    ids=ascii,
)  # fmt: skip
def test_an_argument_that_is_no_utf8_text_is_named(still: World, words: tuple[str, ...]) -> None:
    assert "'lone \\xff" in still.orch("task", "add", "lone \udcff").err
    error = still.refused(*words, code="not_utf8", exit_code=2)
    assert "\\xff" in error["message"]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("{", "JSON"), ("[1]", "object"), ("null", "object"), ("@list.json", "object"),
        ("@nope.json", "nope.json"), ('{"m": 1}', "'m'"), ('{"n": 1, "k": 2}', "'k'"),
        ('{"n": "\\ud800"}', "kept"), ('{"n": NaN}', ""), ("1" * 5000, ""),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_wrong_params(still: World, params: str, said: str) -> None:
    before = still.snapshot()
    answer = still.orch("run", "flow.py", "--params", params, "--json")
    assert answer.code == 2, answer
    assert answer.error["code"] in ("bad_params", "unreadable_file"), answer
    assert said in answer.error["message"]
    assert still.snapshot() == before


@pytest.mark.parametrize("base", ["--upload-pack=x", "-x", "nope", "a..b", "a b", "@{-1}", "a\nb"])
def test_a_base_that_cannot_be_one(still: World, base: str) -> None:
    """H67: names that git would take for an option, a range or a revision."""
    before = still.snapshot()
    for words in (
        ("run", "basic_pr", "-i", "1", "-p", f'{{"base_branch": {encoded(base)}}}'),
        ("worktree", "create", "thing", "fix-a", f"--from={base}"),
    ):
        answer = still.orch(*words, "--json")
        assert answer.code in (2, 3), answer
        assert answer.error["code"] in ("bad_name", "unknown_branch"), answer
        assert answer.error["hint"], answer
        assert still.snapshot() == before


def encoded(text: str) -> str:
    return '"' + text.replace("\n", "\\n") + '"'


@pytest.mark.parametrize(
    "name",
    ["--force", "-b", "...", "🚀", "a\nb", "\x1b[31m", "", "fix/../../up", "a; rm -rf x", "$(x)",
     "`x`", "a|b", "x:y.0", "#{pane_id}", "a@{1}", "a..b", "a^", "refs~1", "*", "a\\b", "'a'"],
)  # fmt: skip
def test_a_worktree_that_cannot_be_named_so(still: World, name: str) -> None:
    still.refused("worktree", "create", "thing", "--", name, code="bad_name", exit_code=2)


@pytest.mark.parametrize(
    "slug", ["--upload-pack=x", "a b", "../up", "a;b", "$(x)", "a:b", "#{pane_id}", "Thing", "-a"]
)
def test_a_slug_that_cannot_be_one(still: World, slug: str) -> None:
    still.refused("repo", "add", "thing", f"--slug={slug}", code="bad_name", exit_code=2)


@pytest.mark.parametrize("name", ["Fix crash", "fix/crash_2", "v1.2", "Änderung"])
def test_a_worktrees_name_is_reduced_to_plain_letters(still: World, name: str) -> None:
    planned = still.ask("worktree", "create", "thing", "--dry-run", "--", name)
    assert not set(planned["slug"]) - set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert Path(planned["path"]).parent == still.home / "worktrees" / "thing"


@pytest.mark.parametrize("url", ["ext::sh -c touch% pwned", "--upload-pack=touch pwned", "-u",
                                 "ssh://-oProxyCommand=touch pwned/x"])  # fmt: skip
def test_a_url_that_would_run_something(still: World, url: str) -> None:
    before = still.snapshot()
    answer = still.orch("repo", "add", "--slug", "evil", "--json", "--", url)
    assert answer.code in (2, 3), answer
    assert answer.error["hint"], answer
    assert not list(still.root.rglob("pwned*"))
    assert still.snapshot() == before


def test_a_second_worktree_of_the_same_name(world: World) -> None:
    world.ask("worktree", "create", "thing", "fix-a")
    world.refused("worktree", "create", "thing", "fix/a", code="worktree_exists", exit_code=5)
    world.git("branch", "fix/b")
    world.refused("worktree", "create", "thing", "fix-b", code="branch_foreign", exit_code=5)


def test_a_name_that_another_repository_has(world: World) -> None:
    world.git("clone", "-q", str(world.remote), "sub/thing", where=world.root)
    error = world.refused("repo", "add", "sub/thing", code="repo_exists", exit_code=5)
    assert "--slug" in error["hint"]
    world.refused("repo", "add", "thing", "--slug", "second", code="repo_exists", exit_code=5)


@pytest.mark.parametrize(
    ("text", "line", "said", "code"),
    [
        ("[defaults\nagent = 1\n", 1, "TOML", "config_syntax"),
        ('[defaults]\nagent = "one"\nagent = "two"\n', 3, "TOML", "config_syntax"),
        ('\n\n[defaults]\nagnet = "one"\n', 4, "mean agent", "config_unknown_key"),
        ("[defualts]\n", 1, "mean defaults", "config_unknown_key"),
        ("[run]\nlost_attempts = 0\n", 2, "whole number", "config_invalid"),
        ('[agents.one]\ncommand = "claude -p"\n', 2, "list", "config_invalid"),
        ("[agents.one]\ncommand = []\n", 2, "", "config_invalid"),
        ('[agents."Bad Name"]\ncommand = ["x"]\n', 1, "name", "config_invalid"),
        ('[agents.one]\ncommand = ["x"]\nreply = "dif"\n', 3, "diff", "config_invalid"),
        (
            '[agents.one]\ncommand = ["x"]\npass_env = ["GITHUB_TOKEN"]\n',
            3,
            "GITHUB_TOKEN",
            "config_invalid",
        ),
    ],
    ids=lambda value: str(value)[:30].replace("\n", " "),
)
def test_a_broken_configuration(still: World, text: str, line: int, said: str, code: str) -> None:
    """With the file and the line; unknown keys with the nearest known one."""
    path = still.home / "config.toml"
    sound = path.read_text()
    path.write_text(text)
    try:
        error = still.refused("run", "basic_pr", "-i", "1", code=code, exit_code=2)
    finally:
        path.write_text(sound)
    assert f"{path}:{line}" in error["message"], error
    assert (error["data"]["file"], error["data"]["line"]) == (str(path), line)
    assert said in error["message"] + error["hint"]


def test_a_broken_issue_file(world: World) -> None:
    """Refused by its line; listed as broken, kept, and in nobody's way."""
    broken = world.home / "vault" / "ISSUE-002.md"
    broken.write_text("---\ntitle: [unclosed\nstatus: open\n---\nbody\n")
    error = world.refused("run", "basic_pr", "-i", "2", code="issue_broken", exit_code=2)
    assert f"{broken}, line 2" in error["message"], error
    world.refused("issue", "show", "2", code="issue_broken", exit_code=2)
    listed = world.orch("issue", "list", "--json")
    assert listed.code == 0
    assert [issue["id"] for issue in listed.json] == ["ISSUE-001"]
    assert "ISSUE-002.md" in listed.err
    assert world.ask("issue", "create", "Next")["id"] == "ISSUE-003"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("@do\ndef workflow(:\n    pass\n", "workflow_syntax", "broken.py:4"),
        ("x = 1\n", "no_entry", "broken.py"),
        ("@do\ndef a():\n    yield 1\n@do\ndef b():\n    yield 1\n", "no_entry", "a, b"),
        ("import nowhere_at_all\n@do\ndef workflow():\n    yield Log('x')\n", "workflow_broken",
         "nowhere_at_all"),
        ("1 / 0\n", "workflow_broken", "ZeroDivisionError"),
        ("raise SystemExit(3)\n", "workflow_broken", "SystemExit"),
        ("\0", "workflow_syntax", ""),
    ],
    ids=lambda value: str(value)[:20].replace("\n", " ").replace("\0", "NUL"),
)  # fmt: skip
def test_a_workflow_file_that_is_none(still: World, text: str, code: str, said: str) -> None:
    still.flow(text, "broken.py")
    before = still.snapshot()
    answer = still.orch("run", "broken.py", "--json")
    assert answer.code in (2, 3), answer
    assert answer.error["code"] == code, answer
    assert said in answer.error["message"], answer
    assert answer.error["hint"], answer
    assert still.snapshot() == before


def test_a_repository_without_commits(bare: World) -> None:
    bare.git("init", "-q", "fresh", where=bare.root)
    bare.refused("repo", "add", "fresh", code="no_commits", exit_code=5)


def test_no_repository_at_all(bare: World) -> None:
    bare.ask("issue", "create", "T")
    error = bare.refused("run", "basic_pr", "-i", "1", code="no_repo", exit_code=2)
    assert error["hint"].startswith("orch repo add")


def test_a_workflow_that_pushes_without_a_remote(bare: World) -> None:
    bare.git("remote", "remove", "origin")
    bare.ask("repo", "add", "thing")
    bare.ask("issue", "create", "T")
    error = bare.refused("run", "basic_pr", "-i", "1", code="no_remote", exit_code=2)
    assert "remote add" in error["hint"]


def test_a_repository_that_went_away(world: World) -> None:
    world.repo.rename(world.root / "elsewhere")
    before = world.rows()
    answer = world.orch("run", "basic_pr", "-i", "1", "--json")
    assert answer.code in (2, 3, 5), answer
    assert answer.error["hint"]
    assert world.rows() == before


def test_no_agent_is_configured(world: World) -> None:
    world.configure({})
    error = world.refused("run", "basic_pr", "-i", "1", code="no_agent", exit_code=2)
    assert error["hint"].startswith("orch config set agents.")


def tools(world: World, **fake: str) -> dict[str, str]:
    """A PATH on which git and tmux are the real ones, or say what `fake` says; None: not there."""
    folder = world.root / ("bin-" + "".join(c for c in str(fake) if c.isalnum()))
    folder.mkdir()
    for name in ("sh", "git", "tmux", "env", "cat"):
        if name not in fake:
            found = subprocess.run(["which", name], capture_output=True, text=True, check=True)
            (folder / name).symlink_to(found.stdout.strip())
        elif fake[name]:
            (folder / name).write_text(f"#!/bin/sh\necho '{fake[name]}'\n")
            (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


@pytest.mark.parametrize(
    ("fake", "code"),
    [
        ({"tmux": ""}, "tmux_missing"), ({"git": ""}, "git_missing"),
        ({"git": "git version 2.30.1"}, "git_too_old"), ({"tmux": "tmux 2.9a"}, "tmux_too_old"),
        ({"git": "what is this"}, "git_failed"), ({"tmux": "nonsense"}, "tmux_failed"),
    ],
    ids=str,
)  # fmt: skip
def test_tools_that_are_missing_or_too_old(still: World, fake: dict[str, str], code: str) -> None:
    env = tools(still, **fake)
    if code.endswith("_failed"):
        before = still.snapshot()
        answer = still.orch("run", "basic_pr", "-i", "1", "--json", env=env)
        assert answer.code == 9, answer
        assert next(iter(fake)) in answer.error["message"]
        assert still.snapshot() == before
        return
    error = still.refused("run", "basic_pr", "-i", "1", code=code, exit_code=9, env=env)
    assert "doctor" in error["hint"] or "nstall" in error["hint"]
    doctor = still.orch("doctor", "--json", env=env)
    assert doctor.code == 1, doctor
    failed = next(check for check in doctor.json if not check["ok"])
    assert failed["name"] == next(iter(fake)), "the cause comes before what follows from it"
    assert failed["fix"]


def test_a_newer_home_is_left_alone(world: World) -> None:
    """H86: books of a newer Orch are refused in plain words, not changed."""
    import sqlite3

    with sqlite3.connect(world.home / "orch.db") as books:
        books.execute("pragma user_version = 9999")
        books.execute("update meta set value = '9999' where key like '%schema%'")
    books.close()
    before = (world.home / "orch.db").read_bytes()
    answer = world.orch("ps", "--json")
    assert answer.code in (2, 5), answer
    assert "newer" in answer.error["message"], answer
    assert (world.home / "orch.db").read_bytes() == before


def test_books_that_are_no_books(world: World) -> None:
    """H87: a damaged file is not "nothing found"."""
    for name in ("orch.db-wal", "orch.db-shm"):
        (world.home / name).unlink(missing_ok=True)
    (world.home / "orch.db").write_bytes(b"this is no database" * 1000)
    for words in (("ps",), ("run", "basic_pr", "-i", "1"), ("repo", "list")):
        answer = world.orch(*words, "--json")
        assert answer.code not in (0, 3), answer
        assert answer.error["code"] != "internal", answer
        assert "orch.db" in answer.error["message"], answer


def test_a_home_that_cannot_be_written_to(bare: World) -> None:
    (bare.root / "file").write_text("in the way")
    answer = bare.orch("ps", "--json", env={"ORCH_HOME": str(bare.root / "file")})
    assert answer.code == 9, answer
    assert answer.error["code"] == "home_unusable"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """A furnished world whose home lies on a disk of 6 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a small tmpfs is mounted")
    world = make(tmp_path / "me")
    config = (world.home / "config.toml").read_text()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(world.home)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        path = world.home / "config.toml"
        path.write_text(f"[run]\nmin_free_mb = 2\n{config}")
        path.chmod(0o600)
        world.ask("repo", "add", str(world.repo))
        world.ask("issue", "create", "Do a thing")
        yield world
    finally:
        world.close()
        subprocess.run(["umount", "-l", str(world.home)], check=True)


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


@pytest.mark.root
def test_a_full_disk(small: World) -> None:
    fill(small.home)
    for words in (
        ("run", "basic_pr", "-i", "1"),
        ("worktree", "create", "thing", "fix-a"),
        ("issue", "create", "Another", "--body", "x" * 10000),
    ):
        error = small.refused(*words, code="disk_full", exit_code=9)
        assert "full" in error["message"] or "space" in error["message"]
    for words in (("ps",), ("repo", "list"), ("issue", "list"), ("doctor",)):
        answer = small.orch(*words, "--json")
        if answer.code == 9:  # SQLite needs a little room even to read
            assert answer.error["code"] == "disk_full"
        else:
            assert answer.code in (0, 1), answer
    (small.home / "ballast").unlink()
    assert small.run("basic_pr", "-i", "1")["status"] == "done"


@pytest.mark.root
def test_a_disk_that_fills_up_while_the_agent_works(small: World) -> None:
    """Nothing is lost: with space again the run goes on, or ends with the disk named."""
    small.configure(
        {"one": ["sh", "-c", f"head -c 20000000 /dev/zero > {small.home}/ballast; echo w > w.txt"]},
        "[run]\nmin_free_mb = 0\n",
    )
    answer = small.orch("run", "basic_pr", "-i", "1", "--json")
    assert answer.code in (1, 6, 9), answer
    assert "Traceback" not in answer.err
    assert "internal" not in answer.out
    (small.home / "ballast").unlink()
    small.configure({"one": ["sh", "-c", "echo w > w.txt"]})
    ended = small.orch("resume", "--json")
    assert ended.code in (0, 1, 6), ended
    record = small.ask("show", "@")
    assert record["status"] in ("done", "error", "blocked")
    if record["error"]:
        assert record["error"]["message"]
