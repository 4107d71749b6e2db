"""Markdown becomes documents of Atlassian's schema that say all of it, and comes back from them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from markdown_it import MarkdownIt

from orch.trackers.adf import from_markdown, to_markdown
from tests.adf_cases import CASES, Node, doc, item, node, p, text
from tests.adf_documents import WORDS, errors
from tests.markdown_readers import bare, seen

LINES = [
    "# h", "## *a* b", "- a", "- [ ] t", "- [x] d", "  - b", "* c", "1. x", "3) y", "   more", "> q",
    "> - z", ">> n", "> [!NOTE]", "> **▸ T**", "```py", "```", "~~~", "| a | b |", "| --- | --- |",
    "| 1 | `x` |", "---", "***", "", "", "", "", "text *em* **st**", "a\\", "b  ", "![p](http://i.e/x)",
    '[l](http://e.e "t")', "<b>x</b>", "<!-- c -->", "<!-- -->", "<!--\n-->", "http://x.y/z.",
    "&amp; &lt;", "\\*no\\*",
    "    code", "\ttab", "[ref]: http://r.e", "[ref]", "x<sub>2</sub>", "a<br>b", "~~s~~", "===",
    "<div>", "**a*b***", "[x](javascript:1)", "[![a](http://b.c)](http://d.e)", "- ",
    "1.", "+ - * x", "![r](rel.png) w", "> | a |\n> | - |\n> | b |", "- # hd", "- > q\n  > r",
    "- ---",
]  # fmt: skip
PIECES = st.sampled_from(LINES + WORDS)
SPACES = st.sampled_from([" ", "\n", "\n\n", "  "])
MARKDOWN = (
    st.lists(PIECES, max_size=9).map("\n".join)
    | st.lists(PIECES | SPACES, max_size=10).map("".join)
    | st.text(max_size=20)
)
quick = settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
PANELS = {
    "info": "NOTE", "success": "TIP", "note": "IMPORTANT", "warning": "WARNING", "error": "CAUTION",
}  # fmt: skip
OURS = re.compile(r"<(?:br/?|/?(?:ins|sub|sup)|!----)>")  # without white space
PLAIN_HTML = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
PLAIN_HTML.validateLink = lambda url: True  # type: ignore[method-assign]


@quick
@given(MARKDOWN)
def test_any_text_becomes_a_document_of_the_schema(markdown: str) -> None:
    assert errors(from_markdown(markdown)) == []


def shown(found: Node) -> str:
    """What a document says, its boxes, alerts and titles with it."""
    attrs = found.get("attrs", {})
    lead = found.get("text", attrs.get("alt", ""))
    match found["type"]:
        case "panel":
            lead = f"[!{PANELS[attrs['panelType']]}]"
        case "taskItem":
            lead = "[ ]" if attrs["state"] == "TODO" else "[x]"
        case "expand" | "nestedExpand":
            lead = f"▸{attrs.get('title', '')}"
    return lead + "".join(map(shown, found.get("content", [])))


@quick
@example("- >[!NOTE]")
@example("- >**▸ 0**")
@example("> > **▸**")
@given(MARKDOWN)
def test_no_character_is_lost_on_the_way_to_a_document(markdown: str) -> None:
    want = OURS.sub("", seen(PLAIN_HTML.render(markdown)).text).lower()
    have = iter(OURS.sub("", bare(shown(from_markdown(markdown)))).lower())
    assert all(character in have for character in want)


def characters(value: Any) -> Any:
    """A document with each character of its texts and the marks on it; blanks have none."""
    if isinstance(value, dict):
        return {key: characters(v) if key == "content" else v for key, v in value.items()}
    found: list[Any] = []
    for one in value:
        if one["type"] != "text":
            found.append(characters(one))
            continue
        marks = json.dumps(one.get("marks", []))
        found += [(c, marks if c.strip() else "") for c in one["text"]]
    return found


@quick
@given(MARKDOWN)
def test_a_document_that_was_read_survives_a_round_and_its_markdown_is_a_normal_form(
    markdown: str,
) -> None:
    document = from_markdown(markdown)
    normal = to_markdown(document)
    again = from_markdown(normal)
    assert characters(again) == characters(document)
    assert to_markdown(again) == normal


SAME = {
    "paragraph", "hardBreak", "heading", "bulletList", "orderedList", "codeBlock", "blockquote",
    "panel", "rule", "table", "strong", "em", "strike", "underline", "subsup", "subsup-sup",
    "link", "code", "listItem-code",
}  # fmt: skip


@pytest.mark.parametrize("case", [case for case in CASES if case[0] in SAME], ids=lambda c: c[0])
def test_what_both_formats_have_comes_back_as_it_was(case: tuple[str, Node, str]) -> None:
    normal = from_markdown(to_markdown(doc(case[1])))
    document = doc(case[1])
    if case[0] == "hardBreak":  # blanks around a break and a break at the end are layout
        document = doc(p("one", node("hardBreak"), "two"))
    if case[0] == "paragraph":
        document = doc(p("one two"))
    assert normal == document


def task(identity: str, state: str, *said: Node) -> Node:
    return node("taskItem", *said, localId=identity, state=state)


READ: list[tuple[str, list[Node]]] = [
    ("", []),
    ("a\nb", [p("a b")]),
    ("- [ ] a\n- [x] b\n  - [ ] c", [
        {"type": "taskList", "attrs": {"localId": "tasks-5"}, "content": [
            {"type": "taskItem", "attrs": {"localId": "task-1", "state": "TODO"},
             "content": [text("a")]},
            {"type": "taskItem", "attrs": {"localId": "task-2", "state": "DONE"},
             "content": [text("b")]},
            {"type": "taskList", "attrs": {"localId": "tasks-4"}, "content": [
                {"type": "taskItem", "attrs": {"localId": "task-3", "state": "TODO"},
                 "content": [text("c")]}]},
        ]},
    ]),
    ("- [ ] a\n- b", [node("bulletList", item(p("[ ] a")), item(p("b")))]),
    ("1. [x] a", [node("orderedList", item(p("[x] a")))]),
    ("- # h", [node("bulletList", item(p(text("h", node("strong")))))]),
    ("> # h\n> > q", [node("blockquote", p(text("h", node("strong"))), p("q"))]),
    ("> | a |\n> | - |", [node("blockquote", node("codeBlock", text("| a |\n| --- |")))]),
    ("- a\n\n  ***", [node("bulletList", item(p("a"), p("---")))]),
    ("> [!CAUTION]\n> a", [node("panel", p("a"), panelType="error")]),
    ("> \\[!NOTE] a", [node("blockquote", p("[!NOTE] a"))]),
    ("> **▸ T**\n>\n> a\n>\n> > **▸ U**\n> >\n> > b", [
        node("expand", p("a"), node("nestedExpand", p("b"), title="U"), title="T")]),
    ("<script>x</script>", [p("<script>x</script>")]),
    ("<div>\n\n**a**\n\n</div>", [p("<div>"), p(text("a", node("strong"))), p("</div>")]),
    ("a<br/>b", [p("a", node("hardBreak"), "b")]),
    ("<sub>a", [p("<sub>a")]),
    ("@<!-- -->octocat", [p("@octocat")]),
    ("@octocat :tada:", [p("@octocat :tada:")]),
    ("see https://a.example/b.", [
        p("see ", text("https://a.example/b", node("link", href="https://a.example/b")), ".")]),
    ("www.a.example", [p(text("www.a.example", node("link", href="http://www.a.example")))]),
    ("https\\://a.example", [p("https://a.example")]),
    ("[a](javascript:b)", [p("a (javascript:b)")]),
    ("[](https://a.example)", [p(text("https://a.example", node("link", href="https://a.example")))]),
    ("**`a`**", [p(text("a", node("code")))]),
    ("![a](https://i.example/b)", [
        node("mediaSingle", node("media", type="external", url="https://i.example/b", alt="a"),
             layout="center")]),
    ("x ![a](https://i.example/b)", [p("x ", text("a", node("link", href="https://i.example/b")))]),
    ("![a](b.png)", [p(text("a", node("link", href="b.png")))]),
    ("|  |\n| - |\n| a |", [node("table", node("tableRow", node("tableCell", p("a"))))]),
    ("``` py  x\na\n```", [node("codeBlock", text("a"), language="py x")]),
    ("    a", [node("codeBlock", text("a"))]),
]  # fmt: skip


@pytest.mark.parametrize(("markdown", "blocks"), READ, ids=[case[0] for case in READ])
def test_markdown_is_read_as_promised(markdown: str, blocks: list[Node]) -> None:
    document = from_markdown(markdown)
    assert document == doc(*blocks)
    assert errors(document) == []
