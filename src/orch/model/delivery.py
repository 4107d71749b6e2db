"""What became of a message to a running program.

Invariant: `delivered` is said only where something proves it; what cannot be proven is not delivered,
and where part of it may have been read all the same the code is `unknown`.
"""

from __future__ import annotations

import msgspec

UNKNOWN = "unknown"
"""The code of a message that may have been read, in part or whole."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """`proof` is one sentence on what proves a delivered message to have been read. One that was not
    has a `code` and one sentence, `reason`:

    `pipes` (the program's input is no terminal), `not_running`, `not_reading` (nothing of it was
    read, and nothing of it can come later), `shell` (a shell waits there for commands), `empty`,
    `control_character`, `not_text`, `line_too_long`, `terminal_settings` (the terminal would change
    or swallow a part), `input_off`, `no_answer` (tmux is silent), `terminal_failed`, `unknown`.
    """

    delivered: bool
    proof: str = ""
    code: str = ""
    reason: str = ""


def undelivered(code: str, reason: str) -> str:
    """What a person is told of a message that is not delivered, or that nobody knows of."""
    known = "not known to be delivered" if code == UNKNOWN else "not delivered"
    return f"{known}: {reason}"


class Undeliverable(Exception):
    """A message does not arrive: what `Delivery` says then."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    @property
    def delivery(self) -> Delivery:
        return Delivery(delivered=False, code=self.code, reason=self.reason)


def message_bytes(text: str) -> bytes:
    """`text` as a terminal gets it (UTF-8), or `Undeliverable`.

    Line feeds and tabs are text; every other control character is a key: it interrupts, erases or
    ends a paste (`ESC [ 201 ~`), in one program or in another. None is dropped or replaced.
    """
    if not text:
        raise Undeliverable("empty", "The message is empty.")
    for place, character in enumerate(text, 1):
        code = ord(character)
        if (code < 0x20 and character not in "\n\t") or 0x7F <= code <= 0x9F:
            raise Undeliverable(
                "control_character",
                f"Character {place} of the message (U+{code:04X}) is a control character, which"
                " a program takes for a key.",
            )
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Undeliverable(
            "not_text",
            f"Character {error.start + 1} of the message is half of a pair, or no UTF-8 at all.",
        ) from error
