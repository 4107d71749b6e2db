"""The result record: what an agent reported, from JSON of any of the known spellings.

Invariant: a record is read whole or not at all: broken or truncated JSON is `unparseable`, an absent
or empty one `empty` (H1, H2, H111), and only two kinds of damage are repaired, visibly (H20). What
comes out can be encoded as JSON again. `FIELDS` makes both this reader and the words that ask an
agent for a record (H6).
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from orch.agents.repair import repaired
from orch.agents.words import one_line
from orch.model.attempt import AgentResult

SIZE_LIMIT = 1024 * 1024
DEPTH_LIMIT = 32
REPAIRED = "repaired"
"""The key in `AgentResult.extra` that lists what was repaired."""

FIELDS: dict[str, tuple[str, ...]] = {
    "status": ("status", "result", "outcome"),
    "summary": ("summary", "message", "output", "result"),
    "accomplished": ("accomplished", "done"),
    "remaining": ("remaining",),
    "files": ("files", "files_changed"),
    "error": ("error",),
    "reason": ("reason",),
    "blockers": ("blockers",),
    "learnings": ("learnings",),
    "delegations": ("delegations",),
    "input_tokens": ("input_tokens", "tokens_input"),
    "output_tokens": ("output_tokens", "tokens_output"),
}
"""Field -> the spellings under which it is accepted, the preferred one first."""

STATUSES: dict[str, tuple[str, ...]] = {
    "done": (
        "complete", "completed", "success", "successful", "succeeded", "ok", "finished", "resolved",
        "passed", "fixed", "noop", "no_op", "green", "alert", "alerts_sent",
    ),
    "in_progress": ("partial", "partially_done", "ongoing", "working", "incomplete", "continue"),
    "blocked": ("waiting", "stuck", "on_hold"),
    "needs_review": ("review", "needs_help", "needs_human", "needs_input", "question"),
    "failed": ("fail", "failure", "error", "errored", "aborted"),
}  # fmt: skip
"""Status -> other words for it (H12)."""

_STATUS_OF = {word: status for status, words in STATUSES.items() for word in (status, *words)}
_LISTS = ("accomplished", "remaining", "files", "blockers", "learnings")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([A-Za-z]*)[^\n`]*$")


class Reading(NamedTuple):
    """A result, or a problem (`empty`, `unparseable`) with its sentence. `repaired` lists repairs."""

    result: AgentResult | None
    problem: str = ""
    sentence: str = ""
    repaired: tuple[str, ...] = ()


def read(text: str | None, source: str = "the result file") -> Reading:
    """The record in `text`: the whole of it, else its last complete fenced block (H19)."""
    if text is None:
        return Reading(None, "empty", f"{source} was not written")
    text = text.removeprefix("\ufeff")
    if not text.strip():
        return Reading(None, "empty", f"{source} is empty")
    if len(text) > SIZE_LIMIT:
        return Reading(None, "unparseable", f"{source} is larger than 1 MiB")
    try:
        value, repairs = _value(text)
    except ValueError as error:
        return Reading(
            None, "unparseable", f"{source} is not a JSON record: {one_line(str(error))}"
        )
    if not isinstance(value, dict):
        return Reading(None, "unparseable", f"{source} is JSON, but not an object")
    if not value:
        return Reading(None, "empty", f"{source} holds an empty record")
    return Reading(normalised(value, repairs), repaired=repairs)


def normalised(raw: dict[str, Any], repairs: tuple[str, ...] = ()) -> AgentResult:
    """A record of any spelling as an `AgentResult`; what is not known is kept in `extra`."""
    raw = _unwrapped({key: _clean(value, 0) for key, value in raw.items()})
    found: dict[str, Any] = {name: _texts(_pick(raw, name)) for name in _LISTS}
    status, word = _status(raw)
    usage = raw["usage"] if isinstance(raw.get("usage"), dict) else {}
    for name in ("input_tokens", "output_tokens"):
        found[name] = _count(_pick(raw, name), _pick(usage, name))
    known = {spelling for spellings in FIELDS.values() for spelling in spellings}
    extra = {key: value for key, value in raw.items() if key not in known}
    if status == "unknown" and word:
        extra["status_text"] = word
    if repairs:
        extra[REPAIRED] = list(repairs)
    return AgentResult(
        status=status,
        summary=_summary(raw),
        error=_sentence(raw.get("error")),
        reason=_sentence(raw.get("reason")),
        delegations=_delegations(raw.get("delegations")),
        extra=extra,
        **found,
    )


def own_words(result: AgentResult) -> str:
    """Why it did not work, as the agent puts it; empty when it says nothing."""
    return result.error or result.reason or "; ".join(result.blockers) or result.summary


def usage_of(result: AgentResult | None) -> dict[str, Any]:
    """Tokens and cost (US dollars) as reported; keys only for what was reported."""
    if result is None:
        return {}
    usage: dict[str, Any] = {}
    for name in ("input_tokens", "output_tokens"):
        if getattr(result, name) is not None:
            usage[name] = getattr(result, name)
    for name in ("cost_usd", "total_cost_usd"):
        cost = result.extra.get(name)
        if isinstance(cost, int | float) and not isinstance(cost, bool):
            usage["cost_usd"] = cost
    return usage


def request_words() -> str:
    """The paragraph that asks an agent for a record, made from the schema that reads it (H6)."""
    fields = ", ".join(name for name in FIELDS if not name.endswith("_tokens"))
    return (
        "When you are done, write one JSON object to the file named by the environment variable"
        f" ORCH_RESULT_FILE. Fields: {fields}. status is one of {', '.join(STATUSES)};"
        f" {', '.join(_LISTS)} are lists of texts; delegations is a list of"
        " {title, body, labels}. Leave out what does not apply."
    )


def _value(text: str) -> tuple[Any, tuple[str, ...]]:
    """The JSON value in `text` and what was repaired. Raises `ValueError`."""
    try:
        return _decode(text), ()
    except ValueError as error:
        block = last_block(text)
        if block is None and not text.lstrip().startswith("{"):
            raise error
        candidate = text if block is None else block
    try:
        return _decode(candidate), ()
    except ValueError:
        mended, repairs = repaired(candidate)
        return _decode(mended), repairs


def _decode(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def last_block(text: str) -> str | None:
    """The inside of the last complete fenced block that is JSON by its tag or first character."""
    found, opened, tag, start = None, "", "", 0
    lines = text.split("\n")
    for number, line in enumerate(lines):
        fence = _FENCE.match(line.rstrip("\r"))
        if not fence:
            continue
        if not opened:
            opened, tag, start = fence[1], fence[2].lower(), number + 1
        elif fence[1].startswith(opened) and not fence[2]:
            inside = "\n".join(lines[start:number])
            if tag in ("json", "jsonc") or (not tag and inside.lstrip().startswith("{")):
                found = inside
            opened = ""
    return found


def _unwrapped(raw: dict[str, Any]) -> dict[str, Any]:
    """`{"result": {…}}` around the record itself (H5)."""
    inner = raw.get("result")
    if not isinstance(inner, dict) or "status" in raw:
        return raw
    return {**{key: value for key, value in raw.items() if key != "result"}, **inner}


def _status(raw: dict[str, Any]) -> tuple[str, str]:
    """(status, the word it stood in the record as)."""
    word = ""
    for spelling in FIELDS["status"]:
        value = raw.get(spelling)
        if not isinstance(value, str) or not value.strip():
            continue
        status = _STATUS_OF.get(re.sub(r"[\s-]+", "_", value.strip().lower()))
        if status:
            return status, value
        if spelling == "status":
            word = one_line(value, 80)
    if raw.get("is_error") is True or (not word and raw.get("error")):
        return "failed", word
    return ("needs_review" if raw.get("needs_help") is True else "unknown"), word


def _summary(raw: dict[str, Any]) -> str:
    for spelling in FIELDS["summary"]:
        value = raw.get(spelling)
        if isinstance(value, str) and value.strip():
            if spelling == "result" and _status({"result": value})[0] != "unknown":
                continue  # it was the status
            return value.strip()
    return ""


def _pick(raw: dict[str, Any], field: str) -> Any:
    for spelling in FIELDS[field]:
        if raw.get(spelling) not in (None, "", []):
            return raw[spelling]
    return None


def _texts(value: Any) -> tuple[str, ...]:
    if value is None or isinstance(value, bool):
        return ()
    items = value if isinstance(value, list) else [value]
    return tuple(text for text in map(_sentence, items) if text)


def _sentence(value: Any) -> str:
    """A text out of a text, an object that has one, or anything else as JSON."""
    if isinstance(value, dict):
        for key in ("message", "text", "title", "path", "file", "name", "description"):
            if isinstance(value.get(key), str):
                return str(value[key]).strip()
    if isinstance(value, str):
        return value.strip()
    if value is None or isinstance(value, bool) or value in ({}, []):
        return ""
    return json.dumps(value, ensure_ascii=False)


def _delegations(value: Any) -> tuple[dict[str, Any], ...]:
    items = value if isinstance(value, list) else []
    return tuple(
        item if isinstance(item, dict) else {"title": item}
        for item in items
        if isinstance(item, dict | str) and item
    )


def _count(*values: Any) -> int | None:
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _clean(value: Any, depth: int) -> Any:
    """`value` in a form that every JSON encoder takes: no lone surrogates, no numbers beyond 64
    bits, no nesting that exhausts a stack."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    if isinstance(value, dict | list) and depth >= DEPTH_LIMIT:
        return "…"
    if isinstance(value, dict):
        return {_clean(key, 0): _clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    return value
