"""Words that nobody knows: unknown commands and options, told with the nearest known one.

Invariant: what click finds wrong with a command line becomes a `UsageError` of ours, with a stable
code and the help of the very command it was said to.
"""

from __future__ import annotations

from typing import Any

import click

from orch.model.errors import UsageError
from orch.model.naming import nearest


class Noun(click.Group):
    """A group of commands (`orch issue …`)."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name, known = args[0] if args else "", self.list_commands(ctx)
        if name and not name.startswith("-") and name not in known:
            raise unknown_word("command", name, known, f"{ctx.command_path} --help")
        return super().resolve_command(ctx, args)


def unknown_word(kind: str, word: str, known: list[str], hint: str) -> UsageError:
    """`unknown_<kind>`, with the nearest of `known`."""
    similar = nearest(word, known)
    meant = f"; did you mean {similar[0]!r}?" if similar else ""
    return UsageError(f"there is no {kind} {word!r}{meant}", code=f"unknown_{kind}", hint=hint)


def told(error: click.UsageError, program: str) -> UsageError:
    """What click says, as an error of ours."""
    hint = f"{error.ctx.command_path if error.ctx else program} --help"
    if isinstance(error, click.NoSuchOption):
        options = error.ctx.command.params if error.ctx else []
        known = [word for option in options for word in option.opts if word.startswith("--")]
        return unknown_word("option", error.option_name, known, hint)
    return UsageError(error.format_message(), hint=hint)
