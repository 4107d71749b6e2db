"""`orch config`: what is configured, where each value comes from, and changing one of them.

Invariant: looking makes no home, and works with a broken one; a change is checked before it is
written, and keeps every comment.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import dry, examples, output, shared
from orch.cli.words import Noun, Verb
from orch.model.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from orch.api import Orch
    from orch.api.settings import Place
    from orch.cli.output import Output
    from orch.config.explain import Explained, Said

_NEGATIVE = re.compile(r"-[0-9][0-9_.]*")


class _Config(Noun):
    """`config` alone lists, `config KEY` gets: both are said more often than their verbs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [word for word in args if not word.startswith("-")]
        if ctx.resilient_parsing:  # a shell completes: it wants verbs and keys
            return super().parse_args(ctx, args)
        if not words and not {"--help", "-h"} & set(args):
            args = [*args, "list"]
        elif words and words[0] not in self.commands and _is_key(words[0]):
            at = args.index(words[0])
            args = [*args[:at], "get", *args[at:]]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from orch.cli.completion import keys

        return super().shell_complete(ctx, incomplete) + keys(ctx, incomplete)


def _is_key(word: str) -> bool:
    from orch.config.tree import LISTS, NAMED, SECTIONS

    return "." in word or word in SECTIONS or word in NAMED or word in LISTS


@click.group(
    cls=_Config,
    epilog=examples("orch config", "orch config defaults.agent", "orch config set git.name Pat"),
)
def config() -> None:
    """Show and change the configuration. Alone it lists; with a KEY it shows that one."""


_repo = click.option("--repo", default="", help="As it is for this one (default: where you stand).")


