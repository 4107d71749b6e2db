"""What reaches the eyes of a person: no escape byte, no mark that reorders, no noise."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.world import World, furnished

HOSTILE = {
    "escapes": "red \x1b[31m \x1b]0;owned\x07 \x1b[2J title",
    "c1": "csi \x9b31m here",
    "bidi": "abc \u202e gnp.exe \u2066 mark",
    "newlines": "first\nsecond\r\nthird",
    "long": "x" * 300,
    "emoji": "ship 🚀👩‍👩‍👧 日本語 العربية Ünïcödé",
    "markup": "$(touch pwned) `id` '; rm -rf / #{pane_pid} %s {0} --help",
    "zalgo": "Z̸͓͌a̴l̶g̷o̵",
}
READS = (
    ("issue", "list"), ("issue", "show", "2"), ("repo", "list"), ("worktree", "list"),
    ("pr", "list"), ("ps",), ("show", "@"), ("logs", "@"), ("gate", "list"), ("doctor",),
    ("version",), ("help",), ("help", "config"),
)  # fmt: skip


def harmless(text: str) -> bool:
    """No control character but the line break, nothing invisible that moves other letters."""
    return not [
        c for c in text
        if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and c != "\u200d"
    ]  # fmt: skip


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A home in which everything bears a hostile title; tests only read it."""
    world = furnished(tmp_path_factory.mktemp("hostile") / "me")
    world.ask("issue", "create", HOSTILE["escapes"], "--body", HOSTILE["escapes"])
    world.run("basic_pr", "--issue", "ISSUE-002")
    yield world
    world.close()


@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_a_pipe_gets_no_escape_byte(played: World, words: tuple[str, ...]) -> None:
    answer = played.orch(*words)
    assert answer.code == 0, answer
    assert harmless(answer.out), answer
    assert harmless(answer.err), answer


def on_a_terminal(world: World, *words: str, **env: str) -> str:
    """What a command shows on a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "orch", *words], cwd=world.root, stdout=theirs, stderr=theirs,
            stdin=subprocess.DEVNULL, env=world.environ({"TERM": "xterm-256color", **env}),
        )  # fmt: skip
    finally:
        os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def test_a_terminal_has_colour_until_it_is_refused(played: World) -> None:
    shown = on_a_terminal(played, "ps")
    assert "\x1b[32mdone\x1b[0m" in shown
    rest = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n")
    assert harmless(rest)
    for refused in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_a_terminal(played, "ps", **refused)
    assert "\x1b" not in on_a_terminal(played, "ps", "--no-color")


def test_logs_on_a_terminal_are_clean_too(world: World) -> None:
    say = ["sh", "-c", r"printf 'a\033]0;owned\007b\n'; echo x > x.txt"]
    world.configure({"one": say})
    world.run("basic_pr", "--issue", "ISSUE-001")
    shown = on_a_terminal(world, "logs", "@")
    assert "\x1b]" not in shown
    assert "\x07" not in shown
    assert world.orch("logs", "@").out == "a\x1b]0;owned\x07b\n", "a pipe gets the bytes"


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_titles_are_shown_clean_and_kept_in_json(played: World, kind: str) -> None:
    title = HOSTILE[kind]
    made = played.orch("issue", "create", title, "--body", title)
    assert made.code == 0, made
    made_id = made.out.partition(":")[0]
    assert harmless(made.out + made.err), made
    kept = played.ask("issue", "show", made_id)
    assert kept["title"] == " ".join(title.split()) or kept["title"] == title
    assert kept["body"].strip("\n") == title.replace("\r\n", "\n") or kept["body"] == title
    for words in (("issue", "list"), ("issue", "show", made_id)):
        answer = played.orch(*words)
        assert harmless(answer.out), answer
    ran = played.orch("run", "basic_pr", "--issue", made_id)
    assert ran.code == 0, ran
    assert harmless(ran.out + ran.err), ran
    record = played.ask("show", "@")
    left = {"escapes": "red title", "c1": "csi here", "bidi": "abc gnp.exe mark"}
    assert record["prs"][0]["title"] == left.get(kind, kept["title"]), "what leaves is clean"
    assert not list(played.root.rglob("pwned"))
    branch = record["attempts"][0]["branch"]
    assert re.fullmatch(r"orch/[a-z0-9-]+", branch)
    subject = played.git("log", "-1", "--format=%s", f"refs/heads/{branch}")
    assert "\n" not in subject
    if kind in ("escapes", "bidi"):  # a letter of the title that is harmless is still there
        assert "title" in answer.out or "mark" in answer.out


def test_errors_name_hostile_words_clean(played: World) -> None:
    for words in (("show", HOSTILE["escapes"]), ("run", HOSTILE["escapes"]),
                  (HOSTILE["bidi"],), ("repo", "add", HOSTILE["escapes"]),
                  ("ps", "--\x1b[31m"), ("issue", "show", HOSTILE["escapes"])):  # fmt: skip
        answer = played.orch(*words)
        assert answer.code in (2, 3), answer
        assert harmless(answer.err), answer
        assert answer.out == "", answer
        assert "Traceback" not in answer.err


def test_a_reader_that_goes_away_is_no_error(played: World) -> None:
    """`orch ps | head -1`: nothing is said about the pipe."""
    for words in (("ps", "--json"), ("issue", "list"), ("help",), ("show", "@", "--json")):
        process = subprocess.Popen(
            [sys.executable, "-m", "orch", *words], cwd=played.root, env=played.environ(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        process.stderr.close()
        assert process.wait() == 0
        assert said == b"", words


def test_a_run_whose_narration_nobody_reads_goes_on(world: World) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "orch", "run", "basic_pr", "--issue", "1"], cwd=world.root,
        env=world.environ(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    process.stderr.close()
    assert process.wait() == 0
    assert world.ask("show", "@")["status"] == "done"


def test_output_is_utf8_whatever_the_locale(played: World) -> None:
    for locale in ("C", "POSIX", "en_US.ISO-8859-1"):
        answer = played.orch("issue", "create", HOSTILE["emoji"], "--json", env={"LC_ALL": locale})
        assert answer.code == 0, answer
        assert answer.json["title"] == HOSTILE["emoji"]
        assert played.orch("issue", "list", env={"LC_ALL": locale}).code == 0


def test_json_is_one_value_on_stdout_and_nothing_else(played: World, tmp_path: Path) -> None:
    for words in READS[:-2]:
        answer = played.orch(*words, "--json")
        assert answer.code == 0, answer
        assert answer.out.endswith("\n"), answer
        assert answer.json is not None
