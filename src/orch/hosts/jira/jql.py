"""JQL, made of parts: the only place that puts a value into a query.

Invariant: a value stays a value (`quote`), and a person's own condition (`condition`) stays within
the brackets that we put around it, so that no query reaches beyond the source's own project.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from orch.model.errors import ConfigError

PROJECT = re.compile(r"[A-Z][A-Z0-9]{0,254}")
KEY = re.compile(r"([A-Z][A-Z0-9]{0,254})-([0-9]{1,18})")
_PLAIN = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_ORDER = re.compile(r"order\s+by\b", re.IGNORECASE)
_HINT = "Copy it from Jira's own search, where it says whether a query is right."


def quote(value: str) -> str:
    """`value` as one JQL string."""
    return '"' + "".join(_PLAIN.get(c) or _escaped(c) for c in value) + '"'


def _escaped(character: str) -> str:
    return character if character.isprintable() or ord(character) > 0xFFFF else (
        f"\\u{ord(character):04x}"
    )  # fmt: skip


def every(*conditions: str) -> str:
    """All of them; empty ones ask for nothing."""
    return " AND ".join(one for one in conditions if one)


def within(project: str) -> str:
    return f"project = {quote(project)}"


def among(field: str, values: Sequence[str]) -> str:
    return f"{field} in ({', '.join(quote(value) for value in values)})" if values else ""


def since(field: str, minutes: int) -> str:
    """Changed in the last `minutes`: relative, because an absolute time would be read in the time
    zone of the account that asks, and Jira's clock need not be ours."""
    return f"{field} >= {quote(f'-{max(1, minutes)}m')}"


def number(key: str) -> int:
    """12 of `PROJ-12`; -1 for what is no key."""
    found = KEY.fullmatch(key)
    return int(found[2]) if found else -1


def condition(query: str) -> str:
    """A person's query as one condition in brackets, without its ORDER BY (order is ours). Empty for
    an empty one. `ConfigError(bad_query)`."""
    if not query:
        return ""
    if not query.strip() or any(c in query for c in "\0\r\n"):
        raise _bad(query, "it has to be one line of JQL")
    depth, at = 0, 0
    while at < len(query):
        character = query[at]
        if character in "\"'":
            at = _end_of_text(query, at)
            continue
        if character == "\\":
            raise _bad(query, "it has a backslash outside of quotation marks")
        depth += (character == "(") - (character == ")")
        if depth < 0:
            raise _bad(query, "it closes a bracket that it does not open")
        starts_word = at == 0 or not (query[at - 1].isalnum() or query[at - 1] == "_")
        if depth == 0 and starts_word and _ORDER.match(query, at):
            query = query[:at]
            break
        at += 1
    if depth:
        raise _bad(query, "it does not close a bracket")
    return f"({query.strip()})" if query.strip() else ""


def _end_of_text(query: str, at: int) -> int:
    mark, at = query[at], at + 1
    while at < len(query) and query[at] != mark:
        at += 2 if query[at] == "\\" else 1
    if at >= len(query):
        raise _bad(query, "it does not close a quotation")
    return at + 1


def _bad(query: str, why: str) -> ConfigError:
    return ConfigError(f"The query {query[:200]!r} cannot be used: {why}.", code="bad_query",
                       hint=_HINT)  # fmt: skip
