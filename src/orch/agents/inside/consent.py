"""What a tool call of an agent is, in words and by rules, and which of the offered answers fits.

Invariant: pure; no guess in favour of a call: where it is not told what would be run or changed, a
rule holds against everything that is told of it. Standard library only.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orch.agents import rules

ALLOW = ("allow_once", "allow_always")
REJECT = ("reject_once", "reject_always")
_KINDS = {
    "Bash": ("execute",), "Read": ("read", "search"), "Grep": ("search",), "Glob": ("search",),
    "Write": ("edit", "delete", "move"), "Edit": ("edit", "delete", "move"),
    "WebFetch": ("fetch",), "WebSearch": ("fetch", "search"),
}  # fmt: skip
"""Tools as rules name them, and the kinds of the Agent Client Protocol."""
_COMMANDS = ("command", "cmd", "script")
_PATHS = ("file_path", "filePath", "path", "filepath", "notebook_path", "absolute_path")
_APART = re.compile(r"\|\||&&|[;|&\n`()]|\$\(")
_BEFORE = re.compile(r"(?:\w+=\S*\s+|(?:sudo|command|env|exec|nohup|time|then|do|else)\s+)+")
_KNOWN = frozenset({"execute", "read", "search", "edit", "delete", "move", "fetch", "think"})


def choose(options: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> str:
    """The id of the first option of the first of `kinds` that is offered; empty for none."""
    for kind in kinds:
        for option in options:
            if option.get("kind") == kind and isinstance(option.get("optionId"), str):
                return str(option["optionId"])
    return ""


def given(call: Mapping[str, Any]) -> dict[str, Any]:
    """What a call is made with: its raw input, else a JSON object that its content shows."""
    raw = call.get("rawInput")
    if isinstance(raw, dict) and raw:
        return raw
    for text in _texts(call):
        if text.lstrip().startswith("{"):
            try:
                found = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                return found
    return {}


def command(call: Mapping[str, Any]) -> str:
    """The command that a call would run; empty where none is told."""
    for name in _COMMANDS:
        value = given(call).get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, list) and value:
            return " ".join(str(word) for word in value)
    return ""


def paths(call: Mapping[str, Any]) -> list[str]:
    """The files that a call says it is about."""
    found = [given(call).get(name) for name in _PATHS]
    for name in ("locations", "content"):
        rows = call.get(name)
        if isinstance(rows, list):
            found += [row.get("path") for row in rows if isinstance(row, dict)]
    return list(dict.fromkeys(path for path in found if isinstance(path, str) and path))


def forbidden(call: Mapping[str, Any], deny: Sequence[str], folder: str) -> str:
    """The first rule `Tool(pattern)` that holds against a call in `folder`; empty for none."""
    return next((one for one in deny if _holds(rules.read(one.strip()), call, folder)), "")


def sentence(agent: str, call: Mapping[str, Any]) -> str:
    """What an agent wants, for a person who has to decide."""
    run, files, kind = command(call), paths(call), call.get("kind")
    title = _line(str(call.get("title") or "")) or "a tool"
    if kind == "execute" and not run and " " in title:
        run = title  # some tell it nowhere else
    if run:
        return f"{agent} wants to run: {_line(run)}"
    verb = {"edit": "change", "delete": "delete", "move": "move", "read": "read"}.get(str(kind))
    if verb and files:
        return f"{agent} wants to {verb} {_line(', '.join(files))} ({title})"
    told = next((_line(text) for text in _texts(call) if text.strip()), "")
    about = _line(", ".join(files)) or told
    return f"{agent} wants to use {title}" + (f": {about}" if about else "")


def _line(text: str, limit: int = 300) -> str:
    words = " ".join("".join(filter(str.isprintable, word)) for word in text.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def _texts(call: Mapping[str, Any]) -> Iterator[str]:
    rows = call.get("content")
    for row in rows if isinstance(rows, list) else []:
        inside = row.get("content") if isinstance(row, dict) else None
        text = inside.get("text") if isinstance(inside, dict) else None
        if isinstance(text, str):
            yield text


def _holds(rule: rules.Rule, call: Mapping[str, Any], folder: str) -> bool:
    tool, pattern = rule
    if not tool:
        return False
    kinds = _KINDS.get(tool)
    kind = call.get("kind") if isinstance(call.get("kind"), str) else None
    title = str(call.get("title") or "")
    if kinds is None:
        return title.casefold().startswith(tool.casefold()) and _any(pattern, [title])
    if kind in _KNOWN and kind not in kinds and not (tool == "Bash" and command(call)):
        return False
    if pattern in ("", "*"):
        return kind in kinds or title.casefold().startswith(tool.casefold())
    if tool == "Bash":
        run = command(call)
        if run:
            return _any(pattern, _parts(run))
        told = [*_texts(call), title] if kind in (*kinds, None, "other") else []
        return any(_within(pattern, text) for text in told)
    if tool in ("Read", "Write", "Edit"):
        return any(_below(pattern, path, folder) for path in paths(call))
    return _any(pattern, [str(value) for value in given(call).values()] or [title])


def _any(pattern: str, texts: Sequence[str]) -> bool:
    return not pattern or any(fnmatch.fnmatchcase(text, pattern) for text in texts)


def _parts(run: str) -> list[str]:
    """The whole command and the simple ones in it, each without what only stands before it."""
    simple = [_BEFORE.sub("", part.strip(), count=1) for part in _APART.split(run)]
    return [run.strip(), *filter(None, simple)]


def _within(pattern: str, text: str) -> bool:
    """Whether it stands anywhere in words about a call, after the beginning of a word."""
    body = fnmatch.translate(pattern).removesuffix(r"\Z").removesuffix(r"\z")
    return re.search(rf"(?:^|[\s;&|`(:\"']){body}", text) is not None


def _below(pattern: str, path: str, folder: str) -> bool:
    """A pattern that begins with a slash is the file system's, another one `folder`'s."""
    root = os.path.join(folder, pattern)
    whole = os.path.normpath(os.path.join(folder, path))
    if root.endswith("/**"):
        return f"{whole}/".startswith(f"{os.path.normpath(root[:-3])}/")
    return fnmatch.fnmatchcase(whole, os.path.normpath(root))
