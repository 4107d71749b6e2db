"""The hook of Claude Code and Codex: `python -I -S hook.py DIRECTORY WORKTREE MODE…`, JSON on stdin.

MODE `ask`: before a tool is used that does more than read or edit in the worktree, a person is asked
(`PreToolUse`). MODE `tell`: a program that owns its terminal writes what it does into the attempt's
`stdout`, in the form of its headless stream: the conversation's records out of its transcript, each
message that it took (`{"type": "prompt"}`), and a `result` when its turn is over; the wrapper is told
of both over the pipe `turn`.

Invariant: it never answers in the person's place, and where it fails nothing is allowed that would
not have been (a hook that ends with 2 forbids). Standard library only.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

FREE = frozenset({
    "Read", "Grep", "Glob", "LS", "NotebookRead", "TodoWrite", "TaskCreate", "TaskUpdate",
    "TaskList", "TaskGet", "ToolSearch", "Task", "Skill", "ReportFindings", "ListAgents",
    "update_plan", "view_image",
})  # fmt: skip
"""Tools that change nothing outside of the conversation."""
EDITS = frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"})
BLOCK = 4 * 1024 * 1024
"""Bytes of a transcript that are read at once; the next call goes on."""
FORBID = 2
LATE_S = 2.0
"""How long the last words of a turn may be in coming."""


def main(words: list[str]) -> int:
    directory, worktree, *modes = words
    try:
        told = json.load(sys.stdin)
    except ValueError as error:
        sys.stderr.write(f"the hook was told no JSON: {error}\n")
        return FORBID
    event = told.get("hook_event_name")
    if "tell" in modes:
        tell(directory, event, told)
    if "ask" in modes and event == "PreToolUse" and asks(told, worktree):
        sys.stdout.write(json.dumps(decision(directory, told)))
    return 0


# --- ask


def asks(told: dict[str, Any], worktree: str) -> bool:
    """Whether a person is to be asked."""
    tool, given = told.get("tool_name"), told.get("tool_input")
    if tool in FREE:
        return False
    if tool in EDITS and isinstance(given, dict):
        path = given.get("file_path") or given.get("notebook_path")
        return not (isinstance(path, str) and _inside(path, worktree))
    return tool != "apply_patch"  # Codex applies it within its own sandbox


def _inside(path: str, worktree: str) -> bool:
    root = os.path.realpath(worktree)
    place = os.path.realpath(os.path.join(root, path))
    return place.startswith(root + os.sep) and f"{os.sep}.git" not in place[len(root) :]


def decision(directory: str, told: dict[str, Any]) -> dict[str, Any]:
    """What a person answered, as the program wants to hear it."""
    from orch.agents.inside import asking

    tool, given = str(told.get("tool_name")), told.get("tool_input")
    key = str(told.get("tool_use_id") or json.dumps(given, sort_keys=True))
    answer = asking.ask(directory, f"{told.get('session_id')} {key}", {
        "kind": "permission", "tool": tool, "text": sentence(tool, given),
        "input": bounded(given),
    })  # fmt: skip
    allowed = answer.get("decision") == "approve"
    said = str(answer.get("text") or "")
    reason = f"A person allowed it. {said}" if allowed else f"A person refused it. {said}"
    return {"hookSpecificOutput": {
        "hookEventName": "PreToolUse", "permissionDecision": "allow" if allowed else "deny",
        "permissionDecisionReason": reason.strip(),
    }}  # fmt: skip


def sentence(tool: str, given: Any) -> str:
    """What is asked, on one line."""
    for name in ("command", "file_path", "url", "query", "path"):
        if isinstance(given, dict) and name in given:
            value = given[name]
            text = " ".join(value) if isinstance(value, list) else str(value)
            return f"{tool}: {text[:500]}"
    return f"{tool}: {json.dumps(given)[:500]}"


def bounded(given: Any) -> dict[str, Any]:
    """The tool's arguments; long ones are cut."""
    if not isinstance(given, dict):
        return {}
    return {
        str(name)[:200]: value if len(json.dumps(value)) < 4096 else json.dumps(value)[:4096]
        for name, value in list(given.items())[:50]
    }


