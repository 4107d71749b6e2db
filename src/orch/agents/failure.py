"""Why a program failed: by its exit record, then by what it said in its error channel.

Invariant: words count only where a program reports an error: in an error field of structured output
or in a line that begins as an error report, within the last 3,000 bytes of stderr. What the agent
works on (stdout, tables, logs, file names) never decides (H7, H9, H18). A program that ended well is
never asked (H10).

Order of classes, from SEED-CONTRACT "Response normalisation": timeout, missing tool, waiting for
input, permission denied, context overflow, rate limit, auth, unknown; billing and unknown model
stand before the last one. The first class that any error line supports wins, wherever it stands
(H8, H13).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from orch.agents.words import one_line, printable, tail
from orch.model.attempt import ExitRecord

TAIL = 3000
"""Bytes of the error channel that are looked at."""


class Cause(NamedTuple):
    """A failure class with one sentence's worth of words (may be empty) from the program itself."""

    code: str
    words: str = ""
    hint: str = ""

    @property
    def retry(self) -> bool:
        return self.code not in _FINAL


_FINAL = frozenset(
    {
        "missing_tool",
        "waiting_input",
        "permission_denied",
        "context_overflow",
        "auth",
        "stopped",
        "billing",
        "unknown_model",
    }
)
_HINTS = {
    "missing_tool": "install it, or correct the agent's command in config.toml",
    "waiting_input": 'an agent without a terminal cannot be asked; io = "tty" gives it one',
    "permission_denied": "check the modes of the files it named",
    "context_overflow": "give it a smaller task",
    "rate_limit": "wait, or use another agent",
    "auth": "sign the agent in, or pass its key with env or pass_env",
    "billing": "pay or raise the limit at the provider, or use another agent",
    "unknown_model": "name a model that the provider has, or none",
    "usage_window": "wait, or use another agent",
    "server_error": "try again later; its provider's status page says more",
    "max_turns": "give it a smaller task, or more turns",
    "budget": "raise the agent's own limit, or give it a smaller task",
    "timeout": "a larger timeout_s in config.toml gives it more time",
}
_WORDS: dict[str, tuple[str, ...]] = {
    "missing_tool": (
        r"command not found", r"\bspawn \S+ ENOENT", r"executable .{0,60}not found",
    ),
    "waiting_input": (
        r"waiting for (?:user )?input",
        r"(?:stdin|input device|standard input) is not a (?:tty|terminal)",
        r"requires? (?:a tty|a terminal|an? interactive)",
    ),
    "permission_denied": (
        r"permission denied", r"operation not permitted", r"\bEACCES\b", r"read-only file",
    ),
    "context_overflow": (
        r"context[ _]?(?:length|window|overflow)", r"contextoverflow",
        r"exceeds the maximum number of tokens", r"prompt(?: is |_)too[ _]long",
    ),
    "rate_limit": (
        r"too many requests", r"rate[ _.-]?limit", r"quota exceeded",
        r"exceeded your current quota", r"usage limit", r"\boverloaded\b",
        r"(?:status|code|error|http)[^0-9a-z]{1,3}(?:429|529)\b",
    ),
    "auth": (
        r"unauthorized", r"(?:invalid|incorrect|no|missing)[ _]api[ _]key", r"api key not valid",
        r"auth_error", r"authenticat(?:e|ion) (?:failed|error)", r"failed to authenticate",
        r"not logged in", r"(?:status|code|error|http)[^0-9a-z]{1,3}(?:401|403)\b",
    ),
    "billing": (
        r"credit balance", r"insufficient (?:credits?|funds|balance)", r"payment required",
        r"(?:status|code|error|http)[^0-9a-z]{1,3}402\b",
    ),
    "unknown_model": (
        r"model_not_found", r"\b(?:unknown|unsupported|invalid) model\b", r"\bno such model\b",
        r"\bmodel:? (?=\S*[-\d/:])\S{1,80} (?:(?:was )?not found|does not exist|is not supported)",
    ),
}  # fmt: skip
_BY_STATUS = {
    401: "auth", 402: "billing", 403: "auth", 429: "rate_limit", 529: "rate_limit",
}  # fmt: skip
# The beginning of a line in which a program reports its own error: `error: …`, `prog: fatal: …`,
# `[API Error: …`, `pkg.RateLimitError: …`, `HTTP 429: …`, `Attempt 3 failed: …`.
_REPORT = re.compile(
    r"\s*(?:[\w./-]{1,40}: )?\[?(?:"
    r"(?:fatal|(?:api |internal |http )?error|[\w.]{0,60}(?:Error|Exception))\b(?!\w)"
    r"|http \d{3}\s*:|(?:unexpected|last) status\b|exceeded retry limit\b|attempt \d+ failed:"
    r")",
    re.IGNORECASE,
)
_STACK_FRAME = re.compile(r"\s*(?:at |File \"|\.\.\.|[\^~]+\s*$|[\[\]{}(),]+\s*$)")


@functools.cache
def _classes() -> dict[str, re.Pattern[str]]:
    """Made when something has failed: they are loaded with every run."""
    return {code: re.compile("|".join(words), re.IGNORECASE) for code, words in _WORDS.items()}


