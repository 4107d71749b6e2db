"""Mistral Vibe: `vibe -p … --output json` or `streaming`.

Source: real output of 3.0. Tokens and cost stand in `export.json` of `--output-dir` only, which is
read where it follows the messages. Errors are lines on stderr.
"""

from __future__ import annotations

import re
from typing import Any

from orch.agents import instructions, output
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Options as Options, Program, maker, on_the_line
from orch.model.report import Capabilities, Failure, Report

PLUGIN_API = 1

_ERROR = re.compile(rb"^(?:Error|Fatal error|API error)\b:? ?(.{1,2000})$", re.MULTILINE)
_NAMED = {"turn_limit": "max_turns", "max_turns": "max_turns", "price_limit": "budget",
          "max_price": "budget", "time_limit": "timeout"}  # fmt: skip


def read(stdout: bytes, stderr: bytes) -> Report:
    session, text = "", ""
    export: dict[str, Any] = {}
    denials: list[dict[str, Any]] = []
    for one in output.records(stdout):
        session = output.words(one, "sessionId") or output.words(one, "session_id") or session
        if "outcome" in one and "usage" in one:
            export = one
        elif one.get("type") == "message" and one.get("role") == "assistant":
            parts = output.rows(one, "content")
            text = "\n".join(output.words(part, "text") for part in parts)
        elif one.get("type") == "effect":
            denials += _denied(one)
    return Report(
        text=text,
        session=session,
        tokens_in=output.count(export, "usage", "input_tokens"),
        tokens_out=output.count(export, "usage", "output_tokens"),
        cached_in=output.count(export, "usage", "cached_input_tokens"),
        cached_within=True,
        usd=output.amount(export, "cost_usd"),
        denials=tuple(denials),
        failure=_failure(export, stderr),
        closed=bool(text or export),
    )


def _failure(export: dict[str, Any], stderr: bytes) -> Failure | None:
    named = _NAMED.get(output.words(export, "stop_reason") or output.words(export, "outcome"), "")
    told = output.words(export, "error", "message") or output.words(export, "error")
    if named or told:
        return output.failed(told or named.replace("_", " "), named=named)
    found = _ERROR.findall(output.end_of(stderr))
    return output.failed(found[-1].decode("utf-8", "replace")) if found else None


def _denied(effect: dict[str, Any]) -> list[dict[str, Any]]:
    state = output.table(effect, "state")
    if state.get("decision") not in ("deny", "denied", "reject", "rejected", "skip"):
        return []
    detail = output.table(effect, "detail")
    tool, given = output.words(detail, "toolName"), output.table(detail, "input")
    return [output.denial(tool, given, str(state["decision"]))]


def _line(call: Call) -> Line:
    """Untrusted, it reads neither settings nor instructions of the repository: it is told of the
    instructions."""
    request = call.request
    prompt, trust = on_the_line(request), ("--trust",) if request.trusted else ()
    if not request.trusted and instructions.of(request.worktree.path, "AGENTS.md"):
        prompt += "\n\nAGENTS.md holds this repository's instructions for agents: read it first."
    return Line(("--output", "json", "--yolo", *trust, "-p", prompt))


PROGRAM = Program(
    "vibe", _line, read,
    takes=("VIBE_HOME", "MISTRAL_API_KEY"),
    can=Capabilities(cost="usd", limits=True),
    signs=Signs(("MISTRAL_API_KEY",)),
    proven="3.0.2", install="pip install mistral-vibe", sign_in="vibe --setup",
)  # fmt: skip
make = maker(PROGRAM)
