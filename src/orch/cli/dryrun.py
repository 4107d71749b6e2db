"""What `orch run --dry-run` prints: the plan, and the steps of each scenario.

Invariant: a line is at most as wide as the terminal; the JSON has everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.cli.cleaning import clean
from orch.cli.output import columns
from orch.cli.table import shortened

if TYPE_CHECKING:
    from orch.cli.output import Output


def tell_plan(plan: dict[str, Any], out: Output) -> None:
    for note in plan["notes"]:
        out.note(note)
    out.line(f"would run {plan['workflow']} in {plan['repo']} (nothing was done)")
    if plan["registers"]:
        out.line(f"would register {plan['repo']}: {plan['registers']}")
    if out.quiet:
        return
    out.line(f"effects it may ask for: {', '.join(plan['effects'])}")
    before: list[Any] = []
    for scenario in plan["scenarios"]:
        out.line(f"\nif {scenario['title']}:")
        if scenario["steps"] == before:
            out.line("      the same steps")
        for number, step in enumerate(() if scenario["steps"] == before else scenario["steps"], 1):
            text = clean(f"{number:4}. {step['effect']:<15} {step['summary']}".rstrip())
            out.line(shortened(text, columns()))
        before = scenario["steps"]
        out.line(f"      {_end(scenario)}")


def _end(scenario: dict[str, Any]) -> str:
    if scenario["end"] == "done":
        return "done"
    if scenario["end"] == "unfinished":
        return f"still going on after {len(scenario['steps'])} steps: what would end it?"
    return f"{scenario['end']}: {scenario['error']['message']} [{scenario['error']['code']}]"
