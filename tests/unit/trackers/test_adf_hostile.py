"""Documents that break every rule, and sizes nobody asked for: nothing raises, nothing is lost, and
it ends soon."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from orch.trackers.adf import from_markdown, to_markdown
from orch.trackers.adf.reading import LONGEST
from tests.adf_documents import DEFINITIONS, SAMPLES, documents, errors
from tests.markdown_readers import bare, by_cmark

Node = dict[str, Any]
TYPES = ["x", "", "unsupportedBlock", *sorted({name.rpartition("_")[0] for name in DEFINITIONS})]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NODES = st.recursive(
    JSON,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(TYPES) | JSON,
            "content": st.lists(inner, max_size=3) | inner,
            "text": st.sampled_from(["said", "#", "<b>"]) | JSON,
            "marks": st.lists(inner, max_size=2) | inner,
            "attrs": JSON
            | st.dictionaries(
                st.sampled_from(
                    ["text", "title", "url", "href", "level", "order", "colspan", "id"]
                ),
                inner,
            ),
        },
    ),
    max_leaves=8,
)
quick = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def paragraph(said: str) -> Node:
    return {"type": "paragraph", "content": [{"type": "text", "text": said}]}


def doc(*blocks: Any) -> Node:
    return {"version": 1, "type": "doc", "content": list(blocks)}


@quick
@given(st.dictionaries(st.sampled_from(["type", "version", "content", "attrs", "marks"]), NODES))
def test_no_object_makes_it_raise(document: Node) -> None:
    to_markdown(document).encode()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a value may be put: every item of every list and object."""
    if not isinstance(value, dict | list):
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        yield from places(inner, (*path, key))


@quick
@given(documents(), NODES, st.data())
def test_a_document_with_one_thing_broken_keeps_its_other_texts(
    document: Node, broken: Any, data: st.DataObject
) -> None:
    marker = {"type": "paragraph", "content": [{"type": "text", "text": "The end."}]}
    document["content"] = [*document.get("content", []), marker]
    spots = list(places(document["content"][:-1])) or [()]
    spot = data.draw(st.sampled_from(spots))
    if spot:
        inner: Any = document["content"]
        for key in spot[:-1]:
            inner = inner[key]
        inner[spot[-1]] = broken
    assert to_markdown(document).endswith("The end.")


@pytest.mark.parametrize(
    "document",
    [
        doc({"type": "paragraph", "content": "said"}),
        doc({"type": "paragraph", "content": {"type": "text", "text": "said"}}),
        doc({"type": "paragraph", "content": [["said"]]}),
        doc({"type": "paragraph", "text": "said"}),
        doc({"type": "heading", "attrs": None, "content": ["said"]}),
        doc({"type": "heading", "attrs": {"level": "x"}, "content": [paragraph("said")]}),
        doc({"type": "bulletList", "content": [paragraph("said")]}),
        doc({"type": "bulletList", "content": "said"}),
        doc({"type": "listItem", "content": [paragraph("said")]}),
        doc({"type": "table", "content": [paragraph("said")]}),
        doc({"type": "table", "content": [{"type": "tableRow", "content": "said"}]}),
        doc({"type": "tableCell", "content": [paragraph("said")]}),
        doc({"type": "rule", "content": [paragraph("said")]}),
        doc({"type": "hardBreak", "content": [paragraph("said")]}),
        doc({"type": "codeBlock", "content": [paragraph("said")]}),
        doc({"type": "taskItem", "content": [paragraph("said")]}),
        doc({"type": "mediaSingle", "content": [paragraph("said")]}),
        doc({"type": "nobody", "content": [paragraph("said")]}),
        doc({"type": "nobody", "attrs": {"question": "said"}}),
        doc({"type": "nobody", "attrs": {"question": "said"}, "content": [paragraph("a")]}),
        doc({"type": "unsupportedBlock", "attrs": {"originalValue": paragraph("said")}}),
        doc({"type": "paragraph", "content": [{"type": "x", "attrs": {"text": "said"}}]}),
        doc({"type": "paragraph", "content": [{"type": "text", "text": ["said"]}]}),
        doc({"type": "status", "attrs": {"text": {"said": 1}}}),
        doc({"type": "text", "text": "said", "marks": "strong"}),
        doc({"type": "text", "text": "said", "marks": [{"type": "link", "attrs": {"href": 5}}]}),
        doc({"type": "text", "text": "said", "marks": [None, 3, {"type": ["x"]}]}),
        doc("said"),
        {"content": "said"},
        {"type": 7, "content": [{"content": ["said"]}]},
        paragraph("said"),
    ],
    ids=lambda document: json.dumps(document)[:60],
)
def test_a_malformed_node_says_what_it_holds(document: Node) -> None:
    assert "said" in by_cmark(to_markdown(document)).text


