"""Every node and mark of Atlassian's schema has the Markdown that docs/adf.md promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orch.trackers.adf import to_markdown
from orch.trackers.adf.nodes import BLOCKS, INLINE
from tests.adf_cases import CASES, FILE, SIDE, Node, doc, item, node, p
from tests.adf_documents import DEFINITIONS, errors, resolved

ROOT = Path(__file__).resolve().parents[3]
LOOSE = {"layoutColumn", "listItem", "tableRow"}  # their documents break a rule of the schema


@pytest.mark.parametrize(("block", "said"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_node_or_mark_is_written_as_promised(block: Node, said: str) -> None:
    assert to_markdown(doc(block)) == said


@pytest.mark.parametrize("case", [c for c in CASES if c[0] not in LOOSE], ids=lambda case: case[0])
def test_case_is_a_document_of_the_schema(case: tuple[str, Node, str]) -> None:
    assert errors(doc(case[1])) == []


def kinds(suffix: str) -> set[str]:
    """The types that the schema's definitions of nodes or marks name."""
    found: set[str] = set()
    for name, definition in DEFINITIONS.items():
        if name.endswith(suffix):
            found |= set(resolved(definition).get("properties", {}).get("type", {}).get("enum", []))
    return found


def test_every_node_and_mark_of_the_schema_has_a_case_and_a_line_in_the_docs() -> None:
    shown = {case[0].partition("-")[0] for case in CASES}
    parts = {"doc", "taskItem", "decisionItem"}
    assert kinds("_node") | kinds("_mark") == (shown - {"doc"}) | parts
    lines = (ROOT / "docs/adf.md").read_text("utf-8").splitlines()
    documented = {
        name
        for line in lines
        if line.startswith("| `")
        for name in re.findall("`(\\w+)`", line[:60])
    }
    assert kinds("_node") | kinds("_mark") <= documented


def test_every_node_of_the_schema_is_known() -> None:
    assert kinds("_node") - BLOCKS - INLINE == set()


def test_attachments_that_are_known_get_their_address() -> None:
    known = {"ab-1": "https://jira.example/1", "a.log": "https://jira.example/2"}
    other = node("mediaInline", id="7", collection="", alt="a.log")
    document = doc(node("mediaSingle", FILE, **SIDE), p(other))
    said = "![shot.png](https://jira.example/1)\n\n![a.log](https://jira.example/2)"
    assert to_markdown(document, attachments=known) == said


def test_lists_that_follow_each_other_stay_apart() -> None:
    bullets, numbers = node("bulletList", item(p("a"))), node("orderedList", item(p("b")))
    document = doc(bullets, bullets, bullets, numbers, p(), numbers)
    assert to_markdown(document) == "- a\n\n* a\n\n- a\n\n1. b\n\n1) b"
