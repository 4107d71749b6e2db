"""Tables to Markdown: GFM's, one line a row, with all that a cell can hold on its line.

Invariant: a table stays one table. The first row is the head only where all of its cells are heads
(an empty one is written else); it is as wide as the widest row, so that readers cut none; spanned
cells are empty ones. Blocks in a cell are parted by `<br>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orch.trackers.adf.atoms import Look, pieces
from orch.trackers.adf.inline import Piece, Place, pieces_of, written
from orch.trackers.adf.nodes import (
    At,
    Node,
    attribute,
    attributes,
    children,
    is_inline,
    kind,
    number,
    texts,
    words,
)
from orch.trackers.adf.unfolding import unfolded

WIDEST_SPAN = 100
_MOST_SPANNED = (
    20_000  # empty cells of a table that stand for one reaching over several rows or columns
)
_CELLS = ("tableCell", "tableHeader")
_INDENT = "\N{NO-BREAK SPACE}" * 2
_STRONG = frozenset({"strong"})

Line = list[Piece]


def table(node: Node, at: At) -> str:
    """The table; empty where it has no cell."""
    rows = [_cells(row) for row in children(node)]
    rows = [row for row in rows if row]
    has_head = bool(rows) and all(kind(cell) == "tableHeader" for cell in rows[0])
    grid: list[list[str]] = [] if has_head else [[]]
    hanging: dict[int, int] = {}  # column -> rows that a cell above still reaches over
    left = _MOST_SPANNED
    for index, row in enumerate(rows):
        line: list[str] = []
        if left <= 0:
            hanging.clear()
        for cell in row:
            left -= _fill(line, hanging)
            is_strong = kind(cell) == "tableHeader" and not (index == 0 and has_head)
            text = _cell(cell, at, is_strong=is_strong)
            width = number(attributes(cell).get("colspan"), 1, 1, WIDEST_SPAN if left > 0 else 1)
            left -= width - 1
            down = number(attributes(cell).get("rowspan"), 1, 1, len(rows) - index)
            if down > 1 and left > 0:
                hanging.update({len(line) + step: down - 1 for step in range(width)})
            line += [text, *[""] * (width - 1)]
        left -= _fill(line, hanging)
        grid.append(line)
    if not rows:
        return ""
    columns = max(map(len, grid))
    grid[0] += [""] * (columns - len(grid[0]))
    lines = [f"| {' | '.join(line)} |" for line in grid]
    return "\n".join([lines[0], f"|{' --- |' * columns}", *lines[1:]])


def _fill(line: list[str], hanging: dict[int, int]) -> int:
    """Put an empty cell wherever one from above hangs down next; how many."""
    filled = 0
    while hanging.get(len(line)):
        hanging[len(line)] -= 1
        line.append("")
        filled += 1
    return filled


def _cells(row: Node) -> list[Node]:
    """The cells of a row; what stands among them is one, and a row that is none is a cell."""
    if kind(row) in _CELLS:
        return [row]
    if kind(row) != "tableRow":
        return [{"type": "tableCell", "content": [row]}]
    return [
        cell if kind(cell) in _CELLS else {"type": "tableCell", "content": [cell]}
        for cell in children(row)
    ]


def _cell(cell: Node, at: At, *, is_strong: bool) -> str:
    lines = list(lines_of(children(cell), at.deeper()))
    if is_strong:
        lines = [_with_strong(line) for line in lines]
    shown = [text for line in lines if (text := written(line, Place.CELL))]
    return Place.CELL.line_break.join(shown).replace("|", "\\|")


def _with_strong(line: Line) -> Line:
    return [piece._replace(marks=piece.marks | _STRONG) for piece in line]


def lines_of(nodes: Sequence[Node], at: At) -> Iterator[Line]:
    """Blocks as lines of pieces, as deep as they go."""
    if at.is_too_deep:
        yield list(pieces_of(" ".join(texts(list(nodes)))))
        return
    run: Line = []
    for node in unfolded(nodes):
        if is_inline(node):
            run += pieces([node], at)
            continue
        if run:
            yield run
            run = []
        yield from _block(node, at.deeper())
    if run:
        yield run


def _block(node: Node, at: At) -> Iterator[Line]:
    name = kind(node)
    held = children(node)
    if name == "paragraph":
        yield list(pieces(held, at))
    elif name == "heading":
        yield _with_strong(list(pieces(held, at)))
    elif name == "codeBlock":
        said = "".join(words(child.get("text")) or "\n" for child in held)
        yield list(pieces_of(said, "code"))
    elif name == "rule":
        yield [Piece("text", "---")]
    elif name in ("bulletList", "orderedList", "taskList", "decisionList"):
        yield from _list(node, at)
    elif name == "table":
        for row in held:
            yield _row(row, at)
    elif name in ("blockquote", "panel", "expand", "nestedExpand"):
        title = attribute(node, "title", "panelIconText")
        yield [Piece("text", title, _STRONG)] if title else []
        yield from lines_of(held, at)
    elif name in ("mediaSingle", "mediaGroup"):
        for child in held:
            is_media = kind(child) == "media"
            yield from (
                [list(pieces([child], at, Look(node)))] if is_media else lines_of([child], at)
            )
    else:
        yield list(pieces([node], at))


def _list(node: Node, at: At) -> Iterator[Line]:
    first = number(attributes(node).get("order"), 1, 0, 999_999_999)
    for index, item in enumerate(children(node)):
        is_item = kind(item) in ("listItem", "taskItem", "blockTaskItem", "decisionItem")
        lead = f"{first + index}. " if kind(node) == "orderedList" else "- "
        if kind(item) in ("taskItem", "blockTaskItem"):
            lead += "[x] " if attribute(item, "state").upper() == "DONE" else "[ ] "
        elif kind(item) == "decisionItem":
            state = attribute(item, "state")
            lead += "Decision: " if state in ("", "DECIDED") else f"Decision ({state}): "
        elif not is_item:
            lead = _INDENT
        for line in lines_of(children(item) if is_item else [item], at):
            yield [Piece("text", lead), *line]
            lead = _INDENT
        if lead.strip():
            yield [Piece("text", lead)]


def _row(row: Node, at: At) -> Line:
    """A row of a table in a cell: its cells between bars."""
    line: Line = []
    for cell in _cells(row):
        for index, part in enumerate(lines_of(children(cell), at.deeper())):
            gap = " | " if index == 0 and line else " " if line else ""
            line += [*([Piece("text", gap)] if gap else []), *part]
    return line
