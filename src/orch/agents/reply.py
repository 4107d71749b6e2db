"""What an ended attempt means: exit record, result file, output and git put together.

Invariant: exit first, always. A nonzero exit, a signal or a timeout is failure whatever was written.
After a good exit a result file, or an error flag in structured output, may lower the verdict and
never raise it (H3, H4); the reply mode then says what has to be there. Words decide nothing (H18).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orch.agents import answer, failure, record
from orch.agents.words import one_line, printable, tail
from orch.model.attempt import AgentResult, ExitRecord, ReplyMode, Verdict
from orch.ports import AttemptFacts

TEXT_LIMIT = 1024 * 1024
"""Bytes of stdout that become a value in `text` mode; the last ones, and the message says so."""
SUMMARY_LIMIT = 64 * 1024
"""Bytes of stdout that stand for a summary in `diff` mode."""

_HOW = {
    "stopped": "was stopped",
    "lost": "was lost with its terminal",
    "timeout": "ran out of time",
    "missing_tool": "needs a program that is not there",
    "permission_denied": "was not permitted to do what it needs",
    "waiting_input": "waits for input that nobody can give",
    "context_overflow": "was given more than its model can hold",
    "rate_limit": "has reached a limit of its provider",
    "auth": "is not signed in to its provider",
    "billing": "was refused by its provider until that is paid",
    "unknown_model": "was given a model that its provider does not have",
    "reported_failure": "reports that it failed",
    "usage_window": "has used up what its subscription allows for now",
    "server_error": "got no answer from its provider's server",
    "max_turns": "used all the turns it was given",
    "budget": "used all the money it was given",
}
_REPORTED = {
    "failed": ("reported_failure", "reports that it failed", True),
    "blocked": ("reported_blocked", "reports that it is blocked", False),
    "needs_review": ("reported_needs_review", "asks for a person", False),
}


def judge(
    reply: ReplyMode, facts: AttemptFacts, *, agent: str, schema: Mapping[str, Any] | None = None
) -> Verdict:
    """The verdict on an ended attempt of `agent`; with `schema` on the answer that it asks for.
    Pure."""
    if schema is not None:
        return _shaped(schema, facts, agent)
    reading = record.read(facts.result_text)
    cause = failure.of_exit(facts.exit, facts.stderr)
    flagged = _flagged(facts.stdout)
    if cause is not None:
        told = flagged if flagged is not None and cause.code == "exit_nonzero" else cause
        return failed(told, facts.exit, agent=agent, result=reading.result)
    lowered = _reported(reading.result, agent)
    if lowered is not None:
        return lowered
    if flagged is not None:
        return failed(flagged, facts.exit, agent=agent)
    if reply == "diff":
        return _diff(facts, reading, agent)
    if reply == "text":
        return _text(facts, reading, agent)
    return _result(reading, agent)


def _shaped(schema: Mapping[str, Any], facts: AttemptFacts, agent: str) -> Verdict:
    cause, flagged = failure.of_exit(facts.exit, facts.stderr), _flagged(facts.stdout)
    if cause is not None and cause.code == "exit_nonzero":
        cause = flagged or cause
    told = cause or flagged
    if told is not None:
        return failed(told, facts.exit, agent=agent)
    return answer.verdict(schema, facts, agent=agent)


def failed(
    cause: failure.Cause,
    exit_record: ExitRecord,
    *,
    agent: str,
    result: AgentResult | None = None,
    usage: dict[str, Any] | None = None,
) -> Verdict:
    """The verdict on a failure whose cause is known; for adapters that read structured output.

    The sentence has the result's own words where the result reports a failure, else the cause's.
    """
    words = record.own_words(result) if result and result.status in _REPORTED else cause.words
    how = _HOW.get(cause.code, "failed")
    if cause.code == "killed":
        how = f"was ended by signal {exit_record.signal}"
    elif exit_record.exit_code:
        how += f" (exit code {exit_record.exit_code})"
    return Verdict(
        ok=False,
        code=cause.code,
        message=_said(f"the agent {agent} {how}", words),
        hint=cause.hint,
        retry=cause.retry,
        result=result,
        usage={**record.usage_of(result), **(usage or {})},
    )


def _reported(result: AgentResult | None, agent: str) -> Verdict | None:
    """The failure that the agent itself reports in its result file."""
    if result is None or result.status not in _REPORTED:
        return None
    code, what, retry = _REPORTED[result.status]
    return Verdict(
        ok=False,
        code=code,
        message=_said(f"the agent {agent} {what}", record.own_words(result)),
        retry=retry,
        result=result,
        usage=record.usage_of(result),
    )


def _flagged(stdout: bytes) -> failure.Cause | None:
    """The failure of an envelope: stdout is one JSON object with `"is_error": true` (H3, H4)."""
    if len(stdout) > TEXT_LIMIT or b'"is_error"' not in stdout:
        return None
    try:
        envelope = json.loads(stdout)
    except (ValueError, RecursionError):
        return None
    if not isinstance(envelope, dict) or envelope.get("is_error") is not True:
        return None
    return failure.of_envelope(envelope)


def _diff(facts: AttemptFacts, reading: record.Reading, agent: str) -> Verdict:
    result = reading.result
    usage = record.usage_of(result)
    if not facts.changed:
        words = result.summary if result else _last_line(facts.stdout)
        return Verdict(
            ok=False,
            code="no_change",
            message=_said(f"the agent {agent} ended well and changed nothing", words),
            retry=False,
            result=result,
            usage=usage,
        )
    summary = result.summary if result else ""
    value = summary or printable(tail(facts.stdout, SUMMARY_LIMIT)).strip("\n")
    return Verdict(ok=True, value=value, message=_note(reading), result=result, usage=usage)


def _text(facts: AttemptFacts, reading: record.Reading, agent: str) -> Verdict:
    """Like a shell's `$(…)`: NUL characters and trailing line ends are not part of the value."""
    value = tail(facts.stdout, TEXT_LIMIT).replace("\0", "").rstrip("\r\n")
    usage = record.usage_of(reading.result)
    if not value.strip():
        message = _said(f"the agent {agent} ended well and printed nothing", "")
        return Verdict(ok=False, code="empty", message=message, result=reading.result, usage=usage)
    notes = [_note(reading)]
    if max(facts.exit.stdout_bytes, len(facts.stdout)) > TEXT_LIMIT:
        notes.append("only the last 1 MiB of its output is the value")
    message = "; ".join(note for note in notes if note)
    return Verdict(ok=True, value=value, message=message, result=reading.result, usage=usage)


def _result(reading: record.Reading, agent: str) -> Verdict:
    if reading.result is None:
        return Verdict(
            ok=False,
            code=reading.problem,
            message=f"the agent {agent} ended well, but {reading.sentence}",
            hint='reply = "result" needs a JSON record in the file ORCH_RESULT_FILE names',
        )
    result = reading.result
    return Verdict(
        ok=True, value=result, message=_note(reading), result=result, usage=record.usage_of(result)
    )


def _note(reading: record.Reading) -> str:
    """What was odd about the result file, for the log (H20)."""
    if reading.repaired:
        return f"the result file was repaired: {', '.join(reading.repaired)}"
    return reading.sentence + ", ignored" if reading.problem == "unparseable" else ""


def _last_line(stdout: bytes) -> str:
    lines = printable(tail(stdout, 3000)).strip().rpartition("\n")
    return lines[2]


def _said(sentence: str, words: str) -> str:
    words = one_line(words)
    return f"{sentence}: {words}" if words else sentence
