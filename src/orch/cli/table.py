"""Columns made to fit a width. Pure.

Invariant: no row is wider than asked while a column can still give; what is cut ends with `…` (a path
or a branch begins with it: its end says more), and the number of cut cells is told.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import NamedTuple

from orch.cli.cleaning import width

GAP = 2
LEAST = 10
"""A column gives until it is this wide, unless it never was: a date is never cut."""
_ENDS = ("PATH", "BRANCH", "ENV", "KEPT")
"""Columns whose texts begin alike and differ at their end."""


class Cell(NamedTuple):
    """A cell's text and the blanks that follow it."""

    text: str
    pad: int

    def text_in(self, painted: str) -> str:
        """The painted text, padded by what the plain one measures."""
        return painted + " " * self.pad


def fitted(
    heads: Sequence[str], rows: Sequence[Sequence[str]], room: int
) -> tuple[list[list[Cell]], int]:
    """Heads and rows as cells, and how many cells were cut."""
    table = [heads, *rows]
    # Written out for plain words: a listing of thousands is mostly those.
    sizes = [[len(t) if t.isascii() else width(t) for t in row] for row in table]
    widths = [max(column) for column in zip(*sizes, strict=True)]
    _narrow(widths, room - GAP * (len(heads) - 1))
    fits, cut = [], 0
    for row, taken in zip(table, sizes, strict=True):
        if all(map(operator.le, taken, widths)):
            fits.append(list(map(Cell, row, map(operator.sub, widths, taken))))
            continue
        cells = []
        for text, size, limit, head in zip(row, taken, widths, heads, strict=True):
            if size > limit:
                text = shortened(text, limit, keep_end=head in _ENDS)
                size = width(text)
                cut += 1
            cells.append(Cell(text, limit - size))
        fits.append(cells)
    return fits, cut


def _narrow(widths: list[int], room: int) -> None:
    """Take from the widest column until all fit; from the first one, the name, only at last."""
    for givers in (range(1, len(widths)), range(len(widths))):
        while sum(widths) > room:
            widest = max(
                (i for i in givers if widths[i] > LEAST), key=widths.__getitem__, default=-1
            )
            if widest < 0:
                break
            widths[widest] -= 1


def shortened(text: str, limit: int, *, keep_end: bool = False) -> str:
    """`text` in at most `limit` columns, cut on characters (H17)."""
    if width(text) <= limit:
        return text
    kept, room = "", limit - 1
    for character in reversed(text) if keep_end else text:
        room -= width(character)
        if room < 0:
            break
        kept += character
    return f"…{kept[::-1]}" if keep_end else f"{kept}…"
