"""Help: every command has examples, every topic says something, doctor names a fix."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from orch.cli.app import COMMANDS, cli
from orch.cli.topics import TOPICS
from tests.acceptance.world import World, make


def paths() -> Iterator[tuple[str, ...]]:
    """Every command there is, groups too."""
    for name in COMMANDS:
        context = click.Context(cli, info_name="orch")
        yield from _below((name,), cli.get_command(context, name))  # type: ignore[attr-defined]


def _below(path: tuple[str, ...], command: click.Command | None) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for inner in command.list_commands(context):
            yield from _below((*path, inner), command.get_command(context, inner))


ALL = list(paths())
LEAVES = [path for path in ALL if not any(other[:-1] == path for other in ALL)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = make(tmp_path_factory.mktemp("help") / "me")
    yield world
    world.close()


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_examples_and_says_what_it_does(path: tuple[str, ...]) -> None:
    context, command = click.Context(cli, info_name="orch"), None
    for word in path:
        group = command or cli
        command = group.get_command(context, word)  # type: ignore[attr-defined]
        context = click.Context(command, info_name=word, parent=context)
    assert command is not None
    text = command.get_help(context)
    assert "Examples:" in text
    assert re.search(rf"^  .*orch {' '.join(path)}", text, re.MULTILINE), text
    assert (command.help or "").strip()
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, (path, option.name)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("path", [path for path in LEAVES if path != ("help",)], ids=" ".join)
def test_every_command_tells_an_error_as_json(bare: World, path: tuple[str, ...]) -> None:
    """The error path that all share; each command's own are tested with it. (`help` explains in
    prose.)"""
    answer = bare.orch(*path, "--no-such-option", "--json")
    assert answer.code == 2, answer
    assert answer.error["code"] == "unknown_option"
    assert answer.error["hint"] == f"orch {' '.join(path)} --help"
    assert answer.err == ""


def test_help_by_option_and_by_command_is_the_same(bare: World) -> None:
    for path in (("run",), ("issue", "create"), ("gate",)):
        by_option, by_command = bare.orch(*path, "--help"), bare.orch("help", *path)
        assert (by_option.code, by_command.code) == (0, 0)
        assert by_option.out.strip() == by_command.out.strip()


@pytest.mark.parametrize("topic", TOPICS)
def test_topics_are_explained(bare: World, topic: str) -> None:
    answer = bare.orch("help", topic)
    assert (answer.code, answer.err) == (0, "")
    assert len(answer.out.splitlines()) >= 3


def test_help_names_every_command_and_topic(bare: World) -> None:
    said = bare.orch("help").out
    assert all(name in said for name in (*COMMANDS, *TOPICS))
    assert bare.orch("--help").code == 0
    assert "Usage" in bare.orch().out + bare.orch().err


def test_doctor_says_what_is_there(bare: World) -> None:
    checks = bare.ask("doctor")
    assert {"git", "tmux", "database", "disk", "lock", "agent one"} <= {c["name"] for c in checks}
    assert all(set(check) == {"name", "ok", "message", "fix"} for check in checks)
    bare.configure({"one": ["no-such-program-here"]})
    answer = bare.orch("doctor")
    assert answer.code == 1
    assert "FAIL" in answer.out
    assert "fix:" in answer.out


def test_help_touches_no_home(bare: World) -> None:
    where = bare.root / "not-there"
    for words in (("--help",), ("help",), ("run", "--help"), ("--version",), ("version",)):
        assert bare.orch(*words, env={"ORCH_HOME": str(where)}).code == 0
    assert not where.exists()
