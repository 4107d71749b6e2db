"""YAML's one-line values, read to the character and written: scalars and `[a, b]` lists.

Invariant: a value that is accepted here means the same to every YAML 1.2 reader, and `written(x)`
reads back as `x` for every text. What lies outside of the subset (anchors, tags, nesting, values
over several lines) is refused with its line, never guessed at. See ADR 0003.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

COLON = re.compile(r":(?=[ \t]|$)")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SINGLE = re.compile(r"'((?:[^']|'')*)'")
_REST = re.compile(r" *(?:(?<= )#.*)?")
_COMMENT = re.compile(r" #")
_DASH = re.compile(r"[-?:](?: |$)")
_INDICATORS = "[]{},#&*!|>'\"%@`"
_NULLS = ("", "~", "null", "Null", "NULL")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f",
    "r": "\r", "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0",
    "L": "\u2028", "P": "\u2029",
}  # fmt: skip
# What stands unquoted when written: no word of YAML 1.1 or 1.2, no number, nothing in need of care.
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_/-]*(?:\.[A-Za-z0-9_/-]+)*", re.ASCII)
_WORDS = ("true", "false", "yes", "no", "on", "off", "y", "n", "null")
# Shown as they are although `str.isprintable` calls them otherwise: joiners inside of emoji and of
# Persian words, and the space of Japanese text.
_JOINERS = "\u200c\u200d\u3000"


class Broken(Exception):
    """Text that is no front matter of the subset: `line` (from 1) and the reason, no full stop."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


class Line(NamedTuple):
    """A line without its break: `number` from 1, `start` and `end` offsets in the whole text."""

    number: int
    start: int
    end: int
    text: str


class Value(NamedTuple):
    """A scalar and the offsets it stands at. `text` is None where nothing (or `null`) is written;
    with nothing at all `start == end`, right behind the colon or dash."""

    text: str | None
    start: int
    end: int


def scalar_at(line: Line, offset: int, what: str) -> Value:
    """The scalar that fills `line` from `offset` of the whole text on; errors call it `what`."""
    text, after = line.text, offset - line.start
    _check_tabs(line, after, what)
    begin = _skip(text, after)
    if begin == len(text) or (text[begin] == "#" and begin > after):
        return Value(None, offset, offset)
    if text[begin] in "\"'":
        quoted, end = _quoted_at(line, begin, what)
        if not _REST.fullmatch(text, end):
            raise Broken(line.number, f"{what} goes on after its closing quote")
        return Value(quoted, line.start + begin, line.start + end)
    comment = _COMMENT.search(text, begin)
    plain = text[begin : comment.start() if comment else len(text)].rstrip(" ")
    _check_plain(plain, line.number, what)
    value = None if plain in _NULLS else plain
    return Value(value, line.start + begin, line.start + begin + len(plain))


def flow_at(line: Line, offset: int, what: str) -> tuple[tuple[str, ...], int, int]:
    """The items of the `[a, b]` that fills `line` from `offset` on, and the offsets it fills."""
    _check_tabs(line, offset - line.start, what)
    begin = line.text.index("[", offset - line.start)
    items: list[str] = []
    at = _skip(line.text, begin + 1)
    while not line.text.startswith("]", at):
        item, at = _flow_item(line, at, what)
        items.append(item)
        at = _skip(line.text, at)
        if line.text.startswith(",", at):
            at = _skip(line.text, at + 1)
        elif not line.text.startswith("]", at):
            raise Broken(line.number, f"{what} has neither `,` nor `]` after an item")
    if not _REST.fullmatch(line.text, at + 1):
        raise Broken(line.number, f"{what} goes on after its closing bracket")
    return tuple(items), line.start + begin, line.start + at + 1


def written(text: str) -> str:
    """`text` as a scalar: bare where that is safe in every YAML, else in double quotes with
    everything escaped that a terminal or an editor would not show as a character of its own."""
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def written_list(items: Iterable[str]) -> str:
    """`[a, "b c"]`"""
    return "[" + ", ".join(map(written, items)) + "]"


def _skip(text: str, at: int) -> int:
    while text.startswith(" ", at):
        at += 1
    return at


def _check_tabs(line: Line, begin: int, what: str) -> None:
    """Readers of YAML do not agree on where a tab may stand."""
    if "\t" in line.text[begin:]:
        raise Broken(line.number, f"{what} holds a tab; write \\t in double quotes, or a space")


def _check_plain(text: str, line: int, what: str) -> None:
    """`Broken` where YAML would not read unquoted `text` as just this text."""
    if text[0] in _INDICATORS or text == "=" or _DASH.match(text):
        raise Broken(line, f"{what} begins with `{text[0]}`; put the value in quotes")
    if COLON.search(text):
        raise Broken(line, f"{what} holds a colon and a space; put the value in quotes")


def _quoted_at(line: Line, begin: int, what: str) -> tuple[str, int]:
    """The quoted text at `begin` of the line, and where it ends in it."""
    double = line.text[begin] == '"'
    match = (_DOUBLE if double else _SINGLE).match(line.text, begin)
    if match is None:
        raise Broken(line.number, f"{what} opens a quote and leaves it open")
    if not double:
        return match[1].replace("''", "'"), match.end()
    return _ESCAPE.sub(lambda found: _unescaped(found[1], line.number), match[1]), match.end()


def _flow_item(line: Line, at: int, what: str) -> tuple[str, int]:
    if line.text.startswith(('"', "'"), at):
        return _quoted_at(line, at, what)
    end = at
    while end < len(line.text) and line.text[end] not in ",[]{}":
        end += 1
    text = line.text[at:end].rstrip(" ")
    if end == len(line.text):
        raise Broken(line.number, f"{what} opens `[` and leaves it open")
    if text in _NULLS or _COMMENT.search(text):
        raise Broken(line.number, f"{what} has an empty item")
    if text[0] == ":" or "?" in text:
        raise Broken(line.number, f"an item of {what} holds `:` or `?`; put it in quotes")
    _check_plain(text, line.number, f"an item of {what}")
    return text, at + len(text)


def _unescaped(code: str, line: int) -> str:
    if len(code) > 1:
        number = int(code[1:], 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise Broken(line, f"the escape \\{code} is no character")
        return chr(number)
    if code not in _ESCAPES:
        raise Broken(line, f"the escape \\{code} is unknown; a backslash is written \\\\")
    return _ESCAPES[code]


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable() or character in _JOINERS:
        return character
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
