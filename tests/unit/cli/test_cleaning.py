"""What strangers write can be read, and does nothing else."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import example, given, strategies as st

from orch.cli.cleaning import clean, clean_json, clean_lines, width

ATTACKS = {
    "colour": ("\x1b[31mred\x1b[0m", "red"),
    "cursor": ("a\x1b[2J\x1b[1;1Hb", "ab"),
    "private mode": ("\x1b[?1049hx", "x"),
    "title": ("a\x1b]0;you are root\x07b", "ab"),
    "clipboard": ("a\x1b]52;c;cm0gLXJm\x1b\\b", "ab"),
    "link": ("\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\", "text"),
    "device control": ("a\x1bPq#0;2\x1b\\b", "ab"),
    "one-byte forms": ("a\x9b31mb\x9d0;title\x9cc", "abc"),
    "charset": ("a\x1b(0b", "ab"),
    "never ends": ("a\x1b]0;b", "a0;b"),
    "alone at the end": ("a\x1b", "a\ufffd"),
    "backspace": ("a\x08b", "a\ufffdb"),
    "bell and null": ("a\x07\x00b", "a\ufffd\ufffdb"),
    "reordering": ("user\u202e txt.exe\u202c\u2066\u2069", "user txt.exe"),
    "marks of direction": ("a\u200eb\u200fc\u061cd", "abcd"),
    "byte order mark": ("\ufeffa", "a"),
    "invisible tags": ("a\U000e0041\U000e0042b", "ab"),
    "unassigned tags": ("a\U000e0002\U000e0fffb", "a\ufffd\ufffdb"),
    "half of a pair": ("a\ud83db", "a\ufffdb"),
    "no character": ("a\ufffe\ufdd0b", "a\ufffd\ufffdb"),
    "line separators": ("a\u2028b\u2029c", "a b c"),
    "carriage return": ("0%\r50%\r\ndone", "0%\n50%\ndone"),
}
HARMLESS = [
    "Add a --json flag", "Ändere die Größe", "日本語の題", "שלום", "e\u0301", "👩\u200d💻", "🇩🇪 ⚑",
    "می\u200cخواهم", "\U0001fae8 younger than this Python", "\ue0b0 private", "a\tb\nc", "✓ … ×",
]  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_that_acts_is_left(name: str) -> None:
    text, shown = ATTACKS[name]
    assert clean_lines(text) == shown


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_shown_as_it_is(text: str) -> None:
    assert clean_lines(text) == text


@given(st.text())
@example("\x1b" * 3)
@example("\x1b\x1b[m[31m")
def test_whatever_comes_in_nothing_that_acts_comes_out(text: str) -> None:
    shown = clean_lines(text)
    assert clean_lines(shown) == shown
    for character in shown:
        assert character in "\n\t\u200c\u200d" or unicodedata.category(character) not in (
            "Cc", "Cf", "Cs", "Zl", "Zp",
        )  # fmt: skip
    assert "\n" not in clean(text)
    assert "\t" not in clean(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("\u202e\u2066\u2069\u200f\u061c\u2028\ufeff\x7f\x9b")
def test_json_keeps_its_value_and_loses_what_acts(text: str) -> None:
    shown = clean_json(json.dumps({"t": text}, ensure_ascii=False))
    assert json.loads(shown) == {"t": text}
    assert not any(
        0x7F <= ord(c) <= 0x9F or c in "\u202e\u2066\u2069\u200f\u061c\u2028\ufeff" for c in shown
    )


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("\u200d", 0), ("é…", 2)]
)
def test_width_is_what_a_terminal_gives(text: str, columns: int) -> None:
    assert width(text) == columns


def test_long_text_is_cleaned_in_linear_time() -> None:
    """A sequence that never ends must not be looked for from each of its bytes again and again."""
    text = "\x1b]" * 200_000
    assert clean_lines(text) == ""
    assert sys.getsizeof(clean_lines("\x1b]0;" + "x" * 2_000_000)) > 2_000_000
