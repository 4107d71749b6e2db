"""Markdown as its readers see it: which lines are code, quotes, HTML or prose, and what stands in a
line beside words.

Invariant: takes time in proportion to the text, whatever it holds; a text that is too long or nests
too deep to be taken apart is None, never guessed. Blocks are markdown-it's (CommonMark with tables,
docs/adr/0020-hidden-and-outward-text.md); of what stands in lines only code, tags, comments and
addresses in angle brackets are looked at, because those are what bind first.
"""

from __future__ import annotations

import bisect
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline

LONGEST = 256 * 1024
"""Characters that are parsed."""
MOST_NESTED = 60
"""Levels of the parser: a quote is one, a list with its items two."""
LONGEST_TAG = 2000
"""Characters; a longer tag counts as `unsure`."""
BlockKind = Literal["prose", "cells", "code", "html", "definition"]
SpanKind = Literal["code", "comment", "tag", "address", "unsure"]
_HOLDERS = {
    "blockquote_open": "quote", "list_item_open": "item", "heading_open": "heading",
}  # fmt: skip
_TAG = re.compile(
    r"</[A-Za-z][A-Za-z0-9-]*\s*>"
    r"|<[A-Za-z][A-Za-z0-9-]*"
    r"(?:\s+[A-Za-z_:][A-Za-z0-9_.:-]*(?:\s*=\s*(?:[^\s\"'=<>`]+|'[^']*'|\"[^\"]*\"))?)*"
    r"\s*/?>"
)
_CODED = {"<!--": "-->", "<?": "?>", "<![CDATA[": "]]>"}


class Block(msgspec.Struct, frozen=True):
    """`first` and `end` are lines (from 0, `end` is not part of it); `content` is what stands in
    it without marks of quotes and lists; `within` names what is around it, outermost first
    (`quote`, `item`, `heading`, `underlined` for a heading that is a line with dashes below)."""

    kind: BlockKind
    first: int
    end: int
    content: str = ""
    within: tuple[str, ...] = ()


class Span(msgspec.Struct, frozen=True):
    """`start` and `end` are characters of the block's content."""

    kind: SpanKind
    start: int
    end: int


def blocks(text: str) -> list[Block] | None:
    """The blocks of a text in order; None for one that cannot be taken apart."""
    if len(text) > LONGEST:
        return None
    environment: dict[str, Any] = {}
    found: list[Block] = []
    within: list[str] = []
    table = False
    for token in _parser().parse(text, environment):
        if token.level >= MOST_NESTED - 2:
            return None
        if token.type in ("table_open", "table_close"):
            table = token.nesting > 0
        elif token.type in _HOLDERS:
            under = token.type == "heading_open" and token.markup in ("-", "=")
            within.append("underlined" if under else _HOLDERS[token.type])
        elif token.type.replace("_close", "_open") in _HOLDERS:
            within.pop()
        elif token.type in ("inline", "fence", "code_block", "html_block") and token.map:
            kind: BlockKind = "cells" if table else _kind(token.type)
            found.append(Block(kind, token.map[0], token.map[1], token.content, tuple(within)))
    defined = [*environment.get("references", {}).items()]
    defined += [(one["label"], one) for one in environment.get("duplicate_refs", ())]
    found += [Block("definition", one["map"][0], one["map"][1], label) for label, one in defined]
    return sorted(found, key=lambda block: (block.first, block.end))


def _kind(word: str) -> BlockKind:
    return "prose" if word == "inline" else "html" if word == "html_block" else "code"


def spans(content: str) -> list[Span]:
    """What a block of prose holds beside words, in order."""
    environment: dict[str, Any] = {"found": []}
    _parser().inline.parse(content, _parser(), environment, [])
    found: list[Span] = environment["found"]
    return found


def places(lines: list[str], block: Block) -> list[tuple[int, int, int]] | None:
    """Where each line of a block's content stands in the text; None where that is not certain."""
    found = []
    for number, line in enumerate(block.content.split("\n"), block.first):
        if number >= min(block.end, len(lines)):
            return None
        start = lines[number].rfind(line)
        if start < 0 or (line and lines[number][:start].strip(" \t>-+*#.)0123456789")):
            return None
        found.append((number, start, start + len(line)))
    return found


