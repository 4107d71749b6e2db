"""Mends the two kinds of damage that agents' JSON often has, and says which it mended (H20).

Invariant: text that is JSON comes back unchanged, and nothing is ever added that was not there: a
truncated record stays truncated, and so unparseable (H1).
"""

from __future__ import annotations

import re

TRAILING_COMMA = "trailing comma"
BAD_ESCAPE = "bad escape"
LINE_BREAK = "line break in a text"

_TOKEN = re.compile(r'"|,(\s*)(?=[}\]])')
_IN_STRING = re.compile(r'"|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})|\\.?|[\x00-\x1f]', re.DOTALL)
_CONTROLS = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def repaired(text: str) -> tuple[str, tuple[str, ...]]:
    """(`text` mended, what was mended)."""
    out: list[str] = []
    notes: dict[str, None] = {}
    at, inside = 0, False
    while True:
        found = (_IN_STRING if inside else _TOKEN).search(text, at)
        if found is None:
            out.append(text[at:])
            return "".join(out), tuple(notes)
        out.append(text[at : found.start()])
        token, at = found.group(), found.end()
        if token == '"':
            inside = not inside
        elif not inside:
            notes[TRAILING_COMMA] = None
            token = found[1]
        elif token[0] != "\\":
            notes[LINE_BREAK] = None
            token = _CONTROLS.get(token, f"\\u{ord(token):04x}")
        elif len(token) == 1 or not _is_escape(token):
            notes[BAD_ESCAPE] = None
            token = "'" if token == "\\'" else "\\\\"
            at = found.start() + (2 if token == "'" else 1)
        out.append(token)


def _is_escape(token: str) -> bool:
    return len(token) == 6 or token[1] in '"\\/bfnrt'
