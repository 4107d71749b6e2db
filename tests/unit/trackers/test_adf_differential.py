"""Other converters between ADF and Markdown, case by case: where they differ from ours, and why.

`same` is what GitHub's reader makes the same page of. A difference that is not in the tables fails,
and so does one in the tables that is gone.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from orch.trackers.adf import from_markdown, to_markdown
from tests.adf_cases import CASES, Node, doc, p
from tests.adf_documents import errors, said
from tests.markdown_readers import bare, by_cmark

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of theirs
    import adflux
    import marklassian
    import pyadf
    from atlas_doc_parser.api import NodeDoc

WRITERS: dict[str, Callable[[Node], str]] = {
    "adflux": lambda document: adflux.convert(json.dumps(document), src="adf", dst="md"),
    "pyadf": lambda document: pyadf.Document(document).to_markdown(),
    "atlas": lambda document: NodeDoc.from_dict(document).to_markdown(),
}
PLAIN = ["# a", "1. a", "*a*", "<b>", "a | b\n- | -", "- a", "> a"]
DOCUMENTS = {name: doc(block) for name, block, _ in CASES} | {text: doc(p(text)) for text in PLAIN}

# raises: it stops. hidden: it stands in an HTML comment that no reader shows. lost: some of the text
# is nowhere. Everything else has its reason in OTHER.
VERDICTS = {
    "hardBreak": ("other", "same", "same"),
    "heading": ("lost", "lost", "lost"),
    "heading-break": ("other", "other", "other"),
    "bulletList": ("other", "same", "same"),
    "listItem": ("same", "same", "raises"),
    "listItem-code": ("same", "other", "raises"),
    "taskList": ("hidden", "other", "same"),
    "blockTaskItem": ("hidden", "raises", "lost"),
    "decisionList": ("hidden", "raises", "other"),
    "codeBlock": ("same", "lost", "lost"),
    "panel": ("other", "other", "other"),
    "panel-custom": ("other", "other", "other"),
    "expand": ("other", "lost", "lost"),
    "nestedExpand": ("hidden", "raises", "lost"),
    "rule": ("same", "other", "same"),
    "table": ("same", "lost", "other"),
    "tableHeader": ("lost", "other", "other"),
    "tableCell": ("other", "other", "other"),
    "tableRow": ("lost", "lost", "lost"),
    "mediaSingle": ("hidden", "lost", "same"),
    "media": ("hidden", "lost", "other"),
    "caption": ("hidden", "raises", "lost"),
    "mediaGroup": ("hidden", "lost", "lost"),
    "blockCard": ("same", "other", "same"),
    "embedCard": ("hidden", "other", "same"),
    "layoutSection": ("same", "raises", "lost"),
    "layoutColumn": ("same", "raises", "lost"),
    "extension": ("hidden", "lost", "lost"),
    "bodiedExtension": ("hidden", "raises", "lost"),
    "syncBlock": ("hidden", "raises", "other"),
    "bodiedSyncBlock": ("hidden", "raises", "lost"),
    "text": ("same", "lost", "lost"),
    "date": ("hidden", "other", "same"),
    "status": ("hidden", "other", "other"),
    "inlineCard": ("same", "other", "same"),
    "inlineCard-data": ("hidden", "other", "raises"),
    "placeholder": ("hidden", "raises", "lost"),
    "inlineExtension": ("hidden", "raises", "lost"),
    "mediaInline": ("hidden", "lost", "lost"),
    "code": ("same", "lost", "same"),
    "underline": ("other", "other", "other"),
    "subsup": ("other", "other", "other"),
    "subsup-sup": ("other", "other", "other"),
    "link": ("other", "other", "other"),
    "textColor": ("hidden", "same", "same"),
    "backgroundColor": ("hidden", "same", "same"),
    "annotation": ("hidden", "same", "same"),
    "indentation": ("same", "same", "lost"),
    "border": ("hidden", "lost", "lost"),
    "media-link": ("hidden", "lost", "same"),
    "mediaSingle-link": ("hidden", "lost", "other"),
    "fragment": ("hidden", "lost", "other"),
    "dataConsumer": ("hidden", "lost", "other"),
    "# a": ("lost", "lost", "lost"),
    "1. a": ("lost", "lost", "lost"),
    "*a*": ("same", "lost", "lost"),
    "<b>": ("same", "lost", "lost"),
    "a | b\n- | -": ("lost", "lost", "lost"),
    "- a": ("lost", "lost", "lost"),
    "> a": ("lost", "lost", "lost"),
}  # fmt: skip
OTHER = {
    ("adflux", "hardBreak"): "a backslash at the end of the paragraph, which is shown",
    ("*", "heading-break"): "a heading has one line; its second one becomes a paragraph",
    ("adflux", "bulletList"): "a loose list: `p` in its items",
    ("pyadf", "listItem-code"): "indented by two under a marker of three: the code leaves the list",
    ("pyadf", "taskList"): "a list among tasks becomes an item with a box of its own",
    ("atlas", "decisionList"): "a quote; nothing says that it is a decision",
    ("adflux", "panel"): "the same alert, `[!WARNING]` in a paragraph of its own",
    ("pyadf", "panel"): "a quote; its kind is lost",
    ("atlas", "panel"): "a quote with the kind in bold, which GitHub does not take for an alert",
    ("adflux", "panel-custom"): "its icon is lost",
    ("pyadf", "panel-custom"): "a quote; its kind is lost",
    ("atlas", "panel-custom"): "a quote with the kind in bold; its icon is lost",
    (
        "adflux",
        "expand",
    ): "<details>: raw HTML, text to readers (agents, terminals) that render none",
    ("pyadf", "rule"): "nothing is written",
    ("atlas", "table"): "a break behind each cell",
    (
        "pyadf",
        "tableHeader",
    ): "the first row is the head although it is none, and each row has a line below",
    (
        "atlas",
        "tableHeader",
    ): "the first row is the head although it is none, and each row has a line below",
    (
        "*",
        "tableCell",
    ): "blocks of a cell run together or leave the table; spans move the cells behind",
    ("atlas", "media"): "a picture at media:ID, which no browser shows",
    ("pyadf", "blockCard"): "the address in brackets is no link",
    ("pyadf", "embedCard"): "nothing is written",
    ("pyadf", "inlineCard"): "the address in brackets is no link",
    ("pyadf", "inlineCard-data"): "<broken_inlinecard>",
    ("atlas", "syncBlock"): "nothing is written",
    ("pyadf", "date"): "with the time of day, which a date has not",
    ("pyadf", "status"): "in brackets, too",
    ("atlas", "status"): "as code",
    ("*", "underline"): "the mark is lost",
    ("*", "subsup"): "the mark is lost",
    ("*", "subsup-sup"): "the mark is lost",
    ("*", "link"): "the address is not escaped: no link",
    ("atlas", "mediaSingle-link"): "a picture at media:ID; its link is lost",
    ("atlas", "fragment"): "other words for an extension",
    ("atlas", "dataConsumer"): "other words for an extension",
}


def verdict(name: str, document: Node) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = WRITERS[name](document)
    except Exception:  # noqa: BLE001 - whatever it is, it stopped
        return "raises"
    page, ours = by_cmark(theirs), by_cmark(to_markdown(document))
    if (page.text, page.tags, page.links) == (ours.text, ours.tags, ours.links):
        return "same"
    if any(comment.startswith("adf:") for comment in page.comments):
        return "hidden"
    at = 0
    for part in map(bare, said(document)):
        at = page.text.find(part, at)
        if at < 0:
            return "lost"
        at += len(part)
    return "other"


@pytest.mark.parametrize("case", DOCUMENTS)
def test_others_differ_from_ours_where_the_tables_say_so(case: str) -> None:
    found = tuple(verdict(name, DOCUMENTS[case]) for name in WRITERS)
    assert found == VERDICTS.get(case, ("same",) * len(WRITERS))
    for name, word in zip(WRITERS, found, strict=True):
        is_explained = (name, case) in OTHER or ("*", case) in OTHER
        assert is_explained == (word == "other") or (("*", case) in OTHER and word != "same")


def test_no_converter_is_excused_for_a_case_that_is_gone() -> None:
    assert {case for _, case in OTHER} <= set(VERDICTS) <= set(DOCUMENTS)


READERS: dict[str, Callable[[str], Any]] = {
    "adflux": lambda text: json.loads(adflux.convert(text, src="md", dst="adf")),
    "pyadf": pyadf.markdown_to_adf,
    "marklassian": marklassian.markdown_to_adf,
}
AGREED = [
    "plain", "a **b** *c* ~~d~~ `e`", "**a*b***", "# H", "- a\n- b", "- a\n  - b", "> q",
    "```py\nx\n```", "a\\\nb", "a\n\nb", "1. a\n2. b", "[t](https://a.example/)",
]  # fmt: skip
READ_OTHERWISE = {
    ("pyadf", "3. a"): "the number is lost",
    ("adflux", "- [ ] a"): "the box becomes the text of an <input>",
    ("pyadf", "- [ ] a"): "paragraphs in its items, no ids: not in the schema",
    ("marklassian", "```\n```"): "a language that nobody gave",
    ("adflux", "> # h"): "a heading in a quote: not in the schema",
    ("pyadf", "> # h"): "a heading in a quote: not in the schema",
    ("marklassian", "> # h"): "a heading in a quote: not in the schema",
    ("adflux", "- # h"): "a heading in an item: not in the schema",
    ("pyadf", "- # h"): "a heading in an item: not in the schema",
    ("marklassian", "- # h"): "the heading is taken for text",
    ("pyadf", "| a |\n| - |\n| 1 |"): "cells without paragraphs: not in the schema",
    ("pyadf", "---"): "raises",
    ("adflux", "a\nb"): "a line break in a text node, for a blank",
    ("pyadf", "a\nb"): "a line break in a text node, for a blank",
    ("pyadf", '[t](https://a.example/ "x")'): "the title is lost",
    ("marklassian", '[t](https://a.example/ "x")'): "the title is lost",
    ("adflux", "<https://a.example/>"): "a card: Jira would ask that address for its title",
    ("adflux", "https://a.example/"): "no link, though GFM has one",
    ("pyadf", "https://a.example/"): "no link, though GFM has one",
    ("marklassian", "https://a.example/"): "no link, though GFM has one",
    ("adflux", "![b](https://a.example/p.png)"): "the address is lost",
    ("pyadf", "![b](https://a.example/p.png)"): "raises",
    ("adflux", "a ![b](https://a.example/p.png)"): "the address is lost",
    ("pyadf", "a ![b](https://a.example/p.png)"): "raises",
    ("marklassian", "a ![b](https://a.example/p.png)"): "the picture leaves its sentence",
    ("pyadf", "<b>x</b>"): "raises",
    ("marklassian", "<b>x</b>"): "the tags are lost",
    ("pyadf", "a &amp; b"): "the text in pieces",
    ("marklassian", "a &amp; b"): "the character stays a reference",
    ("pyadf", "\\*a\\*"): "the text in pieces",
    ("adflux", "[x](javascript:1)"): "text, as we have it, in other words",
    ("pyadf", "[x](javascript:1)"): "a link that runs",
    ("marklassian", "[x](javascript:1)"): "a link that runs",
    ("pyadf", "> [!NOTE]\n> a"): "no panel",
    ("marklassian", "> [!NOTE]\n> a"): "no panel",
    ("adflux", "**`x`**"): "code with another mark: not in the schema",
    ("pyadf", "**`x`**"): "raises",
}
SNIPPETS = dict.fromkeys([*AGREED, *(text for _, text in READ_OTHERWISE)])
LOOKS = {"localId", "width", "layout", "isNumberColumnEnabled"}


def bared(value: Any) -> Any:
    """A document without ids, looks and empty lists, its marks in one order."""
    if isinstance(value, list):
        return [bared(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: bared(item) for key, item in value.items() if key not in LOOKS}
    if found.get("order") == 1:
        del found["order"]
    if "marks" in found:
        found["marks"].sort(key=lambda mark: mark["type"])
    return {key: item for key, item in found.items() if item not in ([], {})}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("text", SNIPPETS)
def test_others_read_markdown_as_we_do_but_for_what_is_listed(name: str, text: str) -> None:
    try:
        theirs = READERS[name](text)
    except Exception:  # noqa: BLE001 - whatever it is, it stopped
        assert READ_OTHERWISE.get((name, text)) == "raises"
        return
    is_same = bared(theirs) == bared(from_markdown(text))
    assert is_same == ((name, text) not in READ_OTHERWISE)
    says_invalid = READ_OTHERWISE.get((name, text), "").endswith("not in the schema")
    assert bool(errors(theirs)) == says_invalid
