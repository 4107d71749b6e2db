"""Text that programs wrote, made fit for people: cut on characters, without terminal escapes.

Invariant: whatever bytes go in, what comes out can be encoded, holds no control character but line
ends and tabs, and was cut between characters (H17).
"""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS, PM, APC, SOS with their text
    r"|\x1b[ -/]*[0-~]?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Without escapes, control and direction characters; `\\r\\n` becomes `\\n`. Of a line that was
    redrawn with `\\r` the last state is kept."""
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROL.sub("", text)


def one_line(text: str, limit: int = 300) -> str:
    """Printable, white space collapsed, at most `limit` characters (an ellipsis marks a cut)."""
    visible = ("".join(filter(str.isprintable, word)) for word in printable(text).split())
    line = " ".join(word for word in visible if word)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def tail(raw: bytes, limit: int) -> str:
    """The last `limit` bytes as text; a character cut in two is left out."""
    if len(raw) > limit:
        raw = raw[-limit:]
        start = 0
        while start < min(3, len(raw)) and 0x80 <= raw[start] < 0xC0:
            start += 1
        raw = raw[start:]
    return raw.decode("utf-8", "replace")
