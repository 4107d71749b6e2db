"""`orch send`: a message to a program that reads its terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import dry, examples, home, output, shared, text_or_file
from orch.cli.output import Output
from orch.cli.words import Verb
from orch.model.errors import Conflict

if TYPE_CHECKING:
    from orch.api.messages import Sent


@click.command(
    cls=Verb,
    epilog=examples(
        'orch send @:claude "use postgres, not mysql"',
        "orch send 4f2a:work @notes.md",
        "git diff | orch send @ -",
        'orch send @ -- "--a text that begins with a dash"',
    ),
)
@click.argument("target", metavar="RUN[:AGENT]")
@click.argument("message")
@dry
@shared
def send(
    target: str, message: str, dry_run: bool, as_json: bool, quiet: bool, no_color: bool
) -> int:  # fmt: skip
    """Send MESSAGE (text, @FILE, or - for standard input) to an agent that reads its terminal.

    AGENT is its name, its role, or an attempt's id. The message is typed and Enter pressed, once; the
    last line end of a file is not. Says `delivered`, with what proves it, or `not delivered`, with
    why; `not known to be delivered` where the program may have read it (both exit code 5). Agents
    with io = "pipes", the default, read no terminal.
    """
    from orch.api import messages

    out, orch = output(as_json, quiet, no_color), home()
    attempt = messages.live_attempt(orch, target, verb="send")
    text = text_or_file(message)
    if message == "-" or message.startswith("@"):
        text = text.removesuffix("\n")
    sent = messages.look(attempt, text) if dry_run else messages.send(orch, attempt, text)
    if sent.unnoted:
        out.warn(f"the books do not have this: {sent.unnoted}")
    if dry_run and sent.delivery.delivered:
        _would(out, sent)
        return 0
    _tell(out, sent)
    return 0 if sent.delivery.delivered else Conflict.exit_code


def _would(out: Output, sent: Sent) -> None:
    attempt = sent.attempt
    if out.json:
        out.data({"run": attempt.run, "attempt": attempt.id, "would": "send", "bytes": sent.size})
    else:
        who = attempt.name or attempt.agent or attempt.role
        out.line(f"would send {sent.size} bytes to {who} (attempt {attempt.id})")


def _tell(out: Output, sent: Sent) -> None:
    attempt, delivery = sent.attempt, sent.delivery
    if out.json:
        out.data({
            "run": attempt.run,
            "attempt": attempt.id,
            "delivered": delivery.delivered,
            "proof": delivery.proof,
            "reason": delivery.code,
            "message": sent.told if delivery.code == "unknown" else delivery.reason,
            "hint": sent.hint,
            "bytes": sent.size,
        })  # fmt: skip
    elif delivery.delivered:
        out.line(attempt.id if out.quiet else f"delivered: {delivery.proof}")
    else:
        out.line(f"{sent.told} [{delivery.code}]")
        out.note(f"  try: {sent.hint}")
