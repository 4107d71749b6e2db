"""Words of the command line: where the shared options may stand, and what unknown words get."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import click
import pytest

from orch.cli.app import COMMANDS, cli
from orch.cli.options import examples, may_ask, must_not_ask, shared
from orch.cli.words import NoCommand, Noun, Verb, told
from orch.model.errors import UsageError

SEEN: list[tuple[bool, bool, bool, bool]] = []


@click.group(cls=Noun, shows_flags=True)
def top() -> None:
    """Everything."""


@click.group(cls=Noun)
def thing() -> None:
    """Things."""


@thing.command("list", epilog=examples("top thing list"))
@click.argument("names", nargs=-1)
@click.option("--long", is_flag=True, help="More.")
@shared
def list_(names: tuple[str, ...], long: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List."""
    SEEN.append((as_json, quiet, no_color, must_not_ask()))


top.add_command(thing)


def call(*words: str) -> None:
    top.main(list(words), prog_name="top", standalone_mode=False)


@pytest.mark.parametrize(
    "place",
    [
        lambda *f: (*f, "thing", "list"),
        lambda *f: ("thing", *f, "list"),
        lambda *f: ("thing", "list", *f),
        lambda *f: (f[0], "thing", *f[1:], "list"),
    ],
    ids=["first", "middle", "last", "spread"],
)
def test_shared_options_stand_anywhere(place: Callable[..., tuple[str, ...]]) -> None:
    SEEN.clear()
    call(*place("--json", "--no-input"))
    call(*place("--quiet", "--no-color"))
    call("thing", "list")
    assert SEEN == [
        (True, False, False, True),
        (False, True, True, False),
        (False, False, False, False),
    ]


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with click.Context(top):
        assert not may_ask()
        assert not must_not_ask()


def failing(*words: str) -> click.UsageError:
    with pytest.raises(click.UsageError) as caught:
        call(*words)
    return caught.value


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        (("thing", "list", "--lnog"), "unknown_option",
         "there is no option '--lnog'; did you mean '--long'?", "top thing list --help"),
        (("--jsn",), "unknown_option", "there is no option '--jsn'; did you mean '--json'?",
         "top --help"),
        (("thing", "--quite", "list"), "unknown_option",
         "there is no option '--quite'; did you mean '--quiet'?", "top thing --help"),
        (("thing", "list", "--long=1"), "usage", "option '--long' does not take a value",
         "top --help"),
    ],
)  # fmt: skip
def test_wrong_options(words: tuple[str, ...], code: str, message: str, hint: str) -> None:
    error = told(failing(*words), "top")
    assert (error.code, error.message, error.exit_code) == (code, message, 2)
    assert error.hint in (hint, "top thing list --help")


def test_unknown_commands_get_the_nearest() -> None:
    cases = (
        (("thin",), "thing", "top thing --help"),
        (("thing", "lst"), "list", "top thing list --help"),
    )
    for words, meant, hint in cases:
        with pytest.raises(UsageError, match=f"did you mean '{meant}'") as caught:
            call(*words)
        assert (caught.value.code, caught.value.hint) == ("unknown_command", hint)
    with pytest.raises(UsageError) as caught:
        call("qqq")
    assert (caught.value.code, caught.value.hint) == ("unknown_command", "top --help")


def test_a_group_alone_shows_its_help() -> None:
    error = failing("thing")
    assert isinstance(error, NoCommand)
    assert "list" in error.message


def test_examples_come_before_options() -> None:
    context = click.Context(list_, info_name="list")
    shown = list_.get_help(context)
    assert shown.index("top thing list") < shown.index("--long")


def test_every_command_is_one_of_ours() -> None:
    """So that every help text has its examples first, and every group takes the shared options."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert isinstance(command, Verb | Noun), name
        if isinstance(command, Noun):
            assert all(isinstance(inner, Verb | Noun) for inner in command.commands.values())
