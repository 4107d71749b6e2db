"""Result records: every known spelling becomes the one record; damage is repaired or named."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from orch.agents import record
from orch.agents.repair import BAD_ESCAPE, LINE_BREAK, TRAILING_COMMA, repaired
from orch.model.attempt import AgentResult

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
SPELLINGS = sorted({word for words in record.FIELDS.values() for word in words})
RECORDS = st.dictionaries(
    st.sampled_from([*SPELLINGS, "usage", "is_error", "needs_help", "x"]), JSON
)


def read(text: str) -> AgentResult:
    result = record.read(text).result
    assert result is not None, record.read(text)
    return result


def test_the_whole_text_as_json_in_the_preferred_spelling() -> None:
    raw = {
        "status": "done", "summary": "s", "accomplished": ["a"], "remaining": ["r"],
        "files": ["f"], "error": "e", "reason": "why", "blockers": ["b"], "learnings": ["l"],
        "delegations": [{"title": "t", "body": "b", "labels": ["x"]}, "short"],
        "input_tokens": 3, "output_tokens": 4, "mood": "fine",
    }  # fmt: skip
    assert read(json.dumps(raw)) == AgentResult(
        status="done", summary="s", accomplished=("a",), remaining=("r",), files=("f",), error="e",
        reason="why", blockers=("b",), learnings=("l",),
        delegations=({"title": "t", "body": "b", "labels": ["x"]}, {"title": "short"}),
        input_tokens=3, output_tokens=4, extra={"mood": "fine"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "field", "value"),
    [
        ({"files_changed": ["a", {"path": "b"}]}, "files", ("a", "b")),
        ({"files": [], "files_changed": ["a"]}, "files", ("a",)),
        ({"message": "m"}, "summary", "m"),
        ({"output": "o"}, "summary", "o"),
        ({"result": "did it"}, "summary", "did it"),
        ({"tokens_input": 5}, "input_tokens", 5),
        ({"usage": {"input_tokens": 6}}, "input_tokens", 6),
        ({"usage": {"tokens_output": 7}}, "output_tokens", 7),
        ({"input_tokens": True}, "input_tokens", None),
        ({"input_tokens": -1}, "input_tokens", None),
        ({"error": {"message": "m", "code": 3}}, "error", "m"),
        ({"blockers": "one"}, "blockers", ("one",)),
        ({"blockers": None}, "blockers", ()),
        ({"result": "success"}, "status", "done"),
        ({"status": "Needs Review"}, "status", "needs_review"),
        ({"status": "in-progress"}, "status", "in_progress"),
        ({"needs_help": True, "summary": "?"}, "status", "needs_review"),
        ({"is_error": True, "result": "oh"}, "status", "failed"),
        ({"error": "no status, but this"}, "status", "failed"),
        ({"status": "done", "error": "a remark"}, "status", "done"),
        ({"summary": "no status"}, "status", "unknown"),
    ],
)
def test_h6_other_spellings_reach_the_same_field(
    raw: dict[str, Any], field: str, value: Any
) -> None:
    assert getattr(read(json.dumps(raw)), field) == value


def test_h5_a_record_inside_an_envelope_is_found_as_object_and_as_text() -> None:
    assert read('{"result": {"status": "done", "summary": "s"}, "cost": 1}').summary == "s"
    assert read('{"result": "done"}').status == "done"
    assert read('{"result": "All is done now"}').summary == "All is done now"


@pytest.mark.parametrize(
    ("word", "status"),
    [("alert", "done"), ("noop", "done"), ("green", "done"), ("alerts_sent", "done"),
     ("waiting", "blocked"), ("no-op", "done"), ("needs_help", "needs_review"), ("FAIL", "failed")],
)  # fmt: skip
def test_h12_late_status_words_are_known(word: str, status: str) -> None:
    assert read(json.dumps({"status": word})).status == status


def test_h12_an_unknown_status_is_unknown_and_kept() -> None:
    result = read('{"status": "flabbergasted"}')
    assert result.status == "unknown"
    assert result["status_text"] == "flabbergasted"


def test_h19_the_last_complete_block_wins_over_echoed_instructions() -> None:
    text = (
        'Write:\n```json\n{"status": "done", "summary": "example"}\n```\nHere:\n'
        '~~~json\n{"status": "blocked", "summary": "with ``` inside"}\n~~~\n'
        'And then:\n```json\n{"status": "done", "summ'
    )
    assert read(text).status == "blocked"


def test_h19_a_broken_last_block_is_not_replaced_by_an_earlier_one() -> None:
    reading = record.read('```json\n{"status": "done"}\n```\n```json\n{"status": \n```\n')
    assert reading.problem == "unparseable"


def test_blocks_of_other_languages_are_not_looked_at() -> None:
    assert (
        read('```json\n{"status": "done"}\n```\n```python\n{"status": "failed"}\n```').status
        == "done"
    )
    assert read('```\n{"status": "done"}\n```\n```\nplain\n```').status == "done"


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        ('{"status": "done", "files": ["a",], }', (TRAILING_COMMA,)),
        ('{"status": "done", "summary": "a\\_b \\\'c\\\' C:\\dir"}', (BAD_ESCAPE,)),
        ('{"status": "done", "summary": "two\nlines"}', (LINE_BREAK,)),
        ('```json\n{"status": "done",}\n```', (TRAILING_COMMA,)),
    ],
)
def test_h20_common_damage_is_repaired_and_noted(text: str, repairs: tuple[str, ...]) -> None:
    reading = record.read(text)
    assert reading.repaired == repairs
    assert read(text).status == "done"
    assert read(text)[record.REPAIRED] == list(repairs)


def test_h20_what_is_inside_texts_stays() -> None:
    assert repaired('{"a": "x,] \\" ,}", }')[0] == '{"a": "x,] \\" ,}" }'
    assert json.loads(repaired('{"a": "C:\\dir\\new"}')[0]) == {"a": "C:\\dir\new"}


@given(JSON)
def test_h20_json_is_left_as_it_is(value: Any) -> None:
    text = json.dumps(value)
    assert repaired(text) == (text, ())


@pytest.mark.parametrize(
    "text", ['{"status": "done"', '{"a": [1, 2', '{"a": "b', "{", "done", "[]", '"done"', "1"]
)
def test_h1_truncated_or_foreign_text_is_unparseable(text: str) -> None:
    assert record.read(text).problem == "unparseable"


@pytest.mark.parametrize("text", [None, "", " \n\t", "\ufeff", "{}", "```json\n{}\n```"])
def test_h2_h111_nothing_is_empty_not_invalid(text: str | None) -> None:
    assert record.read(text).problem == "empty"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"status":"done","x":' + "1" * 10_000 + "}",
        "{" + " " * 2**20,
    ],
    ids=["lists", "objects", "digits", "size"],
)
def test_hostile_json_is_unparseable_not_a_crash(text: str) -> None:
    assert record.read(text).problem == "unparseable"


@settings(max_examples=200)
@given(RECORDS)
def test_any_record_becomes_one_that_can_be_journaled(raw: dict[str, Any]) -> None:
    result = record.read(json.dumps(raw)).result
    assert (result is None) == (not raw)
    if result is not None:
        encoded = msgspec.json.encode(result)
        assert msgspec.json.encode(msgspec.json.decode(encoded, type=AgentResult)) == encoded
        assert result.status in {*record.STATUSES, "unknown"}


def test_what_json_can_say_and_a_journal_cannot_is_made_harmless() -> None:
    deep = "[" * 60 + "]" * 60
    odd = '"n":123456789012345678901234567890,"i":1e999,"q":NaN'
    result = read(f'{{"status":"done","summary":"\\ud800x","d":{deep},{odd}}}')
    assert result.summary == "?x"
    assert result["n"] == "123456789012345678901234567890"
    assert (result["i"], result["q"]) == (None, None)
    assert "…" in str(result["d"])


def test_h6_the_words_that_ask_for_a_record_name_what_is_read() -> None:
    words = record.request_words()
    for field in ("status", "summary", "files", "error", "reason", "blockers", "delegations"):
        assert field in words
        assert record.FIELDS[field][0] == field
    for status in record.STATUSES:
        assert status in words


def test_usage_has_what_was_reported_only() -> None:
    assert record.usage_of(read('{"status":"done","input_tokens":1,"total_cost_usd":0.5}')) == {
        "input_tokens": 1, "cost_usd": 0.5,
    }  # fmt: skip
    assert record.usage_of(None) == {}
