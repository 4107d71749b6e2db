"""`orch gate`: the places where runs wait for a person."""

from __future__ import annotations

from typing import Any

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.reaching import service_of
from orch.cli.words import Noun
from orch.model.effect import decode_effect


@click.group(cls=Noun)
def gate() -> None:
    """Answer a run that waits for a person."""


@gate.command("list", epilog=examples("orch gate list", "orch gate list --json"))
@click.argument("run", default="")
@shared
def list_(run: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """List what waits for an answer."""
    out, orch = output(as_json, quiet, no_color), home()
    wanted = orch.run(run).id if run else ""
    found = [_record(step) for step in orch.gates() if not wanted or step.run == wanted]
    if as_json:
        out.data(found)
    elif quiet:
        for item in found:
            out.line(item["run"])
    elif found:
        rows = [[item["run"], item["name"] or item["gate"], item["question"]] for item in found]
        out.table(["run", "gate", "question"], rows)
    else:
        out.note("nothing waits for an answer")


def _record(step: Any) -> dict[str, Any]:
    effect = decode_effect(step.request)
    return {
        "run": step.run,
        "gate": step.path,
        "name": getattr(effect, "name", None) or "",
        "question": getattr(effect, "question", ""),
    }


def _answer(decision: str, run: str, text: str, path: str, out: Any) -> None:
    orch = home()
    known = orch.run(run)
    step = orch.answer_gate(known, path, decision, text)
    if out.json:
        out.data({"run": known.id, "gate": step.path, "decision": decision, "text": text})
    elif out.quiet:
        out.line(known.id)
    else:
        out.line(f"recorded: {decision} for gate {step.path} of run {known.id}")
        goes_on = service_of(orch) is not None
        out.note("the service goes on with it" if goes_on else f"next: orch resume {known.id}")


def _verb(name: str, text: str, *, needs_text: bool = False) -> None:
    @gate.command(
        name, help=text, epilog=examples(f"orch gate {name} @" + (' "TEXT"' if needs_text else ""))
    )
    @click.argument("run")
    @click.argument("words", nargs=-1)
    @click.option("--gate", "path", default="", help="Which one of several: its name or path.")
    @shared
    def verb(
        run: str, words: tuple[str, ...], path: str, as_json: bool, quiet: bool, no_color: bool
    ) -> None:
        _answer(name, run, " ".join(words), path, output(as_json, quiet, no_color))


_verb("approve", "Say yes; the service goes on with the run, or `orch resume`.")
_verb("reject", "Say no; the workflow gets GateRejected.")
_verb("answer", "Answer with a text.", needs_text=True)