def code_in(text: str) -> list[tuple[int, int]]:
    """Where code stands, as characters of the text (newlines only), in order; nothing where that is
    not certain."""
    found: list[tuple[int, int]] = []
    lines, rows = text.split("\n"), set[int]()
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for block in blocks(text) or ():
        if block.kind == "code":
            found.append((starts[block.first], starts[min(block.end, len(lines))]))
        elif block.kind == "prose" and "`" in block.content:
            found += _code_of(block, places(lines, block), starts)
        elif block.kind == "cells" and block.first not in rows:
            rows.add(block.first)
            found += _code_of_row(lines[block.first], starts[block.first])
    return found


def _code_of_row(line: str, start: int) -> list[tuple[int, int]]:
    """Code in the cells of a table's row; a bar ends a cell, whatever stands around it."""
    if "`" not in line or "\\|" in line:
        return []
    found = []
    for cell in line.split("|"):
        found += [(start + one.start, start + one.end) for one in spans(cell) if one.kind == "code"]
        start += len(cell) + 1
    return found


def _code_of(
    block: Block, where: list[tuple[int, int, int]] | None, starts: list[int]
) -> list[tuple[int, int]]:
    if where is None:
        return []
    ends = [0]
    for line in block.content.split("\n"):
        ends.append(ends[-1] + len(line) + 1)

    def place(position: int) -> int:
        line = bisect.bisect_right(ends, position) - 1
        number, start, _ = where[line]
        return starts[number] + start + position - ends[line]

    return [
        (place(span.start), place(span.end - 1) + 1)
        for span in spans(block.content)
        if span.kind == "code"
    ]


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": MOST_NESTED})
    parser.enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    parser.inline.ruler.enableOnly(["text", "newline", "escape", "backticks", "autolink"])
    parser.inline.ruler2.enableOnly(["fragments_join"])
    _noting(parser, "backticks", "code")
    _noting(parser, "autolink", "address")
    parser.inline.ruler.after("autolink", "markup", _markup)
    return parser


def _noting(parser: MarkdownIt, name: str, kind: SpanKind) -> None:
    """Let a rule of the parser note where it found something."""
    from markdown_it.rules_inline import autolink, backtick

    rule = backtick if name == "backticks" else autolink

    def noted(state: StateInline, silent: bool) -> bool:
        start = state.pos
        found = rule(state, silent)
        # Backticks that close nothing are words, though the rule has taken them.
        code = kind != "code" or (bool(state.tokens) and state.tokens[-1].type == "code_inline"
                                  and not state.pending)  # fmt: skip
        if found and not silent and code:
            unsure = kind == "code" and _in_address(state.src, start)
            state.env["found"].append(Span("unsure" if unsure else kind, start, state.pos))
        return found

    parser.inline.ruler.at(name, noted)


def _in_address(text: str, start: int) -> bool:
    """Whether backticks are glued to a bare address: GFM takes them for a part of it, CommonMark
    for the beginning of code."""
    before = re.split(r"[\s<]", text[max(0, start - LONGEST_TAG) : start])[-1].lower()
    return "://" in before or "www." in before or len(before) >= LONGEST_TAG


def _markup(state: StateInline, silent: bool) -> bool:
    """Tags and comments. A closer that is not there is looked for once."""
    start, text = state.pos, state.src
    if text[start] != "<":
        return False
    end, kind = _comment(state, start), "comment"
    if end < 0:
        stop = min(state.posMax, start + LONGEST_TAG)
        tag = _TAG.match(text, start, stop)
        kind = "tag"
        if tag is not None:
            end = tag.end()
        elif (
            stop < state.posMax
            and text[start + 1 : start + 2].isalpha()
            and not any(mark in text[start + 1 : stop] for mark in "<>")
        ):
            end, kind = start + 1, "unsure"
    if end < 0:
        return False
    if not silent:
        token = state.push("html_inline", "", 0)
        token.content = text[start:end]
        state.env["found"].append(Span(kind, start, end))  # type: ignore[arg-type]
    state.pos = end
    return True


def _comment(state: StateInline, start: int) -> int:
    """Where a comment (or a declaration, an instruction, CDATA) that begins there ends; -1."""
    text = state.src
    if text.startswith(("<!-->", "<!--->"), start):
        return start + (5 if text[start + 4] == ">" else 6)
    for opener, closer in _CODED.items():
        if text.startswith(opener, start):
            return _closed(state, start + len(opener), closer)
    if text.startswith("<!", start) and text[start + 2 : start + 3].isalpha():
        return _closed(state, start + 2, ">")
    return -1


def _closed(state: StateInline, start: int, closer: str) -> int:
    missing: set[str] = state.env.setdefault("missing", set())
    if closer in missing:
        return -1
    found = state.src.find(closer, start, state.posMax)
    if found < 0:
        missing.add(closer)
        return -1
    return found + len(closer)
