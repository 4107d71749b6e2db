"""Text with placeholders: `{{NAME}}`, and `{{#if NAME}}...{{/if}}` for what may be missing.

Invariant: no logic and one pass. A value is put in as it is and never read again, so what a ticket
says cannot reach another value. A name that nobody gave is an error, not a gap in a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from orch.model.errors import UsageError

NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_TOKEN = re.compile(
    rf"\{{\{{\s*(?:(?P<name>{NAME})|#if\s+(?P<asked>{NAME})|(?P<end>/if)|(?P<odd>[#/][^}}]*))\s*\}}\}}"
)


class _Block(NamedTuple):
    """An open `{{#if}}`. `kept` tells whether its content is wanted, given the blocks around it."""

    kept: bool
    line: int


def render(text: str, values: Mapping[str, str], *, blank: bool = False, name: str = "") -> str:
    """`text` with every placeholder filled. A block stays when its name's value has more than blanks
    in it; a name without a value means "no" there. With `blank` an unknown name is empty elsewhere.

    `UsageError`: `unknown_placeholder` names it and its line (`name` is the file's, for messages),
    `bad_template` for a block without its other end, `empty_template` when nothing is left.
    """
    told: list[str] = []
    blocks: list[_Block] = []
    end = 0
    for match in _TOKEN.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        kept = not blocks or blocks[-1].kept
        if kept:
            told.append(text[end : match.start()])
        end = match.end()
        if match["asked"]:
            blocks.append(_Block(kept and bool(values.get(match["asked"], "").strip()), line))
        elif match["end"]:
            if not blocks:
                raise _bad(name, line, "{{/if}} has no {{#if NAME}} before it")
            blocks.pop()
        elif match["odd"]:
            raise _bad(name, line, f"{match[0]} is neither {{{{#if NAME}}}} nor {{{{/if}}}}")
        elif kept:
            told.append(_value(match["name"], values, blank, f"{name or 'line'}:{line}"))
    if blocks:
        raise _bad(name, blocks[-1].line, "{{#if NAME}} has no {{/if}} after it")
    result = "".join([*told, text[end:]])
    if not result.strip():
        raise UsageError(
            f"nothing is left of {name or 'the template'}: every part of it is blank",
            code="empty_template", hint=f"orch template {name or 'PATH'} NAME=VALUE",
        )  # fmt: skip
    return result


def names(text: str) -> list[str]:
    """The placeholders of `text` and the names its blocks ask for, in the order written."""
    found = [match["name"] or match["asked"] for match in _TOKEN.finditer(text)]
    return list(dict.fromkeys(word for word in found if word))


def _value(word: str, values: Mapping[str, str], blank: bool, place: str) -> str:
    if word in values:
        return values[word]
    if blank:
        return ""
    from orch.model.naming import nearest

    similar = nearest(word, [known for known in values if known.isidentifier()])
    meant = f"; did you mean {similar[0]!r}?" if similar else ""
    raise UsageError(
        f"{place}: nothing was given for the placeholder {word!r}{meant}",
        code="unknown_placeholder", hint=f"{word}=VALUE after the path", placeholder=word,
    )  # fmt: skip


def _bad(name: str, line: int, what: str) -> UsageError:
    return UsageError(
        f"{name or 'line'}:{line}: {what}", code="bad_template", hint="orch template --help"
    )
