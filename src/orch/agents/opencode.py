"""opencode: `opencode run --format json`.

Source: real output of 1.18. Tokens and cost come with each step; errors have the shapes `message`, a
text, `data.message` and `name` alone. It retries some errors in silence, for ever. What it would ask
a person, `--auto` allows; what is forbidden are rules in `OPENCODE_PERMISSION`, where the last one
that fits decides. Without trust `OPENCODE_DISABLE_PROJECT_CONFIG` keeps the repository's settings,
servers and plugins out (and keeps opencode from writing into `.opencode/`); of what the repository
says `AGENTS.md` alone is read then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from orch.agents import output, rules
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Options as Options, Program, maker
from orch.model.report import Action, Capabilities, Failure, Report

PLUGIN_API = 1


def read(stdout: bytes, stderr: bytes) -> Report:
    session, closed = "", False
    texts: list[str] = []
    steps: list[dict[str, Any]] = []
    errors: list[Failure] = []
    denials: list[dict[str, Any]] = []
    first = last = None
    for one in output.records(stdout):
        kind, part = one.get("type"), output.table(one, "part")
        session = output.words(one, "sessionID") or session
        at = output.amount(one, "timestamp")
        first, last = (at if first is None else first), (at if at is not None else last)
        if kind == "text":
            texts.append(output.words(part, "text"))
        elif kind == "step_start":
            texts = texts if not steps else []
        elif kind == "step_finish":
            steps.append(part)
            closed, errors = part.get("reason") != "tool-calls", []
        elif kind == "error":
            errors.append(_error(one.get("error"), at))
            closed = True
        elif kind == "tool_use":
            denials += _denied(part)
    spent = None if first is None or last is None else max(0, int(last - first))
    cached = output.total(*(output.count(step, "tokens", "cache", "read") for step in steps))
    return Report(
        text="".join(texts),
        session=session,
        tokens_in=output.total(*(output.count(step, "tokens", "input") for step in steps)),
        tokens_out=output.total(*(output.count(step, "tokens", "output") for step in steps)),
        cached_in=cached,
        usd=output.total(*(output.amount(step, "cost") for step in steps)),
        duration_ms=spent,
        denials=tuple(denials),
        failure=output.worst(errors),
        closed=closed,
    )


def _error(error: Any, at: float | None) -> Failure:
    name = output.words(error, "name")
    told = (
        output.words(error, "data", "message") or output.words(error, "message")
        or (error if isinstance(error, str) else "") or name
    )  # fmt: skip
    wait = output.words(error, "data", "responseHeaders", "retry-after")
    body = output.words(error, "data", "responseBody")
    named = "context_overflow" if name == "ContextOverflowError" else ""
    if name == "ProviderAuthError":
        named = "auth"
    if '"insufficient_quota"' in body:
        named = "billing"
    status = output.count(error, "data", "statusCode")
    if named == "billing":
        status = None
    retry_at = at / 1000 + int(wait) if wait.isdecimal() and len(wait) < 9 and at else None
    return output.failed(told, status=status, named=named, retry_at=retry_at)


def _denied(part: dict[str, Any]) -> list[dict[str, Any]]:
    state = output.table(part, "state")
    said = output.words(state, "error")
    refused = "rejected permission" in said or "rule which prevents" in said
    if state.get("status") != "error" or not refused:
        return []
    return [output.denial(output.words(part, "tool"), output.table(state, "input"), said)]


def acts(record: dict[str, Any]) -> Iterator[Action]:
    """What a record of the stream says that it does."""
    part = output.table(record, "part")
    if record.get("type") == "text":
        yield from output.message(output.words(part, "text"))
    elif record.get("type") == "tool_use":
        tool, state = output.words(part, "tool"), output.table(part, "state")
        yield output.call(tool, output.table(state, "input"))
        code = output.count(state, "metadata", "exit")
        if state.get("status") == "error":
            yield from output.wrong(output.words(state, "error"), tool)
        elif code:
            told = output.words(state, "output").strip()
            yield from output.wrong(f"exit code {code}: {told}", tool)
    elif record.get("type") == "step_finish":
        yield from output.used(
            output.count(part, "tokens", "input"), output.count(part, "tokens", "output"),
            output.count(part, "tokens", "cache", "read"), usd=output.amount(part, "cost"),
            call=output.words(part, "messageID") or "?",
        )  # fmt: skip
    elif record.get("type") == "error":
        yield from output.wrong(_error(record.get("error"), None).words)


_KEYS = {
    "Write": "edit", "MultiEdit": "edit", "NotebookEdit": "edit", "Agent": "task",
    "TodoWrite": "todowrite", "WebFetch": "webfetch", "WebSearch": "websearch",
}  # fmt: skip


def _permission(deny: tuple[str, ...]) -> str:
    """Rules that only forbid. Their keys end in a star: so they stand behind a person's own rules for
    the same tool, and replace none of them."""
    table: dict[str, dict[str, str]] = {}
    for rule in map(rules.read, deny):
        key, pattern = _KEYS.get(rule.tool, rule.tool.lower()), rule.pattern or "*"
        if rule.tool == "WebFetch" and pattern.startswith("domain:"):
            pattern = f"*{pattern.removeprefix('domain:')}*"
        elif pattern.startswith("/") and rule.tool != "Bash":
            key = "external_directory"  # a file outside of the worktree is asked for by its folder
        table.setdefault(f"{key}*", {})[pattern] = "deny"
    return json.dumps(table)


def _line(call: Call) -> Line:
    request = call.request
    env = {"OPENCODE_PERMISSION": _permission(call.deny)}
    if not request.trusted:
        env["OPENCODE_DISABLE_PROJECT_CONFIG"] = "1"
        told = {"instructions": [f"{request.worktree.path}/AGENTS.md"]}
        env["OPENCODE_CONFIG_CONTENT"] = json.dumps(told)
    going_on = ("--session", request.session) if request.session else ()
    return Line(("run", "--format", "json", "--auto", *going_on, *call.chosen), env)


PROGRAM = Program(
    "opencode", _line, read,
    takes=(
        "OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR", "OPENCODE_API_KEY", "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    ),
    sets={"OPENCODE_DISABLE_AUTOUPDATE": "1"},
    can=Capabilities(stream=True, resume=True, cost="usd", tool_rules=True),
    signs=Signs(("OPENCODE_API_KEY",)),
    acts=acts,
    proven="1.18.33", install="npm install -g opencode-ai", sign_in="opencode auth login",
)  # fmt: skip
make = maker(PROGRAM)