@config.command("list", epilog=examples("orch config list", "orch config list --repo thing --json"))
@_repo
@shared
def list_(repo: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List every key with its value and where that comes from."""
    out, settings = output(as_json, quiet, no_color), _place().settings(repo)
    _tell([settings.explain(key) for key in settings.all_keys()], out)


@config.command(epilog=examples("orch config get defaults.agent", "orch config get agents.claude"))
@click.argument("key")
@_repo
@shared
def get(key: str, repo: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show the value of a key, or all keys of a table."""
    out, settings = output(as_json, quiet, no_color), _place().settings(repo)
    below = settings.below(key)
    if below or _is_empty_table(key):
        _tell([settings.explain(each) for each in below], out)
        return
    found = settings.explain(key)
    out.data(_record(found)) if as_json else out.line(_shown(found.said.value, bare=True))


@config.command(
    epilog=examples(
        "orch config explain defaults.agent", "orch config explain agents.claude.command"
    )
)
@click.argument("key")
@_repo
@shared
def explain(key: str, repo: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Say where a value comes from, file and line, and what it hides."""
    out, settings = output(as_json, quiet, no_color), _place().settings(repo)
    found = settings.explain(key)
    if as_json:
        out.data({**_record(found), "hides": [_said(each) for each in found.hidden]})
    elif quiet:
        out.line(str(found.said.origin))
    else:
        out.line(f"{found.key} = {_shown(found.said.value)}")
        out.line(f"  from {found.said.origin}")
        for hidden in found.hidden:
            out.line(f"  hides {_shown(hidden.value)} from {hidden.origin}")


class _Set(Verb):
    """`config set KEY -1`: a negative number is a value, not an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        numbers = [word for word in args if _NEGATIVE.fullmatch(word)]
        if numbers and "--" not in args:
            args = [word for word in args if word not in numbers] + ["--", *numbers]
        return super().parse_args(ctx, args)


@config.command(
    "set",
    cls=_Set,
    epilog=examples(
        "orch config set defaults.agent claude",
        """orch config set agents.mine.command '["PROGRAM", "ARG"]'""",
        "pass show key | orch config set agents.claude.env.API_KEY -",
    ),
)
@click.argument("key")
@click.argument("value")
@dry
@shared
def set_(
    key: str, value: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:  # fmt: skip
    """Set a key in your own file. VALUE is TOML, or a text as it stands; - reads standard input.
    Comments and order stay."""
    from orch.config.editing import setting

    out, place = output(as_json, quiet, no_color), _place()
    word = _standard_input() if value == "-" else value
    edit, _ = setting(place.home, key, word, os.environ)
    if not dry_run:
        edit.write()
    done = {"key": key, "file": str(edit.file), "changed": edit.text.encode() != edit.was}
    if as_json:
        out.data({**done, "dry_run": dry_run})
    elif quiet:
        out.line(key)
    else:
        out.line(f"{'would set' if dry_run else 'set'} {key} in {edit.file}")


@config.command(epilog=examples("orch config unset defaults.agent", "orch config unset agents.old"))
@click.argument("key")
@dry
@shared
def unset(key: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Remove a key, or a named table, from your own file."""
    from orch.config.editing import unsetting

    out, place = output(as_json, quiet, no_color), _place()
    edit = unsetting(place.home, key, os.environ)
    if not dry_run:
        edit.write()
    if as_json:
        out.data({"key": key, "file": str(edit.file), "changed": True, "dry_run": dry_run})
    elif quiet:
        out.line(key)
    else:
        out.line(f"{'would remove' if dry_run else 'removed'} {key} from {edit.file}")


@config.command(epilog=examples("orch config validate", "orch config validate --json"))
@shared
def validate(as_json: bool, quiet: bool, no_color: bool) -> int:
    """Check your file, and that of every registered repository. Exit code 2 when one is broken."""
    out, found = output(as_json, quiet, no_color), _place().faults()
    if as_json:
        out.data(found)
    else:
        for item in found:
            if item["ok"]:
                out.note(f"ok    {item['file']}")
            else:
                out.line(item["error"]["message"])
                out.note(f"  try: {item['error']['hint']}")
    return 0 if all(item["ok"] for item in found) else UsageError.exit_code


@config.command(epilog=examples("orch config schema", "orch config schema > orch.schema.json"))
@shared
def schema(as_json: bool, quiet: bool, no_color: bool) -> None:
    """Print the JSON Schema of config.toml, for editors."""
    from orch.config.schema import schema as made

    output(as_json, quiet, no_color).data(made())


@config.command(epilog=examples("orch config paths", "orch config paths --json"))
@shared
def paths(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List the files and folders that Orch keeps."""
    out, found = output(as_json, quiet, no_color), _place().paths()
    if as_json:
        out.data(found)
    elif quiet:
        for item in found:
            out.line(item["path"])
    else:
        rows = [[i["name"], "yes" if i["exists"] else "no", i["path"]] for i in found]
        out.table(["name", "there", "path"], rows)


def _place() -> Place:
    from orch.api.settings import Place

    return Place(os.environ, _opened)


def _opened() -> Orch:
    """The facade, once per command, whatever state the configuration is in."""
    context = click.get_current_context()
    if "orch.opened" not in context.meta:
        from orch.compose import open_unchecked, person

        orch = open_unchecked(os.environ, Path.cwd(), person=person(os.environ))
        context.call_on_close(orch.close)
        context.meta["orch.opened"] = orch
    found: Orch = context.meta["orch.opened"]
    return found


def _is_empty_table(key: str) -> bool:
    from orch.config.tree import NAMED

    return key in NAMED


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "standard input is not UTF-8 text", code="unreadable_file",
            hint="printf %s VALUE | orch config set KEY -",
        ) from error  # fmt: skip


def _tell(found: list[Explained], out: Output) -> None:
    if out.json:
        out.data([_record(each) for each in found])
    elif out.quiet:
        for each in found:
            out.line(each.key)
    elif not found:
        out.note("nothing there yet: orch config set KEY VALUE")
    else:
        rows = [[e.key, _shown(e.said.value), _short(e.said)] for e in found]
        out.table(["key", "value", "from"], rows)


def _short(said: Said) -> str:
    """`config.toml:7`: the table has no room for folders; `explain` says all."""
    name = os.path.basename(said.origin.file)
    return f"{name}:{said.origin.line}" if said.origin.line else name


def _said(said: Said) -> dict[str, Any]:
    return {"value": said.value, "file": said.origin.file, "line": said.origin.line}


def _record(found: Explained) -> dict[str, Any]:
    return {"key": found.key, **_said(found.said)}


def _shown(value: Any, *, bare: bool = False) -> str:
    """A value as TOML writes it; with `bare` a text stands without quotes."""
    if bare and isinstance(value, str):
        return value
    if isinstance(value, dict):
        inner = ", ".join(f"{name} = {_shown(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False)
