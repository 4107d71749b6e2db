"""`orch inbox`: what waits for a person, answered in place."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, cast

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.words import Noun

LONGEST, WIDTH = 300, 80
"""Characters of an item that are shown, and of a line; --json has the rest."""

if TYPE_CHECKING:
    from orch.api.inbox import Decision


@click.group(
    cls=Noun, usual="list",
    epilog=examples(
        "orch inbox", "orch inbox approve 3f2a91c0", 'orch inbox deny 3f2a91c0 "use git rm"',
        'orch inbox answer 3f2a91c0 "postgres"',
    ),
)  # fmt: skip
def inbox() -> None:
    """List what waits for you, oldest first, and answer it."""


@inbox.command("list", epilog=examples("orch inbox", "orch inbox list --json"))
@shared
def list_(as_json: bool, quiet: bool, no_color: bool) -> None:
    """List what waits for you: questions and gates first, then tasks and runs, the oldest first."""
    from orch.api.inbox import items, record
    from orch.cli.spans import age

    out, orch = output(as_json, quiet, no_color), home()
    found = items(orch)
    if out.json:
        out.data([record(item) for item in found])
    elif out.quiet:
        for item in found:
            out.line(item.id or item.run)
    elif found:
        now = orch.rooms.clock.now()
        for item in found:
            who = item.agent or item.kind
            about = f"task {item.task}" if item.task else f"run {item.run}"
            words = " ".join(item.text.split())
            shown = words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
            lines = textwrap.wrap(f"{who}, {about}: {shown}", WIDTH - 6, break_on_hyphens=False)
            for number, line in enumerate(lines or [who]):
                out.line(f"{age(now - item.since) if not number else '':>4}  {line}")
            out.line(f"      {item.command}")
    else:
        out.note("nothing waits for you")


def _answer(decision: str, identifier: str, words: tuple[str, ...], *shown: bool) -> None:
    from orch.api.inbox import answer

    out = output(*shown)
    item = answer(home(), identifier, cast("Decision", decision), " ".join(words))
    if out.json:
        out.data({"id": item.id, "kind": item.kind, "run": item.run, "decision": decision})
    elif out.quiet:
        out.line(item.id)
    else:
        out.line(f"{decision}: {item.text}")


def _verb(name: str, text: str, example: str) -> None:
    @inbox.command(name, help=text, epilog=examples(f"orch inbox {name} {example}"))
    @click.argument("identifier", metavar="ID")
    @click.argument("words", nargs=-1)
    @shared
    def verb(
        identifier: str, words: tuple[str, ...], as_json: bool, quiet: bool, no_color: bool
    ) -> None:
        _answer(name, identifier, words, as_json, quiet, no_color)


_verb("approve", "Say yes to a question or a gate; the agent goes on at once.", "3f2a91c0")
_verb("deny", "Say no; what you write is told to the agent.", '3f2a91c0 "use git rm"')
_verb(
    "answer",
    "Answer with a text; of a gate the workflow gets it, and goes on.",
    '3f2a91c0 "postgres"',
)
