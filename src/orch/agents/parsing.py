"""One recorded output of an agent, as Orch reads it: the record of `orch parse`.

Invariant: what is printed comes from the functions that judge an attempt. Prose is never success: a
person looks at it (H18).
"""

from __future__ import annotations

import datetime
import signal
from typing import Any

from orch.agents import failure, record, reply, structured
from orch.agents.output import Reader
from orch.agents.words import one_line, printable
from orch.model.attempt import AgentResult, ExitRecord
from orch.model.report import Report, public_class
from orch.model.reset_time import reset_time

_LIMITS = ("rate_limit", "quota", "usage_window", "overloaded")
_SIGNALS = frozenset(one.value for one in (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV,
    signal.SIGPIPE, signal.SIGTERM,
))  # fmt: skip
_STATUSES = ("done", "in_progress", "blocked", "needs_review", "failed")
SUMMARY = 16 * 1024


def parsed(
    read: Reader, stdout: bytes, stderr: bytes, exit_code: int, *, agent: str, now: float
) -> dict[str, Any]:
    """The record that `orch parse --json` prints. `now` (seconds since the epoch) is what relative
    times in messages count from."""
    report = read(stdout, stderr)
    ended = _exit(exit_code, report)
    cause = structured.cause_of(report, ended, stderr)
    reading = structured.record_in(report.text)
    result = reading.result if reading is not None else None
    status, code, message = _outcome(report, stdout, cause, result, ended, agent)
    return {
        "agent": agent,
        "status": status,
        "summary": _summary(report, result),
        **_lists(result),
        "session_id": report.session or None,
        "usage": {
            "tokens_in": report.tokens_in,
            "tokens_out": report.tokens_out,
            "cached_in": report.cached_in,
            "usd": report.usd,
        },
        "duration_ms": report.duration_ms,
        "model": report.model or None,
        "permission_denials": list(report.denials),
        "repaired": bool(reading is not None and reading.repaired),
        "failure": _failure(report, code, message, now) if code else None,
    }


def _exit(code: int, report: Report) -> ExitRecord:
    """An exit code as a shell tells it: 124 is a limit, 128 and more a signal, unless the program
    itself says why it ended (the codes of some are a status modulo 256)."""
    number = code - 128 if code - 128 in _SIGNALS and report.failure is None else 0
    return ExitRecord(attempt="", exit_code=code, signal=number, timed_out=code == 124)


def _outcome(
    report: Report, stdout: bytes, cause: failure.Cause | None, result: AgentResult | None,
    ended: ExitRecord, agent: str,
) -> tuple[str, str, str]:  # fmt: skip
    """(status, failure code or empty, sentence)."""
    if cause is not None:
        verdict = reply.failed(cause, ended, agent=agent, result=result)
        return "failed", verdict.code, verdict.message
    if result is not None and report.closed:
        status = result.status if result.status in _STATUSES else "needs_review"
        if status == "failed":
            words = one_line(record.own_words(result))
            return status, "reported_failure", f"the agent {agent} reports that it failed: {words}"
        return status, "", ""
    if not report.text.strip() and not report.closed:
        if not stdout.strip():
            return "failed", "empty", f"the agent {agent} wrote nothing"
        return "failed", "unparseable", f"the output of agent {agent} cannot be read"
    if not report.closed:
        return "failed", "unparseable", f"the output of agent {agent} has no end"
    if report.denials:
        return "needs_review", "permission_denied", f"the agent {agent} was refused a tool"
    if not report.text.strip():
        return "failed", "empty", f"the agent {agent} ended well and said nothing"
    return "needs_review", "unparseable", f"the agent {agent} gave words and no result record"


def _summary(report: Report, result: AgentResult | None) -> str:
    text = result.summary if result is not None else report.text
    return printable(text).strip()[-SUMMARY:]


def _lists(result: AgentResult | None) -> dict[str, Any]:
    names = ("accomplished", "remaining", "files", "learnings", "delegations")
    return {name: list(getattr(result, name)) if result is not None else [] for name in names}


def _failure(report: Report, code: str, message: str, now: float) -> dict[str, Any]:
    told = report.failure
    at = told.retry_at if told is not None else None
    if at is None and told is not None and code in _LIMITS:
        zone = datetime.datetime.fromtimestamp(now).astimezone().tzinfo or datetime.UTC
        at = reset_time(told.words, now, zone)
    when = datetime.datetime.fromtimestamp(at, datetime.UTC) if at is not None else None
    return {
        "class": public_class(code),
        "message": message,
        "retry_at": when.strftime("%Y-%m-%dT%H:%M:%SZ") if when is not None else None,
        "model": (told.model if told is not None else "") or report.model or None,
    }
