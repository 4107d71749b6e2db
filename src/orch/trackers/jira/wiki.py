"""Markdown as wiki markup, which Data Center takes in the place of documents.

Invariant: text stays text: what wiki markup would obey is escaped, and nothing is dropped; what has
no form there (HTML, footnotes) is shown as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

_SPECIAL = re.compile(r"[{}\[\]*_+^~|!?@-]")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_LINE_START = re.compile(r"^(h[1-6]|bq)\.|^(#)", re.MULTILINE)
_MARKS = {"strong_open": "*", "strong_close": "*", "em_open": "_", "em_close": "_",
          "s_open": "-", "s_close": "-"}  # fmt: skip
_LANGUAGE = re.compile(r"[A-Za-z0-9+#-]{1,30}")


def from_markdown(text: str) -> str:
    """`text` (GitHub Flavored Markdown) in Jira's wiki markup."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return _Page(parser.parse(text)).whole()


def escaped(text: str) -> str:
    """Text that wiki markup shows as it is."""
    safe = _ENTITY.sub("&amp;", text).replace("\\", "\0")
    safe = _SPECIAL.sub(lambda found: f"\\{found[0]}", safe)
    safe = safe.replace("\0", "&#92;")  # two backslashes would be a line break
    return _LINE_START.sub(lambda found: f"{found[1]}&#46;" if found[1] else f"\\{found[2]}", safe)


class _Page:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._out: list[str] = []
        self._lists: list[str] = []
        self._cell = ""

    def whole(self) -> str:
        for token in self._tokens:
            self._take(token)
        return re.sub(r"\n{3,}", "\n\n", "".join(self._out)).strip("\n")

    def _take(self, token: Token) -> None:
        simple: dict[str, Callable[[], str]] = {
            "heading_open": lambda: f"h{token.tag[1:]}. ",
            "heading_close": lambda: "\n\n",
            "paragraph_close": lambda: "\n" if self._lists else "\n\n",
            "list_item_open": lambda: f"{''.join(self._lists)} ",
            "blockquote_open": lambda: "{quote}\n",
            "blockquote_close": lambda: "{quote}\n\n",
            "hr": lambda: "----\n\n",
            "tr_close": lambda: f"{self._cell}\n",
            "table_close": lambda: "\n",
            "inline": lambda: _line(token.children or ()),
            "fence": lambda: _code(token.content, token.info),
            "code_block": lambda: _code(token.content, ""),
        }
        if token.type in ("bullet_list_open", "ordered_list_open"):
            self._lists.append("*" if token.type.startswith("bullet") else "#")
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            self._lists.pop()
            self._out.append("" if self._lists else "\n")
        elif token.type in ("th_open", "td_open"):
            self._cell = "||" if token.type == "th_open" else "|"
            self._out.append(self._cell)
        elif token.type in simple:
            self._out.append(simple[token.type]())


def _code(content: str, info: str) -> str:
    language = info.split()[0] if info.split() else ""
    head = f":{language}" if _LANGUAGE.fullmatch(language) else ""
    safe = content.replace("{code", "{\u200bcode")  # it would end the block
    return f"{{code{head}}}\n{safe.rstrip()}\n{{code}}\n\n"


def _line(tokens: Sequence[Token]) -> str:
    out: list[str] = []
    links: list[tuple[int, str]] = []
    for token in tokens:
        if token.type in _MARKS:
            out.append(_MARKS[token.type])
        elif token.type == "code_inline":
            out.append(f"{{{{{escaped(token.content)}}}}}")
        elif token.type in ("softbreak", "hardbreak"):
            out.append("\n")
        elif token.type == "link_open":
            links.append((len(out), str(token.attrGet("href") or "")))
        elif token.type == "link_close":
            at, address = links.pop()
            words = "".join(out[at:])
            out[at:] = [_link(words, address)]
        elif token.type == "image":
            out.append(_link(escaped(token.content), str(token.attrGet("src") or "")))
        else:
            out.append(escaped(token.content))
    return "".join(out)


def _link(words: str, address: str) -> str:
    """Only addresses of the web become links; others would be macros or mentions."""
    if not re.match(r"(?i)https?://|mailto:", address) or re.search(r"[\s|\]\[{}]", address):
        return f"{words} ({escaped(address)})" if address else words
    return f"[{words}|{address}]" if words else f"[{address}]"
