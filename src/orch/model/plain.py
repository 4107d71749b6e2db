"""What a workflow hands over, as data that JSON can carry.

Invariant: whatever goes in, what comes out can be encoded and decoded again: one odd value in one
workflow must not fail the transaction that others share.
"""

from __future__ import annotations

from typing import Any

import msgspec


def plain_text(word: object) -> str:
    """`word` as text that UTF-8 can carry; what cannot even be printed becomes its class name."""
    try:
        text = str(word)
    except Exception:  # noqa: BLE001 - `__str__` and `__repr__` of a workflow's own classes
        text = f"<{type(word).__name__} that cannot be printed>"
    return text.encode("utf-8", "replace").decode()


def plain_data(value: Any) -> Any:
    """`value` of None, bool, numbers, text, lists and dicts with text keys.

    Structs become dicts, foreign objects their text; a value that cannot be taken apart (it holds
    itself, or keys that are no words) becomes one text.
    """
    try:
        built = msgspec.to_builtins(value, enc_hook=plain_text, str_keys=True)
        return msgspec.json.decode(msgspec.json.encode(built))
    except (TypeError, ValueError, RecursionError):
        return plain_text(value)
