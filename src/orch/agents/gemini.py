"""Gemini CLI: `gemini -p … -o json` or `stream-json`.

Source: real output of 0.61. Errors are JSON on stderr, behind other lines; the exit code is the HTTP
status modulo 256, 41 without a sign-in, and 0 after SIGTERM. No cost is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from orch.agents import output
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Program, maker
from orch.model.report import Action, Capabilities, Failure, Report

PLUGIN_API = 1

_OBJECT = re.compile(rb"^\{", re.MULTILINE)
_ATTEMPT = re.compile(r"^Attempt \d+ failed: (.{1,500})", re.MULTILINE)
_OBJECTS = 20


def read(stdout: bytes, stderr: bytes) -> Report:
    session = model = ""
    texts: list[str] = []
    stats: dict[str, Any] = {}
    errors: list[Failure] = []
    closed = False
    for one in output.records(stdout):
        session = output.words(one, "session_id") or session
        kind = one.get("type")
        if kind == "init":
            model = output.words(one, "model")
        elif kind == "message" and one.get("role") == "assistant":
            texts.append(output.words(one, "content"))
        elif kind in ("tool_use", "tool_result"):
            texts = []
        elif kind == "result" or (kind is None and ("response" in one or "stats" in one)):
            stats, closed = output.table(one, "stats"), True
            texts = [output.words(one, "response")] if "response" in one else texts
        if one.get("error") or one.get("status") == "error":
            errors.append(_error(one.get("error")))
    errors += _on_stderr(stderr, closed=closed)
    models = output.table(stats, "models")
    tokens = [output.table(one, "tokens") for one in models.values()]
    flat = output.count(stats, "input_tokens") is not None
    return Report(
        text="".join(texts),
        session=session,
        model=model or _busiest(models),
        tokens_in=_sum(stats, "input_tokens", flat, tokens, "prompt"),
        tokens_out=_sum(stats, "output_tokens", flat, tokens, "candidates"),
        cached_in=_sum(stats, "cached", flat, tokens, "cached"),
        cached_within=True,
        duration_ms=output.count(stats, "duration_ms"),
        denials=tuple(_denied(stats)),
        failure=output.worst(errors),
        closed=closed or bool(errors),
    )


def _sum(
    stats: dict[str, Any], name: str, flat: bool, tokens: list[dict[str, Any]], per_model: str
) -> int | None:
    if flat:
        return output.count(stats, name)
    found: int | None = output.total(*(output.count(one, per_model) for one in tokens))
    return found


def _busiest(models: dict[str, Any]) -> str:
    """The one with most tokens: a small one only routes."""
    by_use = {name: output.count(one, "tokens", "total") or 0 for name, one in models.items()}
    return max(by_use, key=lambda name: by_use[name])[:200] if by_use else ""


def _error(error: Any) -> Failure:
    """`message` may be JSON once more."""
    told = output.words(error, "message") or (error if isinstance(error, str) else "")
    deeper = output.table(output.decoded(told), "error") if told[:1] == "{" else {}
    status = output.count(deeper, "code") or output.count(error, "code")
    if status is not None and status < 100:  # its own exit code: 41 is "no way to sign in"
        return output.failed(told, named="auth" if status == 41 else "")
    return output.failed(output.words(deeper, "message") or told, status=status)


def _on_stderr(stderr: bytes, *, closed: bool) -> list[Failure]:
    """The error object, which stands last; without one the last of the attempts it tells of."""
    tail = output.end_of(stderr)
    for match in list(_OBJECT.finditer(tail))[:-_OBJECTS:-1]:
        found = output.decoded(tail[match.start() :].strip())
        if isinstance(found, dict) and found.get("error"):
            return [_error(found["error"])]
    told = _ATTEMPT.findall(tail.decode("utf-8", "replace"))
    if told and not closed:
        return [output.failed(told[-1], named="rate_limit" if "quota" in told[-1] else "")]
    return []


def _denied(stats: dict[str, Any]) -> list[dict[str, Any]]:
    by_name = output.table(stats, "tools", "byName")
    return [
        output.denial(name[:200], {}, "rejected")
        for name, one in by_name.items()
        if output.count(one, "decisions", "reject")
    ]


def acts(record: dict[str, Any]) -> Iterator[Action]:
    """What a record of the stream says that it does."""
    kind = record.get("type")
    if kind == "message" and record.get("role") == "assistant":
        part = record.get("delta") is True
        yield from output.message(output.words(record, "content"), part=part)
    elif kind == "tool_use":
        yield output.call(output.words(record, "tool_name"), output.table(record, "parameters"))
    elif kind == "tool_result" and record.get("status") == "error":
        told = output.words(record, "error", "message") or output.words(record, "output")
        yield from output.wrong(told)
    elif kind == "error" or (kind == "result" and record.get("status") == "error"):
        error = record.get("error") or record.get("message")
        yield from output.wrong(_error(error).words)
    if kind == "result":
        stats = output.table(record, "stats")
        found = (output.count(stats, name) for name in ("input_tokens", "output_tokens", "cached"))
        yield from output.used(*found, within=True)


def _line(call: Call) -> Line:
    return Line(("-o", "stream-json", "--yolo", *call.chosen))


PROGRAM = Program(
    "gemini", _line, read,
    takes=(
        "GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION", "GOOGLE_GENAI_USE_VERTEXAI",
    ),
    sets={"GEMINI_CLI_TRUST_WORKSPACE": "true"},
    can=Capabilities(stream=True, resume=True, cost="tokens", tool_rules=True),
    signs=Signs(("GEMINI_API_KEY", "GOOGLE_API_KEY"), ("oauth_creds.json",), ".gemini"),
    acts=acts,
    proven="0.61.0", install="npm install -g @google/gemini-cli", sign_in="gemini",
)  # fmt: skip
make = maker(PROGRAM)