def of_exit(record: ExitRecord, stderr: bytes) -> Cause | None:
    """Why the program with this exit record failed; None when it ended well."""
    for failed, code in (
        (record.stopped, "stopped"),
        (record.lost, "lost"),
        (record.timed_out or record.exit_code == 124, "timeout"),
        (record.exit_code == 127, "missing_tool"),
        (record.exit_code == 126, "permission_denied"),
        (record.signal != 0, "killed"),
    ):
        if failed:
            words = record.error or classify(stderr).words
            return Cause(code, one_line(words), _HINTS.get(code, ""))
    if record.error:
        return Cause("exit_nonzero", one_line(record.error))
    return classify(stderr) if record.exit_code else None


def classify(stderr: bytes, *, default: str = "exit_nonzero") -> Cause:
    """The failure class that an error channel speaks of, `default` when it speaks of none."""
    text = tail(stderr, TAIL)
    structured = list(_structured(text))
    reports = [line for line in printable(text).split("\n") if _REPORT.match(line)]
    found = by_words([*reports, *(error.words for error in structured)], default="")
    for error in structured:
        if not found.code and error.code:
            found = error
    if found.code:
        return _with_hint(found)
    words = [error.words for error in structured if error.words] or reports or _last_words(text)
    return Cause(default, one_line(words[-1]) if words else "")


def by_words(reports: list[str], *, default: str = "exit_nonzero") -> Cause:
    """The class of error texts that are known to be error texts. For structured adapters."""
    for code, pattern in _classes().items():
        for report in reversed(reports):
            if pattern.search(report):
                return _with_hint(Cause(code, one_line(report)))
    return Cause(default, one_line(reports[-1]) if reports else "")


def of_error(error: Any) -> Cause:
    """An error field of any of the known shapes: text, `{message}`, `{error: …}`, `{data: {message,
    statusCode}}`, `{name}`, JSON inside a text. The code is empty when no class is named."""
    status, words = _unfold(error, 0)
    code = _BY_STATUS.get(status, "")
    found = by_words([words] if words else [], default=code)
    return _with_hint(found)


def of_envelope(envelope: dict[str, Any]) -> Cause:
    """The cause that a final record with an error flag names: its status, error fields and text
    (`api_error_status`, `terminal_reason`, `error`, `errors`, `result`), never what it worked on."""
    errors = envelope.get("errors")
    listed = errors[0] if isinstance(errors, list) and errors else None
    told = envelope.get("error") or listed or envelope.get("result")
    reason = envelope.get("terminal_reason")
    named = by_words([reason], default="") if isinstance(reason, str) else Cause("")
    status = envelope.get("api_error_status")
    cause = of_error({"message": told, "status": status})
    code = named.code or cause.code or "reported_failure"
    return _with_hint(cause._replace(code=code))


def cause(code: str, words: str) -> Cause:
    """One of a known class."""
    return _with_hint(Cause(code, one_line(words)))


def _with_hint(cause: Cause) -> Cause:
    return cause._replace(hint=_HINTS.get(cause.code, ""))


def _structured(text: str) -> Iterator[Cause]:
    """The errors in JSON objects that begin a line of `text`."""
    decoder = json.JSONDecoder()
    at = 0
    while (start := _next_object(text, at)) >= 0:
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            at = start + 1
            continue
        if isinstance(value, dict) and (value.get("error") or value.get("type") == "error"):
            yield of_error(value)


def _next_object(text: str, at: int) -> int:
    if at == 0 and text.startswith("{"):
        return 0
    found = text.find("\n{", max(0, at - 1))
    return found + 1 if found >= 0 else -1


def _unfold(error: Any, depth: int) -> tuple[int, str]:
    """(HTTP status or 0, human text) of an error value."""
    if depth > 8:
        return 0, ""
    if isinstance(error, str):
        return _unfold_text(error, depth)
    if not isinstance(error, dict):
        return 0, ""
    status, words = 0, ""
    for key in ("statusCode", "status_code", "api_error_status", "status", "code"):
        number = error.get(key)
        if isinstance(number, int) and 400 <= number < 600:
            status = status or number
    for key in ("error", "data", "message", "detail"):
        if key in error:
            inner_status, inner_words = _unfold(error[key], depth + 1)
            status, words = status or inner_status, words or inner_words
    if not words and isinstance(error.get("name"), str):
        words = error["name"]
    return status, words


def _unfold_text(text: str, depth: int) -> tuple[int, str]:
    if text.lstrip().startswith("{"):
        try:
            return _unfold(json.loads(text), depth + 1)
        except (ValueError, RecursionError):
            return 0, ""  # a slice of JSON says nothing to a person (H11)
    return 0, text


def _last_words(text: str) -> list[str]:
    """The last line that a person can read: no stack frame, no piece of JSON (H11)."""
    for line in reversed(printable(text).split("\n")):
        words = line.strip()
        if words and not _STACK_FRAME.match(line) and words[0] not in '{}[]"':
            return [words]
    return []
