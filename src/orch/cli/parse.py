"""`orch parse`: what Orch makes of a recorded output of an agent.

Invariant: nothing is started and nothing is written; what could be read ends with 0, whatever it
says.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.output import Output
from orch.cli.words import Verb

LIMIT = 256 * 2**20
"""Bytes that are read of a file."""


@click.command(
    cls=Verb,
    epilog=examples(
        "orch parse stdout.jsonl --agent claude",
        "orch parse - --agent codex --exit-code 1 --stderr err.txt --json < out.jsonl",
    ),
)
@click.argument("file", metavar="FILE")
@click.option("--agent", required=True, metavar="NAME",
              help="A configured agent, or a kind of agent: claude, codex, …")  # fmt: skip
@click.option("--exit-code", type=click.IntRange(0, 255), default=0, show_default=True,
              help="What the program ended with.")  # fmt: skip
@click.option("--stderr", default="", metavar="FILE", help="What it wrote to standard error.")
@shared
def parse(
    file: str, agent: str, exit_code: int, stderr: str, as_json: bool, quiet: bool, no_color: bool
) -> None:
    """Show what Orch makes of a recorded output of an agent; FILE may be - for standard input.

    The same readers judge every attempt of that kind of agent: how it ended, what it says it did,
    what it used, and why it failed. orch logs RUN:AGENT shows the output of an attempt.
    """
    out, orch = output(as_json, quiet, no_color), home()
    found = orch.parsed(agent, _bytes(file), _bytes(stderr) if stderr else b"", exit_code)
    if out.json:
        out.data(found)
    elif out.quiet:
        out.line(found["status"])
    else:
        _tell(out, found)


def _tell(out: Output, found: dict[str, Any]) -> None:
    failure = found["failure"]
    out.line(f"{found['status']}" + (f" ({failure['class']})" if failure else ""))
    if failure:
        out.line(f"  {failure['message']}")
        if failure["retry_at"]:
            out.line(f"  again at {failure['retry_at']}")
    elif found["summary"]:
        out.line(f"  {found['summary'].splitlines()[0]}")
    for name in ("accomplished", "remaining", "files", "learnings"):
        for item in found[name]:
            out.line(f"  {name}: {item}")
    for one in found["permission_denials"]:
        out.line(f"  refused: {one.get('tool_name', '')}")
    used = {name: value for name, value in found["usage"].items() if value is not None}
    if used:
        out.line("  " + ", ".join(f"{name} {value}" for name, value in used.items()))
    if found["session_id"]:
        out.line(f"  session {found['session_id']}")


def _bytes(file: str) -> bytes:
    """Raises `UsageError` (`unreadable_file`)."""
    from orch.model.errors import UsageError

    try:
        if file == "-":
            found = sys.stdin.buffer.read(LIMIT + 1)
        else:
            with open(file, "rb") as opened:
                found = opened.read(LIMIT + 1)
        if len(found) > LIMIT:
            raise ValueError(f"it is larger than {LIMIT // 2**20} MiB")
        return found
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot read {file}: {reason}", code="unreadable_file",
            hint="name a file, or - for standard input",
        ) from error  # fmt: skip
