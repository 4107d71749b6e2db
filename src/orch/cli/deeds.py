"""One action of an agent: on one line for people, as an object for programs. Pure.

Invariant: one line whatever the agent's words are, never wider than asked, with nothing in it that a
terminal acts upon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from orch.api.tails import Wrote
from orch.cli.cleaning import clean
from orch.cli.table import shortened

if TYPE_CHECKING:
    from orch.api.acting import Did
    from orch.cli.output import Output
    from orch.model.report import Action

_VERBS = {"message": "says"}
_TOKENS = ("input", "cache_read_input", "output")
_COLOURS = {"edit": "green", "failed": "red", "retry": "yellow", "usage": "dim", "tool": "bold"}


class Deed(NamedTuple):
    """What is shown of an action: `verb` (a tool's name, or `says`, `edit`, …) and the rest."""

    verb: str
    text: str
    colour: str

    def line(self, room: int, out: Output) -> str:
        """In at most so many columns."""
        line = shortened(f"{self.verb}  {self.text}", room)
        split = min(len(self.verb), len(line))
        return out.paint(line[:split], self.colour) + line[split:]


def deed(action: Action) -> Deed:
    verb, text = _VERBS.get(action.kind, action.kind), clean(action.text)
    if action.kind == "tool" and action.tool:
        verb = clean(action.tool)
    elif action.kind == "failed" and action.tool:
        text = f"{clean(action.tool)}: {text}"
    return Deed(verb, text, _COLOURS.get(action.kind, ""))


def is_told(action: Action) -> bool:
    """Whether it gets a line of its own: of tokens, told with each message, only the sum does."""
    return action.kind != "usage" or not action.call


def tally(action: Action) -> str:
    """What was used in a few columns: the tokens of all kinds, and the cost of all so far."""
    named = (action.used.get(f"{name}_tokens", 0) for name in _TOKENS)
    count = sum(one for one in named if isinstance(one, int))
    cost = action.used.get("cost_usd")
    paid = f" ${cost:.2f}" if isinstance(cost, float) and not action.call else ""
    return f"{count:,} tokens{paid}"


def record(told: Did | Wrote) -> dict[str, Any]:
    """The object that `--json` has for an action, or for a line that tells none."""
    attempt = told.attempt
    whose = {"attempt": attempt.id, "name": attempt.name or attempt.agent}
    if isinstance(told, Wrote):
        return {"type": "output", **whose, "stream": told.stream, "text": told.text}
    action = told.action
    what = {"kind": action.kind, "tool": action.tool, "text": action.text}
    more = {"used": action.used, "call": action.call} if action.kind == "usage" else {}
    return {"type": "action", **whose, **what, **more}
