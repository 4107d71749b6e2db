"""The front matter of a Markdown file: read to the character, changed one value at a time.

Invariants: every character of a file has its place, so a change touches the value it names and
nothing else (H88): order, comments, unknown keys, line ends, trailing spaces and a missing final
newline stay. What is not understood is refused with its line, never guessed at and never dropped.

The subset of YAML: `key: value` at the left margin, one-line values (`orch.trackers.scalars`),
lists as `[a, b]` or as `- a` lines, comments. Under a key that nobody asks for anything may stand
that is indented; it is kept and not looked into. See ADR 0003.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from orch.trackers.scalars import (
    COLON,
    Broken,
    Line,
    Value,
    flow_at,
    scalar_at,
    written,
    written_list,
)

LONGEST = 256 * 1024  # characters of front matter

_BOM = "\ufeff"
_FENCE = re.compile(r"---[ \t]*")
_KEY = re.compile(r"\w[\w ./()+@$-]*")
_ITEM = re.compile(r"( *)-(?: +|$)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\r(?!\n)")


class Field(msgspec.Struct):
    """A key: its own line, the offset behind its colon, and the lines that hang below it."""

    key: str
    head: Line
    after_colon: int
    below: list[Line]

    @property
    def inline(self) -> str:
        """What stands behind the colon, from its first visible character on."""
        return self.head.text[self.after_colon - self.head.start :].lstrip(" \t")


class Document(msgspec.Struct, frozen=True):
    """A file with front matter. `closing` is the line of the second `---`, `rest` the offset behind
    it, `newline` the break after the first one (`\\n` or `\\r\\n`)."""

    text: str
    fields: dict[str, Field]
    closing: Line
    rest: int
    newline: str

    @property
    def body(self) -> str:
        """What follows, without the one empty line that sets it off."""
        for separator in ("\n", "\r\n"):
            if self.text.startswith(separator, self.rest):
                return self.text[self.rest + len(separator) :]
        return self.text[self.rest :]

    def line_of(self, key: str) -> int:
        """The line a key stands on, or 1."""
        return self.fields[key].head.number if key in self.fields else 1

    def scalar(self, key: str) -> str:
        """The one-line value of `key`; empty where there is none."""
        return (_value(self.fields[key]).text or "") if key in self.fields else ""

    def sequence(self, key: str) -> tuple[str, ...]:
        """The list under `key`; empty where there is none."""
        if key not in self.fields:
            return ()
        field = self.fields[key]
        if field.inline.startswith("["):
            return _flow(field)[0]
        return tuple(value.text or "" for _, value in _items(field))


def is_front_matter(text: str) -> bool:
    """Whether the first line is `---`."""
    end = text.find("\n")
    first = text[:end] if end >= 0 else text
    return _FENCE.fullmatch(first.removeprefix(_BOM).removesuffix("\r")) is not None


def read(text: str) -> Document:
    """The front matter of `text` and where it stands. `Broken` names the first line in the way."""
    opening, *inner, closing = _block(text)
    block = text[opening.start : closing.end]
    if strange := _UNSEEN.search(block):
        code = f"{ord(strange[0]):04X}"
        raise Broken(
            opening.number + block.count("\n", 0, strange.start()),
            f'the character U+{code} cannot stand here bare; write "\\u{code}" in double quotes',
        )
    fields: dict[str, Field] = {}
    for field in _fields(inner):
        if field.key in fields:
            first = fields[field.key].head.number
            raise Broken(field.head.number, f"`{field.key}` stands twice, first on line {first}")
        fields[field.key] = field
    rest = text.find("\n", closing.start) + 1 or len(text)
    newline = "\r\n" if text.startswith("\r\n", opening.end) else "\n"
    return Document(text, fields, closing, rest, newline)


def render(values: Iterable[tuple[str, str | Sequence[str]]], body: str) -> str:
    """A new file. Texts are written as scalars, sequences as `[a, b]`; reads back as it went in."""
    lines = [
        f"{key}: {written(value) if isinstance(value, str) else written_list(value)}\n"
        for key, value in values
    ]
    return "---\n" + "".join(lines) + "---\n" + ("\n" + body if body else "")


def with_scalar(document: Document, key: str, text: str) -> str:
    """The whole text with `key` being `text`; a new key goes below the others."""
    field = document.fields.get(key)
    if field is None:
        return _with_line(document, f"{key}: {written(text)}") if text else document.text
    value = _value(field)
    gap = value.start == value.end
    return _with(document.text, value.start, value.end, written(text), gap=gap)


def with_sequence(document: Document, key: str, items: Sequence[str]) -> str:
    """The whole text with the list `key` being `items`, in the style the list has already."""
    field = document.fields.get(key)
    if field is None:
        return _with_line(document, f"{key}: {written_list(items)}") if items else document.text
    if field.inline.startswith("["):
        _, start, end = _flow(field)
        return _with(document.text, start, end, written_list(items))
    if old := _items(field):
        return _with_items(document, old, items)
    value = _value(field)
    new = written_list(items)
    return _with(document.text, value.start, value.end, new, gap=value.start == value.end)


def with_body(document: Document, body: str) -> str:
    """The whole text with another body."""
    head = document.text[: document.rest]
    if not body:
        return head
    if not head.endswith("\n"):
        head += document.newline
    return head + document.newline + body


def _block(text: str) -> list[Line]:
    """The lines from the first `---` to the second, both included."""
    if not is_front_matter(text):
        raise Broken(1, "the file does not begin with front matter (a line `---`)")
    start = len(_BOM) if text.startswith(_BOM) else 0
    lines: list[Line] = []
    while start < min(len(text), LONGEST):
        end = text.find("\n", start)
        stop = len(text) if end < 0 else end
        content = text[start:stop] if end < 0 else text[start:stop].removesuffix("\r")
        lines.append(Line(len(lines) + 1, start, start + len(content), content))
        if len(lines) > 1 and _FENCE.fullmatch(content):
            return lines
        start = stop + 1
    where = f" within {LONGEST:,} characters" if start < len(text) else ""
    raise Broken(1, f"the front matter begun here is not closed by a second line `---`{where}")


def _fields(lines: list[Line]) -> list[Field]:
    fields: list[Field] = []
    for line in lines:
        idle = _is_idle(line)
        if line.text.startswith("\t") or (idle and "\t" in line.text.partition("#")[0]):
            raise Broken(line.number, "a tab indents this line; YAML indents with spaces")
        if not idle and not line.text.startswith(" ") and not _ITEM.match(line.text):
            fields.append(_field(line))
        elif fields:
            fields[-1].below.append(line)
        elif not idle:
            raise Broken(line.number, "this line belongs to no `key:`")
    for field in fields:
        _check_closed(field)
    return fields


def _field(line: Line) -> Field:
    colon = COLON.search(line.text)
    if colon is None:
        raise Broken(line.number, "this line is not `key: value`")
    key = line.text[: colon.start()].rstrip(" \t")
    if not _KEY.fullmatch(key):
        raise Broken(line.number, "this key is not made of letters, digits, spaces and ._/()+@$-")
    return Field(key, line, line.start + colon.end(), [])


def _check_closed(field: Field) -> None:
    """Text over several lines is indented, also under keys that nobody asks for: a quote left open
    would make the lines below it part of a value for others and keys for us."""
    inline = field.inline
    below = [line for line in field.below if not _is_idle(line)]
    if inline.startswith(('"', "'")) and not below:
        _value(field)
    if inline.startswith(("[", "{")) and not below:
        bare = _QUOTED.sub("", inline).split(" #")[0]
        if any(bare.count(left) != bare.count(right) for left, right in ("[]", "{}")):
            raise Broken(field.head.number, f"`{field.key}` opens `{inline[0]}` and leaves it open")
    items = [line for line in below if line.text.startswith("-")]
    if items and inline and not inline.startswith("#"):
        raise Broken(items[0].number, f"`{field.key}` has a value already; a list cannot follow")


def _is_idle(line: Line) -> bool:
    """Empty, or only a comment."""
    return line.text.lstrip(" \t")[:1] in ("", "#")


def _value(field: Field) -> Value:
    _check_one_line(field)
    return scalar_at(field.head, field.after_colon, f"`{field.key}`")


def _flow(field: Field) -> tuple[tuple[str, ...], int, int]:
    _check_one_line(field)
    return flow_at(field.head, field.after_colon, f"`{field.key}`")


def _check_one_line(field: Field) -> None:
    for line in field.below:
        if not _is_idle(line):
            raise Broken(line.number, f"`{field.key}` goes over several lines; give it one")


def _items(field: Field) -> list[tuple[Line, Value]]:
    """The `- a` lines below a key with their values; a key without a value has none."""
    what = f"`{field.key}`"
    inline = scalar_at(field.head, field.after_colon, what)
    if inline.text is not None:
        raise Broken(field.head.number, f"{what} is a list; write [a, b]")
    items: list[tuple[Line, Value]] = []
    indent = None
    for line in field.below:
        if _is_idle(line):
            continue
        match = _ITEM.match(line.text)
        if match is None or indent not in (None, match[1]) or inline.start < inline.end:
            raise Broken(line.number, f"this line is no `- item` of {what}")
        indent = match[1]
        value = scalar_at(line, line.start + len(match[1]) + 1, f"an item of {what}")
        if value.text is None:
            raise Broken(line.number, f"an item of {what} is empty")
        items.append((line, value))
    return items


def _with(text: str, start: int, end: int, new: str, *, gap: bool = False) -> str:
    return text[:start] + (" " if gap else "") + new + text[end:]


def _with_line(document: Document, line: str) -> str:
    at = document.closing.start
    return document.text[:at] + line + document.newline + document.text[at:]


def _with_items(document: Document, old: list[tuple[Line, Value]], items: Sequence[str]) -> str:
    """`items` as `- a` lines. Lines of items that stay keep their place and comment; where the
    order is another one, the values are written into the lines there are."""
    wanted = list(items)
    kept = [entry for entry in old if entry[1].text in wanted]
    text = document.text
    last = old[-1][0]
    margin = last.text[: last.text.index("-")] + "- "
    added = "".join(f"{document.newline}{margin}{written(item)}" for item in wanted[len(kept) :])
    text = text[: last.end] + added + text[last.end :]
    values = dict(zip(kept, wanted, strict=False))
    for entry in reversed(old):
        line, value = entry
        if entry not in values:
            end = text.index("\n", line.end) + 1
            text = text[: line.start] + text[end:]
        elif value.text != values[entry]:
            text = _with(text, value.start, value.end, written(values[entry]))
    return text
