"""Foreign text made safe to show: titles, questions, branch names, what agents print.

Invariant: no text of a stranger moves the cursor, changes colours, titles or the clipboard, reorders
what is read, or starts a line of its own in a table. What is cleaned is shown only; kept data and
JSON values stay what they are.
"""

from __future__ import annotations

import functools
import re

_JOINERS = "\u200c\u200d"  # Persian needs one, emoji need the other; both are harmless
_REPLACED = "\ufffd"


@functools.cache
def _sequences() -> re.Pattern[str]:
    """Whole terminal sequences (ECMA-48): CSI; OSC, DCS and other strings; two-byte escapes; each
    also in its one-byte form (C1)."""
    return re.compile(
        r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
        r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
        r"|\x1b[ -/]*[0-~]"
    )


def clean(text: str) -> str:
    """One line that is safe on any terminal."""
    if text.isascii() and text.isprintable():
        return text
    return clean_lines(text).replace("\n", " ").replace("\t", " ")


def clean_lines(text: str) -> str:
    """Text without terminal sequences, control characters (but newline and tab) and marks that
    reorder. A lone carriage return, as progress bars print it, begins a line."""
    if text.isascii() and text.isprintable():
        return text
    if "\x1b" in text or not text.isascii():
        text = _sequences().sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c if c in "\n\t" or c.isprintable() else _shown(c) for c in text)


def _shown(character: str) -> str:
    """For a character that is not printable: itself, a blank, nothing, or the mark for lost text."""
    import unicodedata  # late: hardly any text needs it

    category = unicodedata.category(character)
    if category in ("Zs", "Zl", "Zp"):
        return " "
    if category == "Cf":
        return character if character in _JOINERS else ""
    # Letters younger than this Python and those for private use move nothing; controls, halves of
    # pairs and what is no character do.
    return character if category in ("Cn", "Co") and not _is_none(character) else _REPLACED


def _is_none(character: str) -> bool:
    code = ord(character)
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF or 0xE0000 <= code <= 0xE0FFF


@functools.cache
def _acting() -> re.Pattern[str]:
    """What JSON may hold unescaped and a terminal would act upon."""
    return re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def clean_json(text: str) -> str:
    """The same JSON, safe to show: such characters stand in strings only, as `\\uXXXX`."""
    return _acting().sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def width(text: str) -> int:
    """Columns that a terminal gives to cleaned text."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
