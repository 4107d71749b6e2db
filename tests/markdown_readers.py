"""Other people's readers of Markdown, for a second opinion: cmark-gfm (GitHub's own, in C) and
markdown-it. Both come down to the same thing: what a person sees in the browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options
from markdown_it import MarkdownIt

VOID = {"br", "hr", "img", "input"}


@dataclass
class Seen(HTMLParser):
    """A page as it is seen: its text in order, and the elements that the Markdown made."""

    parts: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    marked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)  # elements that are open
    comments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        if tag == "a":
            self.links.append(found.get("href") or "")
        if tag == "img":
            self.images.append(found.get("src") or "")
            self.parts.append(found.get("alt") or "")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.parts.append(data)
        if data.strip():
            self.marked.append((data, tuple(self.stack)))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def text(self) -> str:
        """All that is seen, without white space."""
        return bare("".join(self.parts))


def bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def seen(html: str) -> Seen:
    page = Seen()
    page.feed(html)
    page.close()
    return page


def by_cmark(markdown: str) -> Seen:
    options = Options.CMARK_OPT_UNSAFE
    return seen(
        cmarkgfm.markdown_to_html_with_extensions(
            markdown, options, ["table", "autolink", "strikethrough", "tasklist"]
        )
    )


_markdown_it = MarkdownIt("commonmark", {"maxNesting": 1000}).enable(["table", "strikethrough"])


def by_markdown_it(markdown: str) -> Seen:
    return seen(_markdown_it.render(markdown))


READERS: dict[str, Callable[[str], Seen]] = {
    "cmark-gfm": by_cmark,
    "markdown-it": by_markdown_it,
}
