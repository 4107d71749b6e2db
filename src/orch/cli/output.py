"""The only writer to stdout; and what may be shown at all.

Invariant: data goes to stdout, narration to stderr. Foreign text is shown without control
characters, terminal escapes and bidirectional marks. What a table cuts is marked with `…`; JSON is
never cut. Colour only on a terminal, and never with NO_COLOR, TERM=dumb or --no-color.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

WIDTH = 80
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "dim": "2", "bold": "1"}
_STATES = {
    "done": "green", "open": "green", "active": "green", "succeeded": "green",
    "confirmed": "green", "running": "blue", "in_progress": "blue", "pending": "dim",
    "blocked": "yellow", "needs_review": "yellow", "lost": "yellow", "stopped": "yellow",
    "missing": "red", "error": "red", "aborted": "red", "failed": "red", "refused": "red",
}  # fmt: skip


class Output:
    """How one command talks: chosen by its options and its environment."""

    def __init__(self, *, json: bool, quiet: bool, colour: bool) -> None:
        self.json = json
        self.quiet = quiet
        self._colour = colour

    def data(self, value: Any) -> None:
        """One JSON value, indented on a terminal."""
        import msgspec

        raw = msgspec.json.encode(value)
        if sys.stdout.isatty():
            raw = msgspec.json.format(raw, indent=2)
        put(sys.stdout, raw.decode() + "\n")

    def line(self, text: str = "") -> None:
        put(sys.stdout, clean_lines(text) + "\n")

    def raw(self, text: str) -> None:
        """Text that has been cleaned already, or goes into a pipe."""
        put(sys.stdout, text)

    def note(self, text: str) -> None:
        """Narration: stderr, nothing with --quiet."""
        if not self.quiet:
            put(sys.stderr, clean_lines(text) + "\n")
            flush(sys.stderr)

    def paint(self, text: str, colour: str) -> str:
        if not self._colour or colour not in _COLOURS:
            return text
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"

    def state(self, word: str) -> str:
        """A state in its colour; the word itself always stands there."""
        return self.paint(word, _STATES.get(word, ""))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], grow: int = -1) -> None:
        """Columns that fit 80 characters (or the terminal): the column `grow` is cut if need be."""
        cells = [[clean(cell) for cell in row] for row in rows]
        widths = [
            max([_width(head), *(_width(row[i]) for row in cells)]) for i, head in enumerate(heads)
        ]
        room = max(WIDTH, _columns()) - 2 * (len(heads) - 1)
        grow = grow % len(heads)
        over = sum(widths) - room
        if over > 0:
            widths[grow] = max(10, widths[grow] - over)
        self._row([self.paint(h.upper(), "dim") for h in heads], [_width(h) for h in heads], widths)
        for row in cells:
            short = [_cut(cell, width) for cell, width in zip(row, widths, strict=True)]
            shown = [
                self.state(cell) if heads[i] in ("status", "state") else cell
                for i, cell in enumerate(short)
            ]
            self._row(shown, [_width(cell) for cell in short], widths)

    def _row(self, cells: Sequence[str], lengths: Sequence[int], widths: Sequence[int]) -> None:
        padded = [
            cell + " " * (width - length)
            for cell, length, width in zip(cells, lengths, widths, strict=True)
        ]
        put(sys.stdout, "  ".join(padded).rstrip() + "\n")


def put(stream: TextIO, text: str) -> None:
    """Write. When nobody reads any more (`orch ps | head -1`) it is no error: what is left of the
    work goes on, and says nothing."""
    try:
        stream.write(text)
    except BrokenPipeError:
        _unheard(stream)


def flush(stream: TextIO) -> None:
    """Hand over what was written; see `put`."""
    try:
        stream.flush()
    except BrokenPipeError:
        _unheard(stream)


def _unheard(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def wants_colour(environ: Mapping[str, str], *, refused: bool) -> bool:
    if refused or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty()


def clean(text: str) -> str:
    """One line that is safe on any terminal."""
    return clean_lines(text).replace("\n", " ").replace("\t", " ")


def clean_lines(text: str) -> str:
    """Text without control characters (but newline and tab), escapes, and marks that reorder."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in "\n\t" or _harmless(c) else _shown(c) for c in text)


def _harmless(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _shown(character: str) -> str:
    if character in ("\u200d", "\ufe0f"):
        return character  # joins emoji; harmless
    return "" if unicodedata.category(character) == "Cf" else "�"


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    kept = text
    while kept and _width(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return WIDTH
