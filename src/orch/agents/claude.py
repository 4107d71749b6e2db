"""Claude Code: `claude -p --output-format stream-json` (or `json`); also what speaks its form.

Source: real output of 2.1.x. `subtype` is "success" on API errors too: `is_error`,
`api_error_status` and `terminal_reason` decide. A limit's end is `resetsAt` of `rate_limit_event`,
not the text.
"""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from orch.agents import hooks, instructions, output
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Options as Options, Program, Refusal, maker, on_the_line
from orch.model.attempt import AgentRequest
from orch.model.report import Action, Capabilities, Failure, Report

PLUGIN_API = 1

_ENDINGS = {
    "error_max_turns": "max_turns", "max_turns": "max_turns",
    "error_max_budget_usd": "budget", "budget_exhausted": "budget",
    "prompt_too_long": "context_overflow",
}  # fmt: skip
_NAMED = {
    "rate_limit": "rate_limit", "rate_limit_error": "rate_limit",
    "overloaded_error": "server_error", "api_error": "server_error", "server_error": "server_error",
    "authentication_error": "auth", "permission_error": "auth", "authentication_failed": "auth",
    "billing_error": "billing", "not_found_error": "unknown_model",
    "request_too_large": "context_overflow",
}  # fmt: skip


def read(stdout: bytes, stderr: bytes) -> Report:
    """What a stream, a list of its records, or its last record alone says."""
    last: dict[str, Any] = {}
    session = model = said = ""
    limit: dict[str, Any] = {}
    for one in output.records(stdout):
        kind = one.get("type")
        if kind == "result":
            last = one
        elif kind == "system" and one.get("subtype") == "init":
            model = output.words(one, "model")
        elif kind == "rate_limit_event":
            limit = output.table(one, "rate_limit_info")
        elif kind == "assistant":
            said = _text(one) or said
        session = output.words(one, "session_id") or session
    text, inside = output.words(last, "result"), last.get("result")
    if isinstance(inside, dict):  # an answer of an agreed shape (H5)
        text = json.dumps(inside, ensure_ascii=False)
    used = output.table(last, "usage")
    return Report(
        text=text or ("" if last.get("is_error") is True else said),
        session=session,
        model=model or next(iter(output.table(last, "modelUsage")), "")[:200],
        tokens_in=_tokens(last, used, "input_tokens", "inputTokens"),
        tokens_out=_tokens(last, used, "output_tokens", "outputTokens"),
        cached_in=_tokens(last, used, "cache_read_input_tokens", "cacheReadInputTokens"),
        usd=output.amount(last, "total_cost_usd"),
        duration_ms=output.count(last, "duration_ms"),
        denials=tuple(output.rows(last, "permission_denials")),
        failure=_failure(last, limit, model),
        closed=bool(last),
    )


def _failure(last: dict[str, Any], limit: dict[str, Any], model: str) -> Failure | None:
    subtype = output.words(last, "subtype")
    if last.get("is_error") is not True and not subtype.startswith("error"):
        return None
    listed = last.get("errors")
    told = (
        output.words(last, "error", "message") or output.words(last, "error")
        or output.words(last, "result")
        or (str(listed[0]) if isinstance(listed, list) and listed else "")
    )  # fmt: skip
    named = _ENDINGS.get(output.words(last, "terminal_reason")) or _ENDINGS.get(subtype)
    if named:
        return output.failed(told or subtype, named=named, model=model)
    kind = _NAMED.get(output.words(last, "api_error_type"), "")
    retry_at = None
    if limit.get("status") == "rejected":
        kind, retry_at = "usage_window", output.amount(limit, "resetsAt")
    return output.failed(
        told, status=output.count(last, "api_error_status"), named=kind, retry_at=retry_at,
        model=model,
    )  # fmt: skip


def _text(record: dict[str, Any]) -> str:
    """The words of an assistant's message; a synthetic one is the program's own report."""
    if output.words(record, "message", "model") == "<synthetic>":
        return ""
    parts = output.rows(record, "message", "content")
    return "\n".join(output.words(part, "text") for part in parts if part.get("type") == "text")


def _tokens(last: dict[str, Any], used: dict[str, Any], name: str, per_model: str) -> int | None:
    """Of the whole attempt: `usage`, else the sum over the models."""
    found = output.count(used, name)
    models = output.table(last, "modelUsage").values()
    if found is None:
        found = output.total(*(output.count(one, per_model) for one in models))
    return found


def acts(record: dict[str, Any]) -> Iterator[Action]:
    """What a record of the stream says that it does. A message's tokens are those it began with: what
    is written is known at the end only."""
    yield from doings(record)
    for used, call in counted(record):
        written = None if call else output.count(used, "output_tokens")
        yield from output.used(
            output.count(used, "input_tokens"), written,
            output.count(used, "cache_read_input_tokens"), call=call,
            usd=output.amount(record, "total_cost_usd"),
        )  # fmt: skip


