"""Completion, in real shells: the words of the command line and the live names of the books."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from orch.cli.completion import FREE, LIVE, SHELLS, told_by
from tests.acceptance.test_help import LEAVES
from tests.acceptance.world import World

LIMIT_S = 30.0


def installed(world: World) -> dict[str, str]:
    """An environment in which `orch` is a program on the PATH."""
    folder = world.root / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "orch"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orch "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {**world.environ(), "PATH": f"{folder}:{os.environ['PATH']}", "TERM": "dumb"}


def answers(world: World, line: str, *, shell: str = "zsh") -> list[tuple[str, str]]:
    """What click's own protocol answers for `line`, the cursor at its end: (name, what is said)."""
    words = line.split(" ")
    env = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_ORCH_COMPLETE": f"{shell}_complete",
    }
    done = world.orch(env=env)
    assert done.err == "", done
    rows = done.out.splitlines()
    return [(rows[i + 1], rows[i + 2]) for i in range(0, len(rows) - 2, 3)]


def offered(world: World, line: str) -> list[str]:
    return [name for name, _ in answers(world, line)]


def test_commands_options_and_topics(bare: World) -> None:
    assert ("issue", "Create, list, show and resolve issues.") in answers(bare, "orch iss")
    assert offered(bare, "orch issue ")[:3] == ["create", "list", "resolve"]
    assert "--quiet" in offered(bare, "orch ps --q")
    assert "exit-codes" in offered(bare, "orch help exi")
    assert offered(bare, "orch --json completion ") == list(SHELLS)


def test_live_names(world: World) -> None:
    run = world.run(world.flow("@do\ndef workflow():\n    yield Log('x')\n"))["id"]
    world.ask("issue", "create", "Second \x1b[31mthing")
    world.ask("worktree", "create", "thing", "fix-crash")
    assert answers(world, "orch show ") == [(run, "flow, done"), ("@", "the last run")]
    assert offered(world, f"orch stop {run[:4]}") == [run]
    shown = answers(world, "orch issue show ")
    assert [name for name, _ in shown] == ["ISSUE-002", "ISSUE-001"]
    assert "\x1b" not in shown[0][1]
    assert offered(world, "orch run basic_pr --issue ISSUE-001 --repo t") == ["thing"]
    assert {"basic_pr", "multi_agent"} <= set(offered(world, "orch run "))
    assert offered(world, "orch run x --agent ") == ["one"]
    assert "defaults.agent" in offered(world, "orch config defaults.")
    assert "agents.one.command" in offered(world, "orch config explain agents.")
    assert "validate" in offered(world, "orch config v")
    assert offered(world, "orch worktree create ") == ["thing"]
    assert offered(world, "orch worktree create thing ") == []


def test_a_file_is_offered_where_no_name_begins_so(world: World) -> None:
    done = world.orch(
        env={"COMP_WORDS": "orch run ./fl", "COMP_CWORD": "2", "_ORCH_COMPLETE": "bash_complete"}
    )
    assert done.out == "file,./fl\n"


def test_nothing_is_made_and_nothing_said_where_there_is_nothing(bare: World) -> None:
    home = bare.root / "not-there"
    bare.extra["ORCH_HOME"] = str(home)
    for line in ("orch ", "orch show ", "orch issue show ", "orch run ", "orch config ",
                 "orch run x --agent ", "orch worktree create ", "orch nope x "):  # fmt: skip
        answers(bare, line)
    assert not home.exists()


