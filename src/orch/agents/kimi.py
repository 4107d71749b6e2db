"""Kimi Code: `kimi -p … --output-format stream-json`: chat messages, one a line.

Source: real output of 2.1. Neither tokens nor cost are told. Errors stand on stderr as
`error: failed to run prompt: CLASS: STATUS WORDS`; each retry is a record on stdout.
"""

from __future__ import annotations

import re

from orch.agents import output
from orch.agents.program import Program, maker, on_the_line
from orch.model.report import Failure, Report
from orch.ports import AgentRequest

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


def _words(request: AgentRequest, chosen: tuple[str, ...]) -> tuple[str, ...]:
    return ("--output-format", "stream-json", *chosen, "-p", on_the_line(request))


PROGRAM = Program(
    "kimi", _words, read,
    takes=("KIMI_CODE_HOME", "KIMI_API_KEY", "MOONSHOT_API_KEY"),
    sets={"KIMI_CODE_NO_AUTO_UPDATE": "1"},
)  # fmt: skip
make = maker(PROGRAM)
