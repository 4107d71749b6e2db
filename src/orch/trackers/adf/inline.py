"""Pieces of a line to Markdown: marks, links, code, pictures, breaks.

Invariant: the marks that are written are the marks that are read, and nothing else is. White space
at the edges of a mark moves out of it; where CommonMark would not take a row of `*` or `~` for a
mark (its rules of flanking), an empty comment stands beside it.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from orch.trackers.adf import escaping
from orch.trackers.adf.escaping import NOTHING

ROWS = {"strike": "~~", "strong": "**", "em": "*"}
TAGS = {"underline": "ins", "sub": "sub", "sup": "sup"}
_ORDER = ("strike", "strong", "em", "underline", "sub", "sup")

Kind = Literal["text", "code", "break", "image"]


class Piece(NamedTuple):
    """A part of a line. `link` is address and title; `target` the address of an image."""

    kind: Kind
    text: str  # of a break "\n", so that it counts as white space
    marks: frozenset[str] = frozenset()
    link: tuple[str, str] | None = None
    target: str = ""


class Place(enum.Enum):
    """Where a line stands."""

    PARAGRAPH = enum.auto()
    HEADING = enum.auto()
    CELL = enum.auto()

    @property
    def line_break(self) -> str:
        return "\\\n" if self is Place.PARAGRAPH else "<br>"


BREAK = Piece("break", "\n")


class _Token(NamedTuple):
    kind: Literal["text", "open", "close", "break"]
    text: str


def pieces_of(
    text: str,
    kind: Kind = "text",
    marks: frozenset[str] = frozenset(),
    link: tuple[str, str] | None = None,
) -> Iterator[Piece]:
    """A text as pieces: what breaks a line anywhere breaks it here."""
    for number, part in enumerate(escaping.BREAKS.split(text)):
        if number:
            yield Piece("break", "\n", marks, link)
        if part:
            yield Piece(kind, part, marks, link)


def written(pieces: Sequence[Piece], place: Place) -> str:
    """The pieces as Markdown; empty where they show nothing. Breaks at the ends are layout."""
    lines = _lines(list(_linked(pieces, place)))
    if place is Place.PARAGRAPH:
        lines = [escaping.line(line) for line in lines]
    else:
        lines = [escaping.ends_kept(line.strip(" \t")) for line in lines]
    shown = [number for number, line in enumerate(lines) if line]
    return place.line_break.join(lines[shown[0] : shown[-1] + 1]) if shown else ""


def _sound(pieces: Sequence[Piece], place: Place) -> Iterator[Piece]:
    """The pieces without links that may not be one (their address is said behind the words) and
    without code that readers of tables disagree on."""
    for link, group in groupby(pieces, key=lambda piece: piece.link):
        run = list(group)
        if place is Place.CELL:
            run = _with_sound_code(run)
        if link is None or escaping.is_safe(link[0]):
            yield from run
            continue
        yield from (piece._replace(link=None) for piece in run)
        if link[0].strip() not in ("", "".join(piece.text for piece in run).strip()):
            yield from pieces_of(f" ({link[0]})")


def _linked(pieces: Sequence[Piece], place: Place) -> Iterator[_Token]:
    for link, group in groupby(_sound(pieces, place), key=lambda piece: piece.link):
        run = list(group)
        if link is None:
            yield from _marked(run, _ORDER, in_link=False)
            continue
        shown = "".join(piece.text for piece in run)
        target, title = link
        before, core, after = _trimmed(run) if shown.strip() else ([], run, [])
        yield from _marked(before, _ORDER, in_link=False)
        if not title and not core[0].marks and escaping.is_autolink(shown.strip(), target):
            yield _Token("text", f"<{target}>")
        else:
            yield _Token("text", "[")
            inner = core if shown.strip() else [Piece("text", target)]
            yield from _marked(inner, _ORDER, in_link=True)
            yield _Token("text", f"]({escaping.address(target)}{escaping.title(title)})")
        yield from _marked(after, _ORDER, in_link=False)


def _marked(pieces: Sequence[Piece], marks: Sequence[str], *, in_link: bool) -> Iterator[_Token]:
    if not marks:
        yield from _plain(pieces, in_link=in_link)
        return
    mark, rest = marks[0], marks[1:]
    for has, group in groupby(pieces, key=lambda piece: mark in piece.marks):
        run = list(group)
        before, core, after = _trimmed(run) if has else (run, [], [])
        yield from _marked(before, rest, in_link=in_link)
        if core:
            opening, closing = _delimiters(mark)
            yield opening
            if mark == "strong" and _is_em_again(core):
                yield _Token("text", NOTHING)
            yield from _marked(core, rest, in_link=in_link)
            yield closing
        yield from _marked(after, rest, in_link=in_link)


def _is_em_again(run: Sequence[Piece]) -> bool:
    """Whether a strong run begins with em and has more of it: readers disagree on which part of an
    opening `***` the next `*` belongs to."""
    changes = [has for has, _ in groupby("em" in piece.marks for piece in run)]
    return changes[0] and len(changes) > 2


def _delimiters(mark: str) -> tuple[_Token, _Token]:
    if mark in ROWS:
        return _Token("open", ROWS[mark]), _Token("close", ROWS[mark])
    return _Token("text", f"<{TAGS[mark]}>"), _Token("text", f"</{TAGS[mark]}>")


def _trimmed(run: Sequence[Piece]) -> tuple[list[Piece], list[Piece], list[Piece]]:
    """White space and breaks before, the rest, white space and breaks after."""
    first, last = 0, len(run)
    while first < last and not _bare(run[first], str.lstrip):
        first += 1
    while first < last and not _bare(run[last - 1], str.rstrip):
        last -= 1
    before, core, after = list(run[:first]), list(run[first:last]), list(run[last:])
    if core and (stripped := _bare(core[0], str.lstrip)) != core[0].text:
        before.append(core[0]._replace(text=core[0].text.removesuffix(stripped)))
        core[0] = core[0]._replace(text=stripped)
    if core and (stripped := _bare(core[-1], str.rstrip)) != core[-1].text:
        after.insert(0, core[-1]._replace(text=core[-1].text.removeprefix(stripped)))
        core[-1] = core[-1]._replace(text=stripped)
    return before, core, after


def _bare(piece: Piece, strip: Callable[[str], str]) -> str:
    return piece.text if piece.kind in ("code", "image") else strip(piece.text)


def _plain(pieces: Sequence[Piece], *, in_link: bool) -> Iterator[_Token]:
    """Pieces of the same marks; neighbours of a kind are one, as `a` and `b` would run together."""
    for kind, group in groupby(pieces, key=lambda piece: piece.kind):
        run = list(group)
        if kind == "break":
            yield from (_Token("break", "") for _ in run)
        elif kind == "image":
            yield from (_Token("text", _image(piece)) for piece in run)
        elif text := "".join(piece.text for piece in run):
            is_code = kind == "code"
            plain = escaping.code(text) if is_code else escaping.text(text, in_link=in_link)
            yield _Token("text", plain)


def _image(piece: Piece) -> str:
    shown = " ".join(escaping.BREAKS.sub(" ", piece.text).split())
    return (
        f"![{escaping.text(shown, in_link=True, in_image=True)}]({escaping.address(piece.target)})"
    )


def _with_sound_code(run: Sequence[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for kind, group in groupby(run, key=lambda piece: piece.kind):
        pieces = list(group)
        if kind == "code" and _splits_cells("".join(piece.text for piece in pieces)):
            pieces = [piece._replace(kind="text") for piece in pieces]
        found += pieces
    return found


def _splits_cells(code: str) -> bool:
    """Whether readers of tables disagree on code: a bar behind an odd number of backslashes."""
    parts = code.split("|")[:-1]
    return any((len(part) - len(part.rstrip("\\"))) % 2 for part in parts)


def _lines(tokens: Sequence[_Token]) -> list[str]:
    """The tokens put together, with a comment wherever a mark would not be read as one."""
    lines: list[list[str]] = [[]]
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind == "break":
            lines.append([])
            at += 1
        elif token.kind == "text":
            lines[-1].append(token.text)
            at += 1
        else:
            end = at
            while end < len(tokens) and tokens[end].kind in ("open", "close"):
                end += 1
            following = tokens[end].text[:1] if end < len(tokens) else ""
            preceding = lines[-1][-1][-1:] if lines[-1] else ""
            lines[-1].append(_row(tokens[at:end], preceding, following))
            at = end
    return ["".join(parts) for parts in lines]


def _row(tokens: Sequence[_Token], before: str, after: str) -> str:
    """Neighbouring delimiters between two characters."""
    closing = [token.text for token in tokens if token.kind == "close"]
    opening = [token.text for token in tokens if token.kind == "open"]
    if closing and opening:
        return "".join(closing) + NOTHING + "".join(opening)
    row = "".join(closing + opening)
    inner, outer = (before, after) if closing else (after, before)
    mixed = len(set(row)) > 1
    if _is_word(outer) and (mixed or not inner.isalnum()):
        return row + NOTHING if closing else NOTHING + row
    return row


def _is_word(character: str) -> bool:
    """Whether every version of CommonMark takes it for neither white space nor punctuation."""
    if not character or character.isspace():
        return False
    is_ascii_sign = character.isascii() and not character.isalnum()
    return not (is_ascii_sign or unicodedata.category(character).startswith("P"))
