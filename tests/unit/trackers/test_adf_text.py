"""Text stays text: what two other readers see is what the document says, with its marks and no
others. The documents are drawn from Atlassian's schema."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from orch.trackers.adf import to_markdown
from tests.adf_documents import DEFINITIONS, TEXTS, documents, errors, of_definition, said
from tests.markdown_readers import READERS, Seen, bare

Node = dict[str, Any]
MARKS = ["strong", "em", "strike", "underline", "sub", "sup", "link"]
TAGS = {"strong": "strong", "em": "em", "strike": "del", "underline": "ins", "link": "a"}
SHOWN = {"strong", "em", "del", "ins", "sub", "sup", "code", "a"}
BITS = [
    "|",
    "\\|",
    "a",
    "b ",
    " c",
    ".",
    "(x)",
    "*",
    "1. ",
    "- ",
    "#",
    "`",
    "\\",
    "&amp;",
    "é",
    "🎉",
    "_",
    "!",
    "[",
]
quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mark(name: str) -> Node:
    if name in ("sub", "sup"):
        return {"type": "subsup", "attrs": {"type": name}}
    if name == "link":
        return {"type": "link", "attrs": {"href": "http://l.example/?a=(b"}}
    return {"type": name}


def marked(text: str, names: list[str]) -> Node:
    return {"type": "text", "text": text, **({"marks": list(map(mark, names))} if names else {})}


texts = (TEXTS | st.sampled_from(BITS)).filter(str.strip)
names = st.lists(st.sampled_from(MARKS), max_size=3, unique=True).filter(
    lambda found: not {"sub", "sup"} <= set(found)
)
lines = st.lists(
    st.builds(marked, texts, names)
    | st.builds(marked, texts | st.sampled_from([" ", "  "]), names)
    | st.builds(marked, texts, st.just(["code"]))
    | st.just({"type": "hardBreak"}),
    max_size=5,
)


def paragraph(line: list[Node]) -> Node:
    return {"type": "paragraph", "content": line}


def block(kind: str, *content: Node, **attrs: Any) -> Node:
    return {"type": kind, "attrs": attrs, "content": list(content)}


PLACES = {
    "paragraph": lambda line: [paragraph(line)],
    "heading": lambda line: [block("heading", *line, level=2)],
    "quote": lambda line: [block("blockquote", paragraph(line))],
    "item": lambda line: [block("bulletList", block("listItem", paragraph(line)))],
    "task": lambda line: [block("taskList", block("taskItem", *line, state="DONE"))],
    "cell": lambda line: [block("table", block("tableRow", block("tableCell", paragraph(line))))],
    "expand": lambda line: [block("expand", paragraph(line))],
}


def characters(page: Seen) -> list[tuple[str, frozenset[str]]]:
    """Each character that is seen, with the marks it has."""
    return [
        (character, frozenset("del" if tag == "s" else tag for tag in stack) & SHOWN)
        for data, stack in page.marked
        for character in bare(data)
    ]


def wanted(line: list[Node]) -> list[tuple[str, frozenset[str]]]:
    found = []
    for node in line:
        kinds = [m.get("attrs", {}).get("type") or m["type"] for m in node.get("marks", [])]
        tags = frozenset(TAGS.get(kind, kind) for kind in kinds)
        found += [(character, tags) for character in bare(node.get("text", ""))]
    return found


@pytest.mark.parametrize("reader", READERS)
@settings(quick, max_examples=400)
@given(line=lines, place=st.sampled_from(list(PLACES)))
def test_readers_see_the_same_characters_with_the_same_marks(
    reader: str, line: list[Node], place: str
) -> None:
    want = wanted(line)
    if not want or any(not n.get("text", "x").strip() and "link" in str(n) for n in line):
        return  # a link without words shows its address
    code = "".join(n.get("text", "") for n in line if {"type": "code"} in n.get("marks", []))
    if place == "cell" and "\\|" in code:
        return  # readers disagree on it, so it is text (docs/adf.md)
    if any("@" in node.get("text", "") for node in line):
        return  # GFM links mail addresses
    page = READERS[reader](to_markdown({"type": "doc", "content": PLACES[place](line)}))
    seen = characters(page)
    lead = {"expand": [("▸", frozenset({"strong"}))]}
    if reader != "cmark-gfm":  # which shows a box
        lead["task"] = [(c, frozenset()) for c in "[x]"]
    assert seen[: len(lead.get(place, []))] == lead.get(place, [])
    seen = seen[len(lead.get(place, [])) :]
    assert seen == want


@pytest.mark.parametrize("reader", READERS)
@quick
@given(document=documents())
def test_readers_see_all_that_a_document_of_the_schema_says(reader: str, document: Node) -> None:
    page = READERS[reader](to_markdown(document))
    assert_in_order(page.text, document)


def assert_in_order(text: str, node: Node) -> None:
    at = 0
    for part in map(bare, said(node)):
        found = text.find(part, at)
        assert found >= 0, (part, text[at:])
        at = found + len(part)


@pytest.mark.parametrize("name", sorted(n for n in DEFINITIONS if n.endswith("_node")))
@settings(quick, max_examples=6)
@given(data=st.data())
def test_each_definition_is_shown_alone(name: str, data: st.DataObject) -> None:
    node = data.draw(of_definition(name))
    assert_in_order(READERS["cmark-gfm"](to_markdown(node)).text, node)


@settings(quick, max_examples=40)
@given(document=documents())
def test_drawn_documents_are_of_the_schema(document: Node) -> None:
    assert errors(document) == []


@quick
@given(st.lists(texts, min_size=1, max_size=4))
def test_plain_text_makes_no_element_but_its_paragraphs(parts: list[str]) -> None:
    content = [paragraph([marked(part, [])]) for part in parts]
    page = READERS["cmark-gfm"](to_markdown({"type": "doc", "content": content}))
    mails = sum("@b.example" in part for part in parts)
    assert set(page.tags) <= {"p", "br"} | ({"a"} if mails else set())
    assert set(page.comments) <= {" "}


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("# a", "\\# a"),
        ("#a", "#a"),
        ("1. a", "1\\. a"),
        ("2024. a", "2024\\. a"),
        ("1.5 a", "1.5 a"),
        ("- a", "\\- a"),
        ("-a", "-a"),
        ("+ a", "\\+ a"),
        ("> a", "\\> a"),
        ("---", "\\---"),
        ("===", "\\==="),
        ("| - | - |", "\\| - | - |"),
        ("a | b", "a | b"),
        ("a\n--- | ---", "a\\\n\\--- | ---"),
        ("```", "\\`\\`\\`"),
        ("~~~", "\\~\\~\\~"),
        ("    code", "code"),
        ("* a", "\\* a"),
        ("2 * 3", "2 * 3"),
        ("*a* _b_ snake_case", "\\*a\\* \\_b\\_ snake_case"),
        ("~a~ a[0] ![b](c)", "\\~a\\~ a\\[0] !\\[b](c)"),
        ("[ref]: http", "\\[ref]: http"),
        ("<script>alert(1)</script>", "\\<script>alert(1)\\</script>"),
        ("<!-- a -->", "\\<!-- a -->"),
        ("a < b <3", "a < b <3"),
        ("&amp; &#35; AT&T", "\\&amp; \\&#35; AT&T"),
        ("C:\\*", "C:\\\\\\*"),
        ("https://a.example/b_c", "https\\://a.example/b_c"),
        ("www.a.example", "www\\.a.example"),
        ("cc @octocat, @a/b", "cc @<!-- -->octocat, @<!-- -->a/b"),
        ("me@a.example @ 5", "me@a.example @ 5"),
        ("fixes #12, o/my_r#3 GH-4", "fixes #<!-- -->12, o/my\\_r#<!-- -->3 GH-<!-- -->4"),
        ("C#7 #a #1a", "C#7 #a #1a"),
        ("\u00a0a\u00a0b\u00a0", "&nbsp;a\u00a0b&nbsp;"),
        ("a\u2028b\x0bc\r\nd", "a\\\nb\\\nc\\\nd"),
        ("\0 \ud800", "\ufffd \ufffd"),
    ],
)
def test_text_that_looks_like_markup_is_escaped_where_it_would_be_markup(
    text: str, markdown: str
) -> None:
    assert to_markdown({"type": "doc", "content": [paragraph([marked(text, [])])]}) == markdown


@pytest.mark.parametrize(
    ("line", "markdown"),
    [
        ([("bold ", ["strong"]), ("text", [])], "**bold** text"),
        ([("a", ["strong"]), ("b", ["em"])], "**a**<!-- -->*b*"),
        ([("a", []), ("(b)", ["strong"]), ("c", [])], "a<!-- -->**(b)**<!-- -->c"),
        ([("a ", ["strong"]), ("b", ["strong", "em"])], "**a *b***"),
        (
            [("a", ["strong", "em"]), ("b", ["strong"]), ("(c)", ["strong", "em"])],
            "**<!-- -->*a*b<!-- -->*(c)***",
        ),
        ([("a", ["code"]), ("b", ["code"])], "`ab`"),
        ([("!", []), ("a", ["link"])], "\\![a](<http://l.example/?a=(b>)"),
        ([(" ", ["strong"]), ("a", [])], "a"),
        ([("<", []), ("b>", ["strong"])], "\\<**b>**"),
    ],
)
def test_marks_are_read_as_marks(line: list[tuple[str, list[str]]], markdown: str) -> None:
    content = [paragraph([marked(text, names) for text, names in line])]
    assert to_markdown({"type": "doc", "content": content}) == markdown


@pytest.mark.parametrize("parts", [["\\|"], ["\\", "|"], ["a\\\\", "\\|"]])
def test_code_that_readers_of_tables_disagree_on_is_text(parts: list[str]) -> None:
    cells = PLACES["cell"]([marked(part, ["code"]) for part in parts])
    for read in READERS.values():
        page = read(to_markdown({"type": "doc", "content": cells}))
        assert (page.text, page.tags.count("td"), "code" in page.tags) == ("".join(parts), 1, False)


@pytest.mark.parametrize("address", ["javascript:alert(1)", " JavaScript :x", "data:text/html,x"])
def test_an_address_that_runs_is_no_link(address: str) -> None:
    link = {"type": "link", "attrs": {"href": address}}
    line = [{"type": "text", "text": "a", "marks": [link]}]
    page = READERS["cmark-gfm"](to_markdown({"type": "doc", "content": [paragraph(line)]}))
    assert page.links == []
    assert page.text == bare(f"a({address})")
