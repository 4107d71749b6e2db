"""Options that every command shares, and the way to the home."""

from __future__ import annotations

import getpass
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


def shared(function: F) -> F:
    """--json, --quiet, --no-color."""
    for option in (
        click.option("--no-color", is_flag=True, help="No colours (also NO_COLOR)."),
        click.option("--quiet", "-q", is_flag=True, help="Print ids only, no narration."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ):
        function = option(function)
    return function


def dry(function: F) -> F:
    """--dry-run."""
    option = click.option("--dry-run", is_flag=True, help="Say what would be done; do nothing.")
    return option(function)


def output(as_json: bool, quiet: bool, no_color: bool) -> Output:
    return Output(json=as_json, quiet=quiet, colour=wants_colour(os.environ, refused=no_color))


def home() -> Orch:
    """The facade of this home."""
    from orch.compose import open_orch

    return open_orch(os.environ, Path.cwd(), person=person())


def person() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def text_or_file(value: str) -> str:
    """`TEXT`, `@FILE`, or `-` for standard input."""
    if value == "-":
        return sys.stdin.read()
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(
            f"cannot read {value[1:]}: {reason}", code="unreadable_file",
            hint="@FILE is relative to where you stand; - reads standard input",
        ) from error  # fmt: skip


def examples(*lines: str) -> str:
    """An epilog of examples."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
