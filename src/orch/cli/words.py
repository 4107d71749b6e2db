"""The words of the command line: groups, commands, and what is said about words that nobody knows.

Invariant: what click finds wrong with a command line becomes a `UsageError` of ours, with a stable
code, the nearest known word and the help of the very command it was said to. Help texts show examples
before options.
"""

from __future__ import annotations

from typing import Any

import click

from orch.cli.options import flags
from orch.model.errors import UsageError


class Verb(click.Command):
    """A command."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_epilog(ctx, formatter)
        self.format_options(ctx, formatter)


class Noun(click.Group):
    """A group of commands (`orch issue …`). The shared options may stand before the command too.
    `usual` is the command that is meant where none is named."""

    command_class = Verb

    def __init__(self, *args: Any, **settings: Any) -> None:
        shown = settings.pop("shows_flags", False)
        self._usual = settings.pop("usual", "")
        settings["params"] = [*settings.get("params", ()), *flags(hidden=not shown)]
        super().__init__(*args, **settings)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_epilog(ctx, formatter)
        self.format_options(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = args and (not args[0].startswith("-") or args[0] in ("-h", "--help"))
        if self._usual and not named and not ctx.resilient_parsing:
            args = [self._usual, *args]
        if not args and not ctx.resilient_parsing:
            raise NoCommand(self.alone(ctx), ctx=ctx)
        return super().parse_args(ctx, args)

    def alone(self, ctx: click.Context) -> str:
        """What is said when no command is given."""
        return ctx.get_help()

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name, known = args[0] if args else "", self.list_commands(ctx)
        unheard = name and not name.startswith("-") and name not in known
        if unheard and not ctx.resilient_parsing:  # a shell completing the word does not care
            raise unknown_word("command", name, known, f"{ctx.command_path} {{}} --help")
        return super().resolve_command(ctx, args)


class NoCommand(click.UsageError):
    """A group was called alone; its message is what to do then."""


def unknown_word(kind: str, word: str, known: list[str], hint: str) -> UsageError:
    """`unknown_<kind>`, with the nearest of `known`, which takes the place of `{}` in `hint`."""
    from orch.model.naming import nearest

    similar = nearest(word, known)
    hint = " ".join(hint.replace("{}", similar[0] if similar else "").split())
    meant = f"; did you mean {similar[0]!r}?" if similar else ""
    return UsageError(f"there is no {kind} {word!r}{meant}", code=f"unknown_{kind}", hint=hint)


def told(error: click.UsageError, program: str) -> UsageError:
    """What click says, as an error of ours."""
    hint = f"{error.ctx.command_path if error.ctx else program} --help"
    if isinstance(error, click.NoSuchOption):
        options = error.ctx.command.params if error.ctx else []
        known = [word for option in options for word in option.opts if word.startswith("--")]
        return unknown_word("option", error.option_name, known, hint)
    message = error.format_message().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], hint=hint)
