"""The pieces that the readers of the agent programs' outputs are made of.

Invariant: whatever bytes come in, a reader ends, in time linear in their number, and raises nothing.
What is not a record of the expected shape is passed over; nothing in it counts (H1, H7).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from orch.agents import failure
from orch.agents.words import one_line, printable
from orch.model.report import Action, Failure, Report

Reader = Callable[[bytes, bytes], Report]
"""(stdout, stderr) of an ended program -> what they say."""

LINE_LIMIT = 8 * 1024 * 1024
"""Bytes of one record; a longer one is passed over."""
END_LIMIT = 64 * 1024
TEXT_LIMIT = 1024 * 1024
"""Characters of a last message that are kept: the last ones."""
_STATUS = re.compile(r"(?:\bstatus(?: code)?:? |\bAPI Error: (?:\D{0,60}\()?|^)([45]\d\d)\b")


def records(stdout: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of an output, in order: of one array or object that is the whole of it, else
    those that stand on a line of their own."""
    text = stdout.strip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] in (b"[", b"{") and len(text) <= 4 * LINE_LIMIT:
        whole = decoded(text)
        if isinstance(whole, dict):
            yield whole
            return
        if isinstance(whole, list):
            yield from (one for one in whole if isinstance(one, dict))
            return
    for line in text.split(b"\n"):
        line = line.strip()
        if line[:1] == b"{" and line[-1:] == b"}" and len(line) <= LINE_LIMIT:
            one = decoded(line)
            if isinstance(one, dict):
                yield one


def decoded(text: bytes | str) -> Any:
    """The JSON value, or None."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def took(written: bytes, message: str) -> bool:
    """Whether records say that this message has become a part of the conversation: `orch.ports.Took`
    of programs whose hook or client writes `{"type": "prompt", "text"}`."""
    wanted = message.strip()
    return any(
        one.get("type") == "prompt" and words(one, "text").strip() == wanted
        for one in records(written)
    )


def quoted(text: str) -> str:
    """As a string in JSON, and so in TOML."""
    return json.dumps(text, ensure_ascii=False)


def inner(value: Any, *path: str) -> Any:
    """What stands below these keys, or None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def table(value: Any, *path: str) -> dict[str, Any]:
    found = inner(value, *path)
    return found if isinstance(found, dict) else {}


def rows(value: Any, *path: str) -> list[dict[str, Any]]:
    """The objects in the list that stands there."""
    found = inner(value, *path)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def words(value: Any, *path: str) -> str:
    """The text that stands there, without what no encoder takes; empty for anything else."""
    found = inner(value, *path)
    if not isinstance(found, str):
        return ""
    return found[-TEXT_LIMIT:].encode("utf-8", "replace").decode()


def count(value: Any, *path: str) -> int | None:
    """The whole number, not negative and of 63 bits, that stands there."""
    found = inner(value, *path)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    usable = isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**63
    return found if usable else None


