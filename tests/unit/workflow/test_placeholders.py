"""Placeholders are filled once, and none is left out unseen."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, strategies as st

from orch.model.errors import UsageError
from orch.workflow.placeholders import names, render

RENDERED = [
    ("Hi {{NAME}}!", {"NAME": "Ada"}, "Hi Ada!"),
    ("Hi {{ NAME }}!", {"NAME": "Ada"}, "Hi Ada!"),
    ("{{A}}{{A}}{{B}}", {"A": "1", "B": ""}, "11"),
    ("a{{#if X}} and {{X}}{{/if}}.", {"X": "b"}, "a and b."),
    ("a{{#if X}} and {{X}}{{/if}}.", {"X": " \n"}, "a."),
    ("a{{#if X}} and {{X}}{{/if}}.", {}, "a."),
    ("{{#if A}}a{{#if B}}b{{/if}}c{{/if}}d", {"A": "1"}, "acd"),
    ("{{#if A}}a{{#if B}}b{{/if}}c{{/if}}d", {"B": "1"}, "d"),
    ("{{issue.title}} {{a-b}}", {"issue.title": "T", "a-b": "x"}, "T x"),
    ("{ {NAME} } {{}} {{1}} {{a b}}", {}, "{ {NAME} } {{}} {{1}} {{a b}}"),
]


@pytest.mark.parametrize(("text", "values", "wanted"), RENDERED)
def test_rendered(text: str, values: dict[str, str], wanted: str) -> None:
    assert render(text, values) == wanted


@given(st.text())
def test_a_value_is_put_in_as_it_is_and_never_read_again(value: str) -> None:
    values = {"A": value + "{{B}}{{#if B}}", "B": "secret"}
    assert render("<{{A}}>", values) == f"<{value}{{{{B}}}}{{{{#if B}}}}>"


@given(st.text(alphabet="{}#/if AB\n"))
def test_any_text_is_rendered_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert render(text, {"A": "1"}).strip()


REFUSED = [
    ("a\n{{NMAE}}", {"NAME": "x"}, "unknown_placeholder", ["p.md:2", "'NMAE'", "'NAME'"]),
    ("{{#if A}}\nx", {"A": "1"}, "bad_template", ["p.md:1", "no {{/if}}"]),
    ("x{{/if}}", {}, "bad_template", ["no {{#if NAME}}"]),
    ("x{{#unless A}}", {}, "bad_template", ["{{#unless A}}"]),
    ("{{A}}\n ", {"A": " "}, "empty_template", ["p.md"]),
    ("", {}, "empty_template", ["p.md"]),
]


@pytest.mark.parametrize(("text", "values", "code", "words"), REFUSED)
def test_refused(text: str, values: dict[str, str], code: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        render(text, values, name="p.md")
    assert caught.value.code == code
    assert all(word in caught.value.message for word in words), caught.value.message
    assert caught.value.hint


def test_an_unknown_name_in_a_block_that_is_dropped_is_not_missed() -> None:
    assert render("a{{#if X}}{{Y}}{{/if}}", {}) == "a"
    with pytest.raises(UsageError, match="'Y'"):
        render("a{{#if X}}{{Y}}{{/if}}", {"X": "1"})


def test_blank_renders_unknown_names_as_nothing() -> None:
    assert render("a{{X}}b", {}, blank=True) == "ab"


def test_names_are_those_that_can_be_given() -> None:
    assert names("{{B}}{{#if A}}{{B}}{{C}}{{/if}}") == ["B", "A", "C"]