def test_a_broken_home_gives_no_names_and_no_words(world: World) -> None:
    (world.home / "config.toml").write_text("oops =")
    (world.home / "orch.db").write_bytes(b"no database at all" * 100)
    (world.home / "vault" / "ISSUE-001.md").write_text("no front matter")
    for line in ("orch show ", "orch run x --agent ", "orch config defaults.", "orch issue show "):
        answers(world, line)
    assert offered(world, "orch issue show ") == ["ISSUE-001"]
    strange = world.orch(
        env={"COMP_WORDS": "orch '", "COMP_CWORD": "x", "_ORCH_COMPLETE": "zsh_complete"}
    )
    assert (strange.code, strange.out, strange.err) == (1, "", "")
    unknown = world.orch(env={"_ORCH_COMPLETE": "csh_complete"})
    assert (unknown.code, unknown.out, unknown.err) == (1, "", "")


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_argument_completes_or_is_known_to_be_free(path: tuple[str, ...]) -> None:
    """What an argument stands for is said in `orch.cli.completion`, LIVE or FREE."""
    from orch.cli.app import cli

    context, command = click.Context(cli, info_name="orch"), cli
    for word in path:
        command = command.get_command(context, word)  # type: ignore[attr-defined]
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.type is click.STRING:
            assert told_by(path, parameter.name or "") in {*LIVE, *FREE} - {""}, parameter.name


def test_both_names_of_the_command_are_in_the_script(bare: World) -> None:
    for shell in SHELLS:
        answer = bare.orch("completion", shell)
        assert (answer.code, answer.err) == (0, ""), "a pipe gets the script and nothing else"
        assert "_ORCH_COMPLETE" in answer.out
        assert "_CONDUCTOR_COMPLETE" in answer.out
    assert set(bare.ask("completion", "bash")) == {"shell", "script", "hint"}
    bare.refused("completion", "csh", code="usage", exit_code=2)


class Terminal:
    """A shell in a terminal of its own, typed into."""

    def __init__(self, argv: list[str], env: dict[str, str], cwd: Path) -> None:
        ours, theirs = pty.openpty()
        self._handle = ours
        self.process = subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=cwd,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._handle, text.encode())

    def until(self, wanted: str) -> str:
        """Read on until `wanted` was printed after what was seen before; all that came."""
        deadline, new = time.monotonic() + LIMIT_S, ""
        while wanted not in new:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._handle], [], [], max(0.0, left))
            assert ready, f"{wanted!r} did not come: {self.seen[-2000:]!r}"
            part = os.read(self._handle, 65536).decode("utf-8", "replace")
            self.seen += part
            new += part
        return new

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._handle)


def test_a_real_bash_completes(world: World) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    env = {**installed(world), "PS1": "ready> ", "INPUTRC": "/dev/null"}
    terminal = Terminal([bash, "--norc", "--noprofile", "-i"], env, world.root)
    try:
        terminal.until("ready> ")
        terminal.type('eval "$(orch completion bash)" && echo "taken"i"n"\n')
        terminal.until("takenin")
        terminal.type("orch iss\t")
        terminal.until("orch issue ")
        terminal.type("show \t")
        terminal.until("ISSUE-001 ")
        terminal.type("--json | head -c 30\n")
        terminal.until('"id": "ISSUE-001"')
    finally:
        terminal.close()


def test_a_real_zsh_completes(world: World) -> None:
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    env = {**installed(world), "PS1": "ready> ", "ZDOTDIR": str(world.root)}
    terminal = Terminal([zsh, "-f", "-i"], env, world.root)
    try:
        terminal.until("ready> ")
        terminal.type(
            "unsetopt zle_bracketed_paste prompt_sp; autoload -U compinit; compinit -u -D\n"
        )
        terminal.type('eval "$(orch completion zsh)" && echo "taken"i"n"\n')
        terminal.until("takenin")
        terminal.type("orch issue show ISS\t")
        terminal.until("001")
        terminal.type(" --json | head -c 30\n")
        terminal.until('"id": "ISSUE-001"')
    finally:
        terminal.close()


def test_a_real_fish_completes(world: World) -> None:
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("fish is not installed")
    script = world.root / "orch.fish"
    script.write_text(world.orch("completion", "fish").out, encoding="utf-8")
    ask = f"source {script}; complete -C 'orch issue show '; complete -C 'orch doc'"
    done = subprocess.run(
        [fish, "--no-config", "-c", ask], env=installed(world), cwd=world.root, text=True,
        capture_output=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert "ISSUE-001\tDo a thing" in done.stdout
    assert "doctor\t" in done.stdout
