"""Options that every command shares, and the way to the home.

Invariant: `--json`, `--quiet`, `--no-color` and `--no-input` mean the same wherever they stand:
`orch --json ps`, `orch ps --json`, `orch repo --json list`.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orch.cli.output import Output, wants_colour
from orch.model.errors import UsageError

if TYPE_CHECKING:
    from orch.api import Orch

F = TypeVar("F", bound=Callable[..., Any])
_SAID = "orch.said"
_FLAGS = (
    (("--json", "as_json"), "Print JSON."),
    (("--quiet", "-q", "quiet"), "Print ids only, no narration."),
    (("--no-color", "no_color"), "No colours (also NO_COLOR)."),
    (("--no-input", "no_input"), "Never ask; refuse what would need an answer."),
)


def flags(*, hidden: bool) -> list[click.Option]:
    """The shared options, for a group: remembered for the command that comes after."""
    return [
        click.Option(
            list(words), is_flag=True, help=text, expose_value=False, hidden=hidden,
            callback=_remember,
        )
        for words, text in _FLAGS
    ]  # fmt: skip


def _remember(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        context.meta.setdefault(_SAID, set()).add(option.name)


def shared(function: F) -> F:
    """--json, --quiet, --no-color (given to the command), --no-input (see `may_ask`)."""

    @functools.wraps(function)
    def command(**given: Any) -> Any:
        said = click.get_current_context().meta.get(_SAID, ())
        for name in ("as_json", "quiet", "no_color"):
            given[name] = given[name] or name in said
        return function(**given)

    wrapped: Any = command
    for words, text in reversed(_FLAGS):
        seen = words[-1] != "no_input"
        callback = None if seen else _remember
        option = click.option(*words, is_flag=True, help=text, expose_value=seen, callback=callback)
        wrapped = option(wrapped)
    found: F = wrapped
    return found


def may_ask() -> bool:
    """A person sits there, and has not said --no-input."""
    said = click.get_current_context().meta.get(_SAID, ())
    return "no_input" not in said and sys.stdin.isatty() and sys.stderr.isatty()


def must_not_ask() -> bool:
    """--no-input was said."""
    return "no_input" in click.get_current_context().meta.get(_SAID, ())


def dry(function: F) -> F:
    """--dry-run."""
    option = click.option("--dry-run", is_flag=True, help="Say what would be done; do nothing.")
    return option(function)


def output(as_json: bool, quiet: bool, no_color: bool) -> Output:
    return Output(json=as_json, quiet=quiet, colour=wants_colour(os.environ, refused=no_color))


def home(*, checked: bool = True) -> Orch:
    """The facade of this home, closed when the command ends. Not `checked`: a broken configuration
    is no reason to refuse."""
    import gc

    from orch.compose import open_orch, open_unchecked, person

    opened = open_orch if checked else open_unchecked
    found = opened(os.environ, Path.cwd(), person=person(os.environ))
    click.get_current_context().call_on_close(found.close)
    gc.enable()  # see `orch.__main__`: what comes now may take long
    return found


def looking() -> Orch:
    """The home for a command that follows what is at work, or ends it: a broken configuration is
    told, and is no reason to refuse."""
    from orch.cli.cleaning import clean_lines
    from orch.cli.output import put
    from orch.model.errors import ConfigError

    found = home(checked=False)
    try:
        found.rooms.config(None)
    except ConfigError as error:
        put(sys.stderr, clean_lines(f"the configuration is broken: {error.message}") + "\n")
    return found


def text_or_file(value: str) -> str:
    """`TEXT`, `@FILE`, or `-` for standard input."""
    name = "standard input" if value == "-" else value[1:]
    try:
        if value == "-":
            return sys.stdin.buffer.read().decode("utf-8")
        if not value.startswith("@"):
            return value
        return Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(
            f"cannot read {name}: {reason}", code="unreadable_file",
            hint="@FILE is relative to where you stand; - reads standard input",
        ) from error  # fmt: skip


def examples(*lines: str) -> str:
    """An epilog of examples."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
