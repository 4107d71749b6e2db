"""The verdict on an attempt whose program writes structured output.

Invariant: the order of `orch.agents.reply` holds: the exit first, then what the program itself
reports, then the result record, then git. A failure that the program reports outranks an exit code of
0 (H4), and a better class outranks a worse one. An output without its last record is not whole (H1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from orch.agents import failure, record, reply
from orch.agents.output import Reader
from orch.model.attempt import ExitRecord, ReplyMode, Verdict
from orch.model.report import Report
from orch.ports import AttemptFacts

_OWN_END = frozenset({"stopped", "lost", "timeout", "missing_tool"})
"""Causes by which we or the machine ended the program: what it says of that is second."""


def judge(
    read: Reader, mode: ReplyMode, facts: AttemptFacts, *, agent: str,
    schema: Mapping[str, Any] | None = None,
) -> Verdict:  # fmt: skip
    """`orch.ports.Agent.judge` for a program whose output `read` understands. Pure."""
    report = read(facts.stdout, facts.stderr)
    cause = cause_of(report, facts.exit, facts.stderr)
    told = msgspec.structs.replace(
        facts, stdout=report.text.encode("utf-8", "replace"), stderr=b"",
        result_text=result_text(facts.result_text, report),
    )  # fmt: skip
    if cause is not None:
        result = record.read(told.result_text).result
        verdict = reply.failed(cause, facts.exit, agent=agent, result=result)
    elif not report.closed:
        verdict = _unfinished(facts, agent)
    else:
        verdict = _of_prose(reply.judge(mode, told, agent=agent, schema=schema), report, agent)
    if _conversation_gone(verdict, report, facts.stderr):
        verdict = msgspec.structs.replace(
            verdict, code="conversation_gone", retry=True, hint="",
            message=f"the agent {agent} does not have the conversation that it was to go on with",
        )  # fmt: skip
    said = report.failure if report.failure is not None and cause is not None else None
    usage = {**verdict.usage, **report.usage()}
    if report.session:
        usage["session_id"] = report.session
    return msgspec.structs.replace(
        verdict, usage=usage, reset_at=said.retry_at if said is not None else None
    )


_GONE = re.compile(
    r"\bno (?:conversation|rollout|session|saved session)s? found\b|\bsession not found\b"
    r"|\bthread/resume failed\b|\binvalid session identifier\b",
    re.IGNORECASE,
)
"""What programs say of a conversation that they do not have (any more)."""


def _conversation_gone(verdict: Verdict, report: Report, stderr: bytes) -> bool:
    if verdict.ok:
        return False
    told = report.failure.words if report.failure is not None else ""
    return bool(_GONE.search(told) or _GONE.search(stderr[-4096:].decode("utf-8", "replace")))


def cause_of(report: Report, exit_record: ExitRecord, stderr: bytes) -> failure.Cause | None:
    """Why the attempt failed, by its exit and by what it reports; None where neither says so."""
    by_exit = failure.of_exit(exit_record, stderr)
    told = report.failure
    if by_exit is not None and (by_exit.code in _OWN_END or told is None):
        return by_exit
    if told is None:
        return None
    code = told.code
    if not code:
        code = by_exit.code if by_exit is not None else "exit_nonzero"
        code = "reported_failure" if code == "exit_nonzero" else code
    return failure.cause(code, told.words)


def result_text(written: str | None, report: Report) -> str | None:
    """The text of the result record: of the result file, else of the agent's last message."""
    if written is not None and written.strip():
        return written
    return report.text if record_in(report.text) is not None else None


def record_in(text: str) -> record.Reading | None:
    """The result record that a message is or ends with: an object that says a status."""
    reading = record.read(text) if "{" in text else record.Reading(None)
    result = reading.result
    if result is None or (result.status == "unknown" and "status_text" not in result.extra):
        return None
    return reading


def _unfinished(facts: AttemptFacts, agent: str) -> Verdict:
    if not facts.stdout.strip():
        said, code = "wrote nothing", "empty"
    else:
        said, code = "its output has no end", "unparseable"
    return Verdict(ok=False, code=code, message=f"the agent {agent} ended well, but {said}")


def _of_prose(verdict: Verdict, report: Report, agent: str) -> Verdict:
    """Words without a record, where one was wanted, are for a person; so is an agent that was
    refused what it needed, and did nothing."""
    if verdict.ok or verdict.code not in ("empty", "unparseable", "no_change"):
        return verdict
    if report.denials:
        names = ", ".join(dict.fromkeys(str(one.get("tool_name", "")) for one in report.denials))
        return msgspec.structs.replace(
            verdict, code="permission_denied", retry=False,
            message=f"the agent {agent} was refused what it wanted to use: {names}",
            hint="allow it in the agent's configuration, or tell it another way",
        )  # fmt: skip
    if verdict.code == "empty" and report.text.strip():
        return msgspec.structs.replace(
            verdict,
            code="unparseable",
            retry=False,
            message=f"the agent {agent} ended with words and without a result record",
        )
    return verdict