def counted(record: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The usage that a record counts, where it counts any, and of which message; that of the last
    record is of all of them, and of none."""
    if record.get("type") == "result":
        yield output.table(record, "usage"), ""
    elif record.get("type") == "assistant":
        call = output.words(record, "message", "id") or "?"
        yield output.table(record, "message", "usage"), call


def doings(record: dict[str, Any]) -> Iterator[Action]:
    """The same but what is used."""
    kind, parts = record.get("type"), output.rows(record, "message", "content")
    if kind == "assistant" and output.words(record, "message", "model") == "<synthetic>":
        yield from output.wrong(" ".join(output.words(part, "text") for part in parts))
    elif kind == "assistant":
        for part in parts:
            if part.get("type") == "text":
                yield from output.message(output.words(part, "text"))
            elif part.get("type") == "tool_use":
                yield output.call(output.words(part, "name"), output.table(part, "input"))
    elif kind == "user":
        for part in parts:
            if part.get("type") == "tool_result" and part.get("is_error") is True:
                told = " ".join(output.words(one, "text") for one in output.rows(part, "content"))
                yield from output.wrong(output.words(part, "content") or told)
    elif kind == "result" and output.words(record, "subtype").startswith("error"):
        failure = _failure(record, {}, "")
        yield from output.wrong(failure.words if failure is not None else "")
    elif record.get("subtype") == "api_retry":
        status = output.count(record, "error_status")
        again = output.count(record, "attempt")
        yield Action(kind="retry", text=f"no answer ({status or 'none'}), attempt {again or '?'}")


# --- how it is started


TOOLS = ("Bash", "Edit", "Write", "NotebookEdit", "WebFetch", "WebSearch")
"""What an autonomous one may use without a word; the rules that forbid come first."""


def line(call: Call) -> Line:
    """`acceptEdits` and a list of tools, and not `bypassPermissions`: rules hold, and root may too.

    Settings, hooks and servers that the repository brings along would run with the agent's rights
    (they do, also without a person's word): they are left out unless the repository is trusted. Its
    instructions (CLAUDE.md) go with them, and are handed in as text.
    """
    request = call.request
    interactive = () if call.interactive else ("-p", "--output-format", "stream-json", "--verbose")
    free = () if call.supervised else ("--allowedTools", *TOOLS)
    deny = ("--disallowedTools", *call.deny) if call.deny else ()
    which = (
        ("--resume", request.session) if request.session else ("--session-id", _session(request))
    )
    words = [*interactive, "--permission-mode", "acceptEdits", *which, *call.chosen, *free, *deny]
    files: dict[str, str] = {}
    if not request.trusted:
        words += ["--setting-sources", "user", "--strict-mcp-config"]
        told = instructions.of(request.worktree.path, "CLAUDE.md", "AGENTS.md")
        if told:
            files[instructions.FILE] = told
            words += ["--append-system-prompt-file", f"{request.directory}/{instructions.FILE}"]
    settings = hooks.settings(call)
    if settings:
        words += ["--settings", json.dumps(settings)]
    if call.interactive:
        words += ["--", on_the_line(request)]
    return Line(tuple(words), files=files)


def _session(request: AgentRequest) -> str:
    """Known before it begins: also that of an attempt that was lost can be gone on with."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{request.run}/{request.attempt}"))


def refuses(call: Call, environ: Mapping[str, str]) -> Refusal | None:
    """An interactive one asks before it begins whether a folder is trusted, and a key is meant; what
    is typed then would be the answer (H108). A worktree is trusted with its main checkout."""
    if not call.interactive:
        return None
    home = environ.get("CLAUDE_CONFIG_DIR") or environ.get("HOME", "")
    settings = _read(f"{home}/.claude.json")
    start = f"(cd {shlex.quote(call.request.checkout or call.request.worktree.path)} && claude)"
    if settings.get("hasCompletedOnboarding") is not True:
        return Refusal("Claude Code was never set up here", start)
    trusted = output.table(settings, "projects", call.request.checkout)
    if trusted.get("hasTrustDialogAccepted") is not True:
        return Refusal(f"it asks first whether {call.request.checkout} is trusted", start)
    key = environ.get("ANTHROPIC_API_KEY", "")
    approved = output.inner(settings, "customApiKeyResponses", "approved")
    if key and key[-20:] not in (approved if isinstance(approved, list) else ()):
        return Refusal("it asks first whether the key in ANTHROPIC_API_KEY is meant", start)
    return None


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            found = output.decoded(file.read(64 * 1024 * 1024))
    except OSError:
        return {}
    return found if isinstance(found, dict) else {}


PROGRAM = Program(
    "claude", line, read, refuses=refuses, took=output.took, flag="--model",
    takes=(
        "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL",
        "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR",
    ),
    sets={"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"},
    can=Capabilities(
        stream=True, resume=True, messages=True, questions=True, cost="usd", tool_rules=True,
        limits=True,
    ),
    signs=Signs(("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
                (".credentials.json",), ".claude", "CLAUDE_CONFIG_DIR"),
    acts=acts,
    proven="2.1.329", install="npm install -g @anthropic-ai/claude-code", sign_in="claude auth login",
)  # fmt: skip
make = maker(PROGRAM)
