"""What a workflow hands over becomes data that JSON carries, whatever it was."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from orch.model.plain import plain_data, plain_text
from tests.records import a_pull

HOLDS_ITSELF: list[Any] = []
HOLDS_ITSELF.append(HOLDS_ITSELF)


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Polite:
    def __repr__(self) -> str:
        return "<polite>"


VALUES = [
    (None, None),
    ({"n": 1, "list": (1, 2.5, True)}, {"n": 1, "list": [1, 2.5, True]}),
    (a_pull(), msgspec.to_builtins(a_pull()) | {"labels": []}),
    ({1: "one"}, {"1": "one"}),
    (2**70, 2**70),
    (float("nan"), None),
    (Polite(), "<polite>"),
    ([Polite()], ["<polite>"]),
    ([Rude()], ["<Rude that cannot be printed>"]),
    ("half \ud800", "half ?"),
    ({("a", "b"): 1}, "{('a', 'b'): 1}"),
    (HOLDS_ITSELF, "[[...]]"),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=range(len(VALUES)))
def test_odd_values_become_plain(value: Any, expected: Any) -> None:
    assert plain_data(value) == expected


ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=5),
        st.text(st.characters(exclude_categories=()), max_size=10),
        st.builds(Polite), st.builds(Rude),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner),
        st.dictionaries(
            st.text(max_size=3) | st.integers() | st.tuples(st.integers()), inner, max_size=3
        ),
    ),
    max_leaves=8,
)  # fmt: skip


@given(value=ANYTHING)
@settings(deadline=None)
def test_h105_what_comes_out_can_be_written_and_read_again(value: Any) -> None:
    made = plain_data(value)
    assert msgspec.json.decode(msgspec.json.encode(made)) == made
    assert plain_data(made) == made


@given(text=st.text(st.characters(exclude_categories=()), max_size=20))
@settings(deadline=None)
def test_text_is_kept_but_for_what_utf8_cannot_carry(text: str) -> None:
    made = plain_text(text)
    made.encode()
    assert len(made) == len(text)
    assert all(a == b or "\ud800" <= a <= "\udfff" for a, b in zip(text, made, strict=True))
