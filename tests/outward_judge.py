"""A judge of what goes outward, by GitHub's own reader of Markdown: what would a tracker do?"""

from __future__ import annotations

import re
from collections.abc import Collection

from tests.markdown_readers import by_cmark


def trouble(text: str, own: Collection[str] = ("12",)) -> str:
    """What a tracker would do with the text that it may not; empty for nothing. `own` are the
    numbers that it may refer to."""
    page = by_cmark(text)
    led = [to for to in [*page.links, *page.images] if re.match(r"[a-z]+:|//", to, re.I)
           and not to.startswith(("https://github.com/", "mailto:"))]  # fmt: skip
    loads = [
        tag for tag in page.tags if tag in ("img", "iframe", "video", "source", "object", "picture")
    ]
    loads = [] if not page.images and loads == ["img"] else loads
    words = "\n".join(said for said, where in page.marked if not {"code", "pre"} & set(where))
    linked = [to for to in page.links if re.search(r"/(issues|pull)/(?!12\Z)", to)]
    found = {
        "leads elsewhere": led or linked, "loads": loads,
        "names somebody": re.findall(r"(?<![\w@/])@\w+|\[~\w", words),
        "refers to": [
            one for one in re.findall(r"(?<!\S)\S*[#!]\d+|GH-\d+", words)
            if one.removeprefix("#") not in own
        ],
        "orders": re.findall(r"^\s*(?:[-*>]\s*)*/\w+", words, re.M) if _orders(text) else [],
        "marks": re.findall("<!-- *orch:", text), "comments": page.comments,
        "secrets": re.findall("7f3a9b2e51c8d604|ghp_a|Y2Fu", re.sub(r"\W", "", text)),
        "hidden": [c for c in text if not c.isprintable() and c not in "\n\t\u200b"],
        "drawn": re.findall("```(?:mermaid|geojson)", text),
    }  # fmt: skip
    return ", ".join(f"{kind} ({what!a:.300})" for kind, what in found.items() if what)


def _orders(text: str) -> bool:
    """GitLab looks at lines of the source."""
    return re.search(r"^\s*(?:[-*>]\s*)*/\w", text, re.M) is not None
