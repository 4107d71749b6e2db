"""Words of programs become text that can be shown, cut on characters (H17)."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from orch.agents.words import one_line, printable, tail


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://h\x1b\\link", "xlink"),
        ("10%\r50%\r100%\ndone\r\n", "100%\ndone\n"),
        ("a\x00b\x07c\u202ed\x9bmx", "abcdx"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("漢字 💥", "漢字 💥"),
        ("\x1b", ""),
    ],
)
def test_escapes_and_control_characters_are_gone(raw: str, shown: str) -> None:
    assert printable(raw) == shown


@given(st.text())
def test_nothing_dangerous_is_left(raw: str) -> None:
    shown = printable(raw)
    assert all(c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160) for c in shown)
    assert printable(shown) == shown
    line = one_line(raw, 20)
    assert len(line) <= 20
    line.encode()


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 40))
def test_h17_a_tail_is_cut_between_characters(text: str, limit: int) -> None:
    cut = tail(text.encode(), limit) if limit else ""
    assert text.endswith(cut)
    assert len(cut.encode()) > limit - 4 or cut == text


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert tail(b"a\xffb", 10) == "a\ufffdb"
