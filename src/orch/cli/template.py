"""`orch template`: workflows to start from, and prompt texts with placeholders.

Invariant: lists and shows without running anything; writes nothing but the one new file that was
asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import dry, examples, home, output, shared, text_or_file
from orch.cli.words import Noun
from orch.model.errors import NotFound, UsageError

if TYPE_CHECKING:
    from orch.api.workflows import Listed
    from orch.cli.output import Output
    from orch.workflow.outline import Parameter


class Template(Noun):
    """`orch template PATH` means `orch template render PATH`."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        word = args[0] if args else ""
        known = word in self.list_commands(ctx)
        if not known and word[:1] != "-" and (os.sep in word or "." in word):
            args = ["render", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=Template)
def template() -> None:
    """List, show and start workflows; render prompt texts.

    `orch template PATH NAME=VALUE` renders the text at PATH.
    """


@template.command(
    "list", epilog=examples("orch template list", "orch template list --repo thing --json")
)
@click.option("--repo", default="", help="Whose own workflows too (default: where you stand).")
@shared
def list_(repo: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List the workflows that `orch run NAME` knows, nearest first.

    A repository's own ones (.orch/workflows) come before yours (workflows/ of the home) and the
    shipped ones.
    """
    out, found = output(as_json, quiet, no_color), home().workflows(repo).list()
    if as_json:
        out.data([_record(item) for item in found])
    elif quiet:
        for item in found:
            if item.state == "ready":
                out.line(item.name)
    else:
        for item in found:
            _tell(item, out)
        for problem in dict.fromkeys(item.problem for item in found if item.problem):
            out.note(f"note: {problem}")


def _tell(item: Listed, out: Output) -> None:
    import textwrap

    state = "" if item.state == "ready" else f", {item.state}"
    out.line(f"{out.paint(item.name, 'bold')} ({item.origin}{state})")
    told = [item.summary]
    if item.state != "hidden" and item.parameters:
        told.append("takes " + ", ".join(map(_shown, item.parameters)))
    for text in filter(None, told):
        out.line(textwrap.indent(textwrap.fill(text, 76, break_on_hyphens=False), "  "))


def _record(item: Listed) -> dict[str, Any]:
    return {
        "name": item.name,
        "origin": item.origin,
        "state": item.state,
        "summary": item.summary,
        "parameters": [_parameter(parameter) for parameter in item.parameters],
        "path": item.path,
        "problem": item.problem,
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "default": parameter.default,
        "required": parameter.required,
    }


def _shown(parameter: Parameter) -> str:
    stars = {"star": "*", "stars": "**"}.get(parameter.kind, "")
    default = "" if parameter.default is None else f"={parameter.default}"
    return f"{stars}{parameter.name}{default}"


@template.command(epilog=examples("orch template show basic_pr", "orch template show ./flow.py"))
@click.argument("name")
@click.option("--repo", default="", help="Whose own workflows too (default: where you stand).")
@shared
def show(name: str, repo: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Print the source of a workflow. Nothing of it is run, so it needs no trust."""
    from orch.api.validation import looked_up

    out, orch = output(as_json, quiet, no_color), home()
    found = looked_up(orch.workflows(repo), name, orch.rooms.cwd)
    source = found.source
    if as_json:
        record = {"name": found.name, "origin": found.origin, "path": source.filename}
        out.data({**record, "sha256": source.digest, "text": source.text})
        return
    out.note(f"{found.name} ({found.origin}): {source.filename}")
    if not quiet:
        out.line(source.text.rstrip("\n"))
    else:
        out.line(source.filename)


@template.command(
    epilog=examples(
        "orch template new my_flow", "orch template new fast --from enforced_pr --to ./flows"
    )
)
@click.argument("name")
@click.option("--from", "start", default="basic_pr", help="What to copy (default: basic_pr).")
@click.option("--to", "folder", default="", help="The folder (default: workflows/ of the home).")
@dry
@shared
def new(
    name: str, start: str, folder: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Start a workflow of your own from one there is."""
    from orch.api.validation import looked_up
    from orch.api.workflows import new_workflow, refuse_new

    out, orch = output(as_json, quiet, no_color), home()
    named = orch.workflows("")
    copied = looked_up(named, start, orch.rooms.cwd)
    place = orch.rooms.cwd / folder if folder else orch.home / "workflows"
    path = refuse_new(place, name)
    shadowed = None if folder else named.look(name)
    if not dry_run:
        new_workflow(place, name, copied)
    record = {"name": name, "path": str(path), "from": copied.name}
    if as_json:
        out.data({**record, "written": not dry_run})
    elif quiet:
        out.line(str(path))
    else:
        out.line(f"{'would write' if dry_run else 'written:'} {path} (from {copied.name})")
        if shadowed is not None:
            out.note(f"note: from now on {name} means this file, not the {shadowed.origin} one")
        if not dry_run:
            word = str(path) if folder else name
            out.note(f"next: orch validate {word}; orch run {word} --issue ISSUE-001 --dry-run")


@template.command(
    epilog=examples(
        'orch template render prompts/review.md TITLE="Add a flag"',
        "orch template prompts/review.md BODY=@spec.md",
    )
)
@click.argument("path")
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--blank", is_flag=True, help="An unknown name is empty, not an error.")
@click.option("--no-env", is_flag=True, help="Take no values from the environment.")
@shared
def render(
    path: str, values: tuple[str, ...], blank: bool, no_env: bool, as_json: bool, quiet: bool,
    no_color: bool,
) -> None:  # fmt: skip
    """Fill the placeholders of a text: {{NAME}}, and {{#if NAME}}...{{/if}}.

    A value may be @FILE. What is not given comes from the environment. A name that nobody gave is an
    error; a block stays when its name's value is not blank.
    """
    from orch.workflow.placeholders import names, render

    out = output(as_json, quiet, no_color)
    text = _text_at(path)
    given = dict(_pair(word) for word in values)
    surroundings = {} if no_env else dict(os.environ)
    filled = render(text, {**surroundings, **given}, blank=blank, name=path)
    unused = sorted(given.keys() - set(names(text)))
    if unused:
        out.warn(f"note: {path} has no placeholder {', '.join(unused)}")
    if as_json:
        out.data({"path": path, "text": filled})
    else:
        out.raw(filled if filled.endswith("\n") else filled + "\n")


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise UsageError(
            f"{word!r} is no NAME=VALUE", code="bad_value", hint="orch template render --help"
        )
    return name, text_or_file(value) if value.startswith("@") else value


def _text_at(path: str) -> str:
    if path != "-" and not Path(path).expanduser().is_file():
        raise NotFound(
            f"there is no text to render at {path}", code="no_template",
            hint="orch template list (workflows), or the path of a text",
        )  # fmt: skip
    return text_or_file(path if path == "-" else f"@{path}")