@pytest.mark.parametrize(
    ("value", "said"), [(None, "null"), ("text", "type str"), ([1], "type list"), (5, "type int")]
)
def test_what_is_no_object_is_refused_with_what_it_is(value: Any, said: str) -> None:
    with pytest.raises(TypeError, match=f"an ADF document is a JSON object.*{said}"):
        to_markdown(value)


def test_what_is_no_text_is_refused_with_what_it_is() -> None:
    with pytest.raises(TypeError, match="Markdown is a str, not a value of type bytes"):
        from_markdown(b"# a")  # type: ignore[arg-type]


def test_the_fixture_of_unsupported_content_is_readable() -> None:
    document = json.loads((SAMPLES / "unsupported-content.json").read_text("utf-8"))
    page = by_cmark(to_markdown(document))

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from [value["text"]] if isinstance(value.get("text"), str) else []
            value = list(value.values())
        for inner in value if isinstance(value, list) else []:
            yield from texts(inner)

    missing = [said for said in texts(document) if bare(said) not in page.text]
    assert missing == []
    assert "table" in page.tags
    assert page.links == []


def nested(kind: str, depth: int) -> Node:
    node = paragraph("deepest")
    for _ in range(depth):
        node = {"type": kind, "content": [node]}
    return doc(node)


@pytest.mark.parametrize(
    "kind", ["blockquote", "bulletList", "expand", "table", "layoutColumn", "x", ""]
)
def test_any_depth_is_written_to_its_end(kind: str) -> None:
    written = to_markdown(nested(kind, 20_000))
    assert "deepest" in written
    assert len(written) < 5_000


@pytest.mark.parametrize("depth", [5, 30, 45, 60, 500])
def test_deep_lists_and_quotes_are_read_to_their_end(depth: int) -> None:
    for markdown in ["> " * depth + "deepest", "- " * depth + "deepest"]:
        document = from_markdown(markdown)
        assert "deepest" in json.dumps(document)
        assert errors(document) == []
    assert bare(by_cmark(to_markdown(from_markdown("- " * depth + "x"))).text)[-1] == "x"


def long_line(unit: str, size: int) -> Callable[[], object]:
    return lambda: to_markdown(doc(paragraph(unit * (size // len(unit)))))


def wide_table() -> object:
    cell = {"type": "tableCell", "attrs": {"colspan": 10**9, "rowspan": 10**9}, "content": []}
    rows = [{"type": "tableRow", "content": [cell] * 50}] * 200
    return to_markdown(doc({"type": "table", "content": rows}))


SIZES: dict[str, Callable[[], object]] = {
    **{f"adf {unit!r}": long_line(unit, 1_000_000) for unit in ["[", "*", "@a ", "a/b#1", "_", "&a"]},
    "adf lines": long_line("\n", 200_000),
    "adf table": wide_table,
    "adf texts": lambda: to_markdown(
        doc({"type": "paragraph", "content": [{"text": "a ", "marks": ["strong"] * (i % 2)} for i in
                                              range(20_000)]})
    ),
    **{
        f"markdown {unit!r}": partial(from_markdown, unit * (20_000 // len(unit)))
        for unit in ["[", "![", "*a ", "**a*", "`a``b", "<sub>", "a\n", "|a|\n", "> ", "[a](b"]
    },
    "markdown megabytes": lambda: from_markdown("# word\n\n" * (LONGEST // 2)),
    "markdown brackets": lambda: from_markdown("[" * 400_000),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_size_costs_time_in_proportion(name: str) -> None:
    """Quadratic time would be minutes here; the bound is for a busy machine."""
    begun = time.process_time()
    SIZES[name]()
    assert time.process_time() - begun < 10


def test_too_much_markdown_is_plain_text_and_all_of_it() -> None:
    document = from_markdown("# a\nb\n\n" * (LONGEST // 7 + 1))
    assert document["content"][-1] == {
        "type": "paragraph",
        "content": [
            {"type": "text", "text": "# a"},
            {"type": "hardBreak"},
            {"type": "text", "text": "b"},
        ],
    }
    assert len(document["content"]) == LONGEST // 7 + 1


def test_spans_take_no_more_room_than_the_bound() -> None:
    assert len(str(wide_table())) < 200_000