# --- tell


def tell(directory: str, event: object, told: dict[str, Any]) -> None:
    """Add to the attempt's `stdout`; one at a time."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(f"{directory}/told", flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _append(f"{directory}/stdout", list(_news(lock, event, told)))
        if event == "UserPromptSubmit":
            taken = {"type": "prompt", "text": told.get("prompt"),
                     "session_id": told.get("session_id")}  # fmt: skip
            _append(f"{directory}/stdout", [taken])
        elif event in ("Stop", "StopFailure"):
            _append(f"{directory}/stdout", [_result(directory, told)])
    finally:
        os.close(lock)
    if event == "UserPromptSubmit":
        _poke(directory, b"b")
    elif event in ("Stop", "StopFailure"):
        _poke(directory, b"o")


def _news(place: int, event: object, told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the transcript has got since the last call. At the end of a turn the program may not have
    written its last words yet: they are waited for, since nothing else tells of their tokens."""
    last = told.get("last_assistant_message") if event == "Stop" else None
    deadline = time.monotonic() + LATE_S
    while True:
        said = ""
        for record in _transcript(place, told.get("transcript_path")):
            said = _text(record) or said
            yield record
        if not isinstance(last, str) or said.strip() == last.strip():
            return
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)


def _text(record: dict[str, Any]) -> str:
    message = record.get("message")
    parts = message.get("content") if isinstance(message, dict) else None
    if record.get("type") != "assistant" or not isinstance(parts, list):
        return ""
    texts = [one.get("text") for one in parts if isinstance(one, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _transcript(place: int, path: Any) -> Iterator[dict[str, Any]]:
    """The records since the last call. `place` is a file that holds how far that went."""
    if not isinstance(path, str):
        return
    start = int(os.pread(place, 32, 0) or b"0")
    try:
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # it has not been begun
    try:
        while block := os.pread(source, BLOCK, start):
            end = block.rfind(b"\n") + 1
            if not end:
                break
            start += end
            for line in block[:end].splitlines():
                record = _decoded(line)
                if record.get("type") in ("assistant", "user") and not record.get("isMeta"):
                    yield {
                        "type": record["type"], "message": record.get("message"),
                        "session_id": record.get("sessionId"),
                    }  # fmt: skip
    finally:
        os.close(source)
    os.ftruncate(place, 0)
    os.pwrite(place, str(start).encode(), 0)


def _result(directory: str, told: dict[str, Any]) -> dict[str, Any]:
    """The last record, as the headless form has it. A turn that ended by an error names its kind."""
    failed = told.get("hook_event_name") == "StopFailure"
    words = told.get("last_assistant_message") or told.get("error_details") or ""
    return {
        "type": "result", "is_error": failed, "result": words,
        "session_id": told.get("session_id"), "subtype": "success",
        "api_error_type": told.get("error") if failed else None,
        "usage": _usage(f"{directory}/stdout"),
    }  # fmt: skip


def _usage(path: str) -> dict[str, int]:
    """The tokens of all answers that were told: of each answer once."""
    used: dict[object, dict[str, Any]] = {}
    try:
        with open(path, "rb") as file:
            for line in file:
                message = _decoded(line).get("message")
                if isinstance(message, dict) and isinstance(message.get("usage"), dict):
                    used[message.get("id")] = message["usage"]
    except FileNotFoundError:
        return {}
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens")
    return {
        name: sum(one[name] for one in used.values() if isinstance(one.get(name), int))
        for name in names
    }


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _append(path: str, lines: list[dict[str, Any]]) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    try:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        os.write(file, text.encode())
    finally:
        os.close(file)


def _poke(directory: str, what: bytes) -> None:
    """Tell the wrapper; where none listens, nothing waits for the turn's end."""
    try:
        pipe = os.open(f"{directory}/turn", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(pipe, what)
    finally:
        os.close(pipe)


def _run() -> int:
    # A script's package is not imported: an empty one in its place costs nothing.
    package = type(sys)("orch")
    package.__path__ = [__file__.rpartition("/agents/")[0]]
    sys.modules["orch"] = package
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(_run())
