"""Kimi Code: `kimi -p … --output-format stream-json`: chat messages, one a line.

Source: real output of 2.1. Neither tokens nor cost are told. Errors stand on stderr as
`error: failed to run prompt: CLASS: STATUS WORDS`; each retry is a record on stdout.

With `-p` it never asks. Servers of the repository (`.mcp.json`, `.kimi-code/mcp.json`) and folders
that its `.kimi-code/local.toml` adds are loaded only in a folder that a person has trusted inside
Kimi itself, which no worktree of a run is: there is nothing to switch off, and no switch by which a
trusted repository could have them. It has none to forbid tools with, either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from orch.agents import output
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Options as Options, Program, maker, on_the_line
from orch.agents.words import one_line
from orch.model.report import Action, Capabilities, Failure, Report

PLUGIN_API = 1

_ERROR = re.compile(rb"^error: (?:failed to run prompt: )?(.{1,2000})$", re.MULTILINE)
_CLASS = re.compile(r"((?:provider|compaction|config|auth)\.[a-z_]+): (?:(API\w+): )?(?:(\d{3}) )?")
_NAMED = {
    "provider.rate_limit": "rate_limit", "provider.auth_error": "auth",
    "auth.login_required": "auth", "compaction.failed": "", "provider.overloaded": "server_error",
    "provider.connection_error": "server_error",
}  # fmt: skip


def read(stdout: bytes, stderr: bytes) -> Report:
    session, text, closed = "", "", False
    retried: Failure | None = None
    for one in output.records(stdout):
        role, kind = one.get("role"), one.get("type")
        if role == "assistant":
            text, retried = output.words(one, "content"), None
        elif kind == "session.resume_hint":
            session, closed = output.words(one, "session_id"), True
        elif kind == "turn.step.retrying":
            retried = output.failed(
                output.words(one, "error_message"), status=output.count(one, "status_code")
            )
    found = _ERROR.findall(output.end_of(stderr))
    failure = _failure(found[-1].decode("utf-8", "replace")) if found else retried
    return Report(
        text=text, session=session, failure=None if closed and not found else failure,
        closed=closed or bool(found),
    )  # fmt: skip


def _failure(told: str) -> Failure:
    match = _CLASS.match(told)
    if match is None:
        return output.failed(told)
    named, status = _NAMED.get(match[1], ""), int(match[3]) if match[3] else None
    if match[2] == "APIContextOverflowError":
        named = "context_overflow"
    return output.failed(told[match.end() :] or told, status=status, named=named)


def acts(record: dict[str, Any]) -> Iterator[Action]:
    """What a record of the stream says that it does."""
    if record.get("role") == "assistant":
        yield from output.message(output.words(record, "content"))
        for one in output.rows(record, "tool_calls"):
            given = output.decoded(output.words(one, "function", "arguments"))
            arguments = given if isinstance(given, dict) else {}
            yield output.call(output.words(one, "function", "name"), arguments)
    elif record.get("type") == "turn.step.retrying":
        again = output.count(record, "next_attempt")
        told = output.words(record, "error_message")
        yield Action(kind="retry", text=one_line(f"attempt {again or '?'}: {told}"))


def _line(call: Call) -> Line:
    session = call.request.session
    going_on = ("--session", session) if session else ()
    prompt = on_the_line(call.request)
    return Line(("--output-format", "stream-json", *going_on, *call.chosen, "-p", prompt))


PROGRAM = Program(
    "kimi", _line, read,
    takes=("KIMI_CODE_HOME", "KIMI_API_KEY", "MOONSHOT_API_KEY"),
    sets={"KIMI_CODE_NO_AUTO_UPDATE": "1"},
    can=Capabilities(stream=True, resume=True),
    signs=Signs(
        ("KIMI_API_KEY", "MOONSHOT_API_KEY"), ("config.toml",), ".kimi-code", "KIMI_CODE_HOME"
    ),
    acts=acts,
    proven="2.1.0", install="npm install -g @moonshot-ai/kimi-code", sign_in="kimi login",
)  # fmt: skip
make = maker(PROGRAM)