def amount(value: Any, *path: str) -> float | None:
    """The number, not negative and finite, that stands there."""
    found = inner(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 2**63:
        return None
    return float(found) if math.isfinite(found) else None


def total(*counts: float | None) -> Any:
    """The sum of those that are known; None where none is."""
    known = [one for one in counts if one is not None]
    return sum(known) if known else None


_START = 4000
"""Characters of a text that are looked at: one line of it is shown."""
_FILES = ("file_path", "path", "filePath", "notebook_path")
_TOLD = ("command", "cmd", "pattern", "query", "url", "prompt", "description")
_EDITS = ("edit", "write", "patch", "replace", "create", "notebook")


def message(text: str, *, part: bool = False) -> Iterator[Action]:
    """An agent's words, where there are any; the blanks at the ends of a `part` are words too."""
    line = printable(text[:_START]) if part else one_line(text[:_START])
    if line:
        yield Action(kind="message", text=line, part=part)


def wrong(text: str, tool: str = "") -> Iterator[Action]:
    """What went wrong, in the words that a record has for it."""
    yield Action(
        kind="failed", text=one_line(text[:_START]) or "no reason is given", tool=one_line(tool, 60)
    )


def used(
    tokens_in: int | None,
    tokens_out: int | None,
    cached_in: int | None,
    *,
    within: bool = False,
    usd: float | None = None,
    call: str = "",
) -> Iterator[Action]:
    """The tokens that a record tells, if it tells any that are not 0. `within`: `tokens_in` has those
    that were read from a cache too. Without `call` it is all so far."""
    found = Report(
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cached_in=cached_in,
        cached_within=within,
        usd=usd,
    ).usage()
    if any(found.values()):
        told = [f"{found[name]:,} {word}" for name, word in _USED.items() if name in found]
        told += [f"${usd:.4f}"] if usd else []
        text = ", ".join(told)
        yield Action(
            kind="usage", text=text if call else f"in all {text}", used=found, call=call[:200]
        )


_USED = {"input_tokens": "in", "cache_read_input_tokens": "cached", "output_tokens": "out"}


def call(tool: str, given: dict[str, Any]) -> Action:
    """A tool's call in a few words: what it is called with matters, not how the tool names it."""
    named = next((words(given, key) for key in _FILES if words(given, key)), "")
    if named and any(word in tool.lower() for word in _EDITS):
        return Action(kind="edit", text=one_line(named[:_START]), tool=one_line(tool, 60))
    told = next((words(given, key) for key in _TOLD if words(given, key)), named)
    if not told and given:
        told = json.dumps(given, ensure_ascii=False, default=str)
    return Action(kind="tool", text=one_line(told[:_START]), tool=one_line(tool, 60))


_BY_STATUS = {401: "auth", 402: "billing", 403: "auth", 413: "context_overflow", 429: "rate_limit"}
_OUTRANK = frozenset({"billing", "context_overflow", "unknown_model"})
"""Classes whose words say more than a status does."""
_TELLING: dict[str, tuple[str, ...]] = {
    "usage_window": (
        r"\busage limit\b", r"\b(?:hit|reached) your \S{0,20} ?limit\b",
        r"\b(?:5|five)[- ]hour limit\b", r"\bweekly limit\b",
    ),
    "billing": (r"\binsufficient_quota\b", r"^quota exceeded\W+check your plan\b"),
    "auth": (
        r"\bmissing environment variable\b", r"\b(?:please|to) (?:log|sign) ?in\b",
        r"\brun /login\b", r"\bno (?:credentials|auth(?:entication)? (?:method|token))\b",
    ),
    "server_error": (
        r"\boverloaded\b", r"\bhigh demand\b", r"\bstream (?:disconnected|closed|error)\b",
        r"\bservice unavailable\b", r"\binternal server error\b", r"\bserver had an error\b",
        r"\bconnection (?:error|reset|refused)\b", r"\bfetch failed\b",
        r"\bECONN(?:RESET|REFUSED)\b",
    ),
}  # fmt: skip
"""What the errors of these programs say beside what every program says (`orch.agents.failure`)."""


def failed(
    text: str, *, status: int | None = None, named: str = "", retry_at: float | None = None,
    model: str = "",
) -> Failure:  # fmt: skip
    """The failure that an error field speaks of: `text` is known to be an error's own words, `status`
    its HTTP status, `named` the class that another field names (H7, H13)."""
    if text.lstrip().startswith("{"):
        text = (
            failure.of_error(text).words or text
        )  # a slice of JSON says nothing to a person (H11)
    by_words = failure.by_words([text], default="").code if text else ""
    for code, patterns in _TELLING.items():
        if by_words not in _OUTRANK and re.search("|".join(patterns), text, re.IGNORECASE):
            by_words = code
            break
    if status is None:
        found = _STATUS.search(text)
        status = int(found[1]) if found else None
    code = by_words if by_words in _OUTRANK or by_words == "usage_window" else ""
    code = code or named or _BY_STATUS.get(status or 0, "")
    if not code and status is not None and status >= 500:
        code = "server_error"
    return Failure(
        code=code or by_words, words=one_line(text, 600), retry_at=retry_at, model=model[:200]
    )


def denial(tool: str, given: dict[str, Any], reason: str) -> dict[str, Any]:
    """A tool call that was refused, in the one form that all readers give."""
    return {"tool_name": tool, "tool_input": given, "reason": one_line(reason)}


def end_of(stderr: bytes) -> bytes:
    """The part of an error channel in which a program says why it ended."""
    return stderr[-END_LIMIT:]


def worst(found: list[Failure]) -> Failure | None:
    """The last failure that names a class; without one the last of all (H13)."""
    if not found:
        return None
    return next((one for one in reversed(found) if one.code), found[-1])
