"""Codex: `codex exec --json`.

Source: real output of 0.169. Errors have text only, no code; "Reconnecting…" comes as an error and
is none, and an error *item* stands in runs that go well. Its sandbox refuses without a record of its
own: the kernel's word in a command's output is all there is. A resumed thread counts its tokens from
the thread's beginning.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from orch.agents import hooks, instructions, output
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Options as Options, Program, maker
from orch.agents.words import one_line
from orch.model.report import Action, Capabilities, Failure, Report

PLUGIN_API = 1

_NOISE = re.compile(r"\s*reconnecting\b", re.IGNORECASE)
_SHELL = re.compile(r"(?:/\S*/)?(?:ba|z|da|)sh -l?c (.*)$", re.DOTALL)
_COMMAND = 4000
_USAGE = ("input_tokens", "output_tokens", "cached_input_tokens")
_HUSH = re.compile(
    rb"^warning: (?:untrusted project-local configuration|proceeding, even though)[^\n]*\n?",
    re.MULTILINE | re.IGNORECASE,
)
"""What it says beside its work: advice that we do not follow, and no reason for anything."""
_REFUSED = re.compile(r"^[^\n]{0,300}: Read-only file system$", re.MULTILINE)


def read(stdout: bytes, stderr: bytes) -> Report:
    session, text, closed = "", "", False
    used: dict[str, Any] = {}
    errors: list[Failure] = []
    denials: list[dict[str, Any]] = []
    for one in output.records(stdout):
        kind, item = one.get("type"), output.table(one, "item")
        if kind == "thread.started":
            session = output.words(one, "thread_id")
        elif kind == "turn.started":
            errors, closed = [], False
        elif kind == "turn.completed":
            used, closed, errors = output.table(one, "usage"), True, []
        elif kind in ("error", "turn.failed"):
            told = output.words(one, "error", "message") or output.words(one, "message")
            if not _NOISE.match(told) or kind == "turn.failed":
                errors.append(output.failed(told))
            closed = closed or kind == "turn.failed"
        elif kind == "item.completed" and item.get("type") == "agent_message":
            text = output.words(item, "text")
        elif kind == "item.completed":
            denials += _denied(item)
    return Report(
        text=text,
        session=session,
        tokens_in=output.count(used, "input_tokens"),
        tokens_out=output.count(used, "output_tokens"),
        cached_in=output.count(used, "cached_input_tokens"),
        cached_within=True,
        denials=tuple(denials),
        failure=output.worst(errors),
        closed=closed,
    )


def _denied(item: dict[str, Any]) -> list[dict[str, Any]]:
    """What was refused of a command or a change of files."""
    said = output.words(item, "aggregated_output")
    refused = _REFUSED.search(said) if item.get("type") == "command_execution" else None
    if item.get("status") != "declined" and refused is None:
        return []
    command = output.words(item, "command")
    given = {"command": one_line(command, 1000)} if command else {}
    reason = refused[0] if refused else "declined"
    return [output.denial(output.words(item, "type"), given, reason)]


def acts(record: dict[str, Any]) -> Iterator[Action]:
    """What a record of the stream says that it does."""
    item, kind = output.table(record, "item"), record.get("type")
    what = item.get("type")
    if kind == "item.started" and what == "command_execution":
        yield output.call("shell", {"command": _command(output.words(item, "command"))})
    elif kind == "item.started" and what == "mcp_tool_call":
        yield output.call(output.words(item, "tool"), output.table(item, "arguments"))
    elif kind == "item.completed" and what == "agent_message":
        yield from output.message(output.words(item, "text"))
    elif kind == "item.completed" and what == "file_change":
        names = [output.words(change, "path") for change in output.rows(item, "changes")]
        yield Action(kind="edit", text=one_line(", ".join(names)))
    if kind == "item.completed" and item.get("status") in ("failed", "declined"):
        yield from _wrong(item)
    elif kind == "error" and _NOISE.match(output.words(record, "message")):
        yield Action(kind="retry", text=one_line(output.words(record, "message")))
    elif kind == "turn.failed":
        yield from output.wrong(output.words(record, "error", "message"))
    elif kind == "turn.completed":
        found = (output.count(record, "usage", name) for name in _USAGE)
        yield from output.used(*found, within=True)


def _wrong(item: dict[str, Any]) -> Iterator[Action]:
    """An item that did not end well."""
    code, said = output.count(item, "exit_code"), output.words(item, "aggregated_output")
    told = said.strip() or output.words(item, "error", "message") or str(item.get("status"))
    exited = f"exit code {code}: " if code else ""
    tool = "shell" if item.get("type") == "command_execution" else output.words(item, "tool")
    yield from output.wrong(exited + told, tool or output.words(item, "type"))


def _command(line: str) -> str:
    """What is given to the shell, which always stands in front of it."""
    found = _SHELL.match(line)
    try:
        words = shlex.split(found[1]) if found and len(line) <= _COMMAND else []
    except ValueError:
        return line
    return words[0] if len(words) == 1 else line


def _line(call: Call) -> Line:
    """Its sandbox is stated each time: a conversation that is gone on with has another default. The
    repository's own settings are not read unless it is trusted, whatever a person once said of the
    checkout; the hook that asks is ours."""
    request = call.request
    words = ["exec", *(("resume", request.session) if request.session else ()), "--json"]
    words += ["-c", 'sandbox_mode="workspace-write"', *call.chosen]
    after = ""
    if not request.trusted:
        # As one table: a single key of it is ignored where a person trusts the checkout.
        place = output.quoted(request.worktree.path)
        words += ["-c", f'projects={{{place}={{trust_level="untrusted"}}}}']
        told = instructions.of(request.worktree.path, "AGENTS.md")  # which it does not read then
        after = f"This repository's instructions for agents (AGENTS.md):\n\n{told}" if told else ""
    if call.supervised:
        words += ["-c", f"hooks.PreToolUse={hooks.table(call)}", "--dangerously-bypass-hook-trust"]
    return Line((*words, "-"), after=after)


PROGRAM = Program(
    "codex", _line, read, thread_usage=True, hush=_HUSH,
    takes=("CODEX_HOME", "CODEX_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"),
    can=Capabilities(stream=True, resume=True, questions=True, cost="tokens", sandbox=True),
    signs=Signs(("OPENAI_API_KEY", "CODEX_API_KEY"), ("auth.json",), ".codex", "CODEX_HOME"),
    acts=acts,
    proven="0.169.0", install="npm install -g @openai/codex", sign_in="codex login",
)  # fmt: skip
make = maker(PROGRAM)
