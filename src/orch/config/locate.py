"""Where in a TOML text each key stands, which `tomllib` does not say.

Invariant: the locator never judges. Whatever the text, it ends (one pass, no backtracking) and gives
the lines of what it understood; `tomllib` alone says whether the text is TOML. The only thing it
refuses is nesting deeper than `DEPTH`, because that would exhaust the parser itself.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from orch.config.keys import Path

DEPTH = 32
"""The deepest path a configuration may have. A key of many dots costs `tomllib` quadratic time and
a value of many brackets the interpreter's stack."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_REST = re.compile(r"[^\n]*\n?")
_SCALAR = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_SHORT_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
# Each alternative begins with a character that no other one of the same string can begin with, so
# that an unclosed string is given up in linear time.
_STRINGS = (
    ('"""', re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL)),
    ("'''", re.compile(r"'''(?:[^']|'(?!''))*'{3,5}")),
    ('"', re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')),
    ("'", re.compile(r"'[^'\n]*'")),
)


class TooDeep(Exception):
    """Nested deeper than `DEPTH` in the given line."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _Lost(Exception):
    """Not TOML, or not understood: the rest of the text stays without places."""


def locate(text: str) -> dict[Path, int]:
    """Path of every table, key and array element -> the line (from 1) on which it first stands.

    `text` has `\\n` line ends. Raises `TooDeep`.
    """
    locator = _Locator(text)
    try:
        locator.document()
    except _Lost:
        pass  # what was found so far is the answer; the caller's parser names the error
    return locator.lines


class _Locator:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lasts: dict[Path, int] = {}  # arrays of tables -> the index of the newest element

    def document(self) -> None:
        table: Path = ()
        while True:
            self._skip(_GAP)
            if self._at >= len(self._text):
                return
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_REST)  # a comment; anything else is for tomllib to refuse

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the path of the table that follows."""
        start = self._at
        array = self._peek("[[")
        self._at += 2 if array else 1
        parts = self._key()
        self._take("]]" if array else "]")
        path: Path = ()
        for part in parts[:-1]:
            path = self._enter((*path, part), start)
        path = (*path, parts[-1])
        if not array:
            return self._enter(path, start)
        self._note(path, start)
        self._lasts[path] = index = self._lasts.get(path, -1) + 1
        path = (*path, index)
        self._note(path, start)
        return path

    def _enter(self, path: Path, start: int) -> Path:
        """`path`, or its newest element where it is an array of tables."""
        self._note(path, start)
        last = self._lasts.get(path)
        return path if last is None else (*path, last)

    def _pair(self, table: Path) -> None:
        """`a.b = value`"""
        start = self._at
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path, start)
        self._take("=")
        self._skip(_BLANK)
        self._value(path)

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_BLANK)
            parts.append(self._key_part())
            if len(parts) > DEPTH:
                raise TooDeep(self._line(self._at))
            self._skip(_BLANK)
            if not self._peek("."):
                return parts
            self._at += 1

    def _key_part(self) -> str:
        for quote, pattern in _STRINGS[2:]:
            if self._peek(quote):
                inner = self._match(pattern)[1:-1]
                return _unescaped(inner) if quote == '"' else inner
        return self._match(_BARE)

    def _value(self, path: Path) -> None:
        if len(path) > DEPTH:
            raise TooDeep(self._line(self._at))
        if self._peek("["):
            self._array(path)
        elif self._peek("{"):
            self._inline_table(path)
        else:
            for quote, pattern in _STRINGS:
                if self._peek(quote):
                    self._match(pattern)
                    return
            self._match(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_GAP)
            if self._peek("]"):
                self._at += 1
                return
            element = (*path, index)
            self._note(element, self._at)
            self._value(element)
            index += 1
            self._skip(_GAP)
            if not self._peek("]"):
                self._take(",")

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while True:
            self._skip(_GAP)  # newlines are for tomllib to judge: newer TOML allows them
            if self._peek("}"):
                self._at += 1
                return
            self._pair(path)
            self._skip(_GAP)
            if not self._peek("}"):
                self._take(",")

    def _note(self, path: Path, start: int) -> None:
        self.lines.setdefault(path, self._line(start))

    def _line(self, offset: int) -> int:
        return bisect_right(self._starts, offset)

    def _peek(self, word: str) -> bool:
        return self._text.startswith(word, self._at)

    def _take(self, word: str) -> None:
        if not self._peek(word):
            raise _Lost
        self._at += len(word)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if not found:
            raise _Lost
        self._at = found.end()
        return found.group()


def _unescaped(inner: str) -> str:
    def one(match: re.Match[str]) -> str:
        digits = match.group(1) or match.group(2)
        if digits is None:
            return _SHORT_ESCAPES.get(match.group(3), match.group())
        number = int(digits, 16)
        return chr(number) if number <= 0x10FFFF else match.group()

    return _ESCAPE.sub(one, inner)
