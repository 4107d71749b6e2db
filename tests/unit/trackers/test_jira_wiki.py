"""Markdown as Data Center's wiki markup: the same words, nothing that people did not write."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, strategies as st

from orch.model import marks
from orch.trackers.jira import bodies
from orch.trackers.jira.wiki import from_markdown

KEY = "status/7.0123456789abcdef0123"


@pytest.mark.parametrize(
    ("markdown", "wiki"),
    [
        ("", ""),
        ("## Status", "h2. Status"),
        ("**bold** *it* ~~gone~~ `co*de`", r"*bold* _it_ -gone- {{co\*de}}"),
        ("- a\n  - b\n- c\n\n1. d", "* a\n** b\n* c\n\n# d"),
        ("> said\n> so", "{quote}\nsaid\nso\n\n{quote}"),
        ("```python\nprint({1: 2})\n```", "{code:python}\nprint({1: 2})\n{code}"),
        ("```\na {code} b\n```", "{code}\na {\u200bcode} b\n{code}"),
        ("[PR 7](https://x.example/7) <https://y.example>",
         "[PR 7|https://x.example/7] [https://y.example|https://y.example]"),
        ("[x](javascript:alert) ![s](https://x.example/s.png)",
         r"\[x\](javascript:alert) [s|https://x.example/s.png]"),
        ("[a|b](https://x.example/a|b)", r"[a\|b|https://x.example/a%7Cb]"),
        ("| a | b |\n|---|---|\n| 1 | 2\\|3 |", "||a||b||\n|1|2\\|3|"),
        ("---", "----"),
        ("{macro} [~admin] !pic! h1. x", r"\{macro\} \[\~admin\] \!pic\! h1. x"),
        ("h1. x", "h1&#46; x"),
        (r"C:\\dir &amp;lt;", "C:&#92;dir &amp;lt;"),
        (r"\# no list", r"\# no list"),
        ("<b>raw</b> @you", r"<b>raw</b> \@you"),
    ],
)  # fmt: skip
def test_what_markdown_becomes(markdown: str, wiki: str) -> None:
    assert from_markdown(markdown) == wiki


@given(st.text())
def test_text_never_becomes_a_macro_a_link_or_a_mention(text: str) -> None:
    wiki = from_markdown(text)
    outside = re.sub(r"\{code(:[^}]*)?\}\n.*?\n\{code\}", "", wiki, flags=re.DOTALL)
    bare = re.sub(r"\\.", "", outside, flags=re.DOTALL)
    bare = re.sub(r"\{\{|\}\}|\{quote\}", "", bare)
    assert "{" not in bare
    assert not re.search(r"\[~|!\S+!", bare)


@given(st.text())
def test_words_are_all_there(text: str) -> None:
    told = set(re.findall(r"[a-z]{3,}", from_markdown(text)))
    assert set(re.findall(r"[a-z]{3,}", re.sub(r"&\w+;", "", text))) <= told | {"amp", "quot"}


def test_a_mark_is_an_anchor_there_and_a_mark_here() -> None:
    body, properties = bodies.written("Said.", key=KEY, cloud=False)
    assert body == f"Said.\n\n{{anchor:orch:v1:{KEY}}}"
    assert properties == {}
    assert bodies.read(body) == marks.marked("Said.", KEY)


def test_a_mark_is_a_property_on_cloud() -> None:
    body, properties = bodies.written("Said.", key=KEY, cloud=True)
    assert KEY not in str(body)
    assert properties == {"orch": {"key": KEY}}
    assert bodies.read(body, key=KEY) == marks.marked("Said.", KEY)
    assert bodies.written("Said.", key="", cloud=True).properties == {}


@pytest.mark.parametrize(
    "text", ["word " * 9000, "{*} " * 9_000, "- [ ] {x}\n" * 5000, "# " * 30_000]
)
def test_what_is_too_long_is_cut_and_keeps_its_mark(text: str) -> None:
    body, _ = bodies.written(text, key=KEY, cloud=False)
    assert len(body) <= 32_767
    assert marks.has(bodies.read(body), KEY)
    assert "…" in body[-200:]
    shown = bodies.read(bodies.written(text, key=KEY, cloud=True).body)
    assert shown.endswith("…")


@example("\t")
@given(st.text())
def test_a_persons_text_is_never_a_mark_by_being_written_out(text: str) -> None:
    """What looks like a mark in a text that we write is text on Cloud."""
    shown = bodies.read(bodies.written(f"{text} {marks.mark(KEY)}", key="", cloud=True).body)
    assert not marks.has(shown, KEY)
