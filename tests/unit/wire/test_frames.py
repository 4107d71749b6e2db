"""Whatever comes in on the socket, a frame is a request or is refused, and quickly."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, strategies as st

from orch.model import errors
from orch.wire import frames

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    try:
        found = frames.request(data)
    except frames.Refused as refused:
        answer = json.loads(frames.refusal(refused))
        assert answer["error"]["code"] in (frames.NOT_JSON, frames.NO_REQUEST)
    else:
        assert found.jsonrpc == "2.0"


@given(JSON)
def test_any_json_is_a_request_or_refused(value: Any) -> None:
    with pytest.raises(frames.Refused):
        frames.request(json.dumps(value).encode())


@given(st.text(), st.dictionaries(st.text(), JSON, max_size=4), st.integers() | st.text())
def test_a_call_is_understood_as_it_was_meant(method: str, params: Any, number: Any) -> None:
    if isinstance(number, int):
        number %= 2**53
    line = frames.call(number, method, params)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    found = frames.request(line)
    assert (found.method, found.params, found.identifier) == (method, params, number)
    assert found.answered


@given(JSON, st.integers(0, 2**53))
def test_a_result_comes_back_as_it_was(value: Any, number: int) -> None:
    line = frames.result(number, value)
    assert line.count(b"\n") == 1
    found = frames.answer(line)
    assert (found.id, found.result, found.error) == (number, value, None)


def nesting(text: str) -> int:
    """The same question, answered slowly."""
    now = deepest = 0
    inside = skip = False
    for character in text:
        if skip:
            skip = False
        elif inside:
            skip = character == "\\"
            inside = character != '"'
        elif character == '"':
            inside = True
        elif character in "[{":
            now += 1
            deepest = max(deepest, now)
        elif character in "]}":
            now -= 1
    return deepest


@given(st.text(alphabet='[]{}"\\a', max_size=80))
def test_depth_is_counted_outside_of_strings(text: str) -> None:
    padded = "[" * (frames.DEPTH_LIMIT + 1) + "]" * (frames.DEPTH_LIMIT + 1) + text
    assert frames.depth(padded.encode()) == nesting(padded)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 3_000_000,
        b'{"a":' * 700_000,
        b'"' + b'\\"' * 1_500_000 + b"\\",
        b'"' * 3_000_000 + b"[" * 200,
        b'{"jsonrpc":"2.0","method":"x","id":1,"params":{"a":' + b"[" * 2000 + b"]" * 2000 + b"}}",
    ],
    ids=["arrays", "objects", "escapes", "quotes", "params"],
)
def test_what_is_made_to_hurt_is_refused_at_once(data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(frames.Refused):
        frames.request(data)
    assert time.process_time() - began < 10


def test_the_deepest_that_is_taken() -> None:
    def nested(depth: int) -> bytes:
        value = b"[" * (depth - 2) + b"]" * (depth - 2)
        return b'{"jsonrpc":"2.0","method":"x","id":1,"params":{"a":%s}}' % value

    assert frames.request(nested(frames.DEPTH_LIMIT)).method == "x"
    with pytest.raises(frames.Refused, match="nested deeper"):
        frames.request(nested(frames.DEPTH_LIMIT + 1))


def test_what_is_no_request_is_answered_with_its_id() -> None:
    for line, code, identifier in (
        (b"", frames.NOT_JSON, None),
        (b'{"jsonrpc":"2.0"', frames.NOT_JSON, None),
        (b"\xff\xfe", frames.NOT_JSON, None),
        (b"[]", frames.NO_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":7}', frames.NO_REQUEST, 7),
        (b'{"jsonrpc":"2.0","id":"x","method":3}', frames.NO_REQUEST, "x"),
        (b'{"jsonrpc":"1.0","id":7,"method":"ps"}', frames.NO_REQUEST, 7),
        (b'{"id":7,"method":"ps"}', frames.NO_REQUEST, 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"ps","params":[1]}', frames.NO_REQUEST, 7),
    ):
        with pytest.raises(frames.Refused) as caught:
            frames.request(line)
        assert (caught.value.code, caught.value.identifier) == (code, identifier), line


def test_a_notification_asks_for_no_answer() -> None:
    assert not frames.request(b'{"jsonrpc":"2.0","method":"x"}').answered
    assert frames.request(b'{"jsonrpc":"2.0","method":"x","id":null}').answered


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFound("there is no run 9", code="unknown_run", hint="orch ps"),
        errors.UsageError("no", code="bad_params"),
        errors.Conflict("final", hint="orch show 1", run="1", files=["a", "b"]),
        errors.OrchError("fault", code="internal"),
        errors.StepTimeout("late"),
        errors.LimitReached("much", hint="wait"),
    ],
    ids=lambda error: error.code,
)
def test_an_error_is_raised_on_the_other_side_as_it_was(error: errors.OrchError) -> None:
    found = frames.raised(frames.answer(frames.failure(3, error)).error or {})
    assert found.as_dict() == error.as_dict()
    assert (type(found), found.exit_code) == (type(error), error.exit_code)


@given(JSON)
def test_any_error_of_the_other_side_can_be_raised(value: Any) -> None:
    data = {"message": "no", "data": value, "code": value, "hint": value, "exit_code": value}
    for error in ({"data": value}, {"message": value}, {"data": data}):
        assert isinstance(frames.raised(error), errors.OrchError)


def test_an_answer_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "ANSWER_LIMIT", 1000)
    found = frames.answer(frames.result(4, "x" * 1000))
    assert found.error is not None
    assert frames.raised(found.error).code == "answer_too_large"


def test_a_body_encoded_once_makes_a_frame_for_each() -> None:
    for number in (1, 200):
        found = frames.answer(frames.told("event", number, "event", b'{"seq":9}'))
        assert (found.method, found.params) == (
            "event", {"subscription": number, "event": {"seq": 9}},
        )  # fmt: skip
