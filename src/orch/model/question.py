"""What an agent asks a person while it works, and what the person answers.

Invariant: a question waits for a person as long as its attempt lives; nothing answers in their place.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One of the answers that the agent offers. `kind` as in the Agent Client Protocol:
    `allow_once`, `allow_always`, `reject_once`, `reject_always`, or empty."""

    id: str
    label: str
    kind: str = ""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """`id` are 8 hexadecimal digits, the same for the same question of an attempt. `permission` asks
    whether `tool` may be used with `input`; `question` asks for words. `text` is one sentence.
    `asked_at`: seconds since the epoch."""

    id: str
    kind: Literal["permission", "question"] = "permission"
    text: str = ""
    tool: str = ""
    input: dict[str, Any] = {}
    options: tuple[Option, ...] = ()
    asked_at: float = 0.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`approve` and `deny` answer a permission, `answer` brings words (`text`, or the id of an
    option). `by`: who; `at`: seconds since the epoch."""

    decision: Literal["approve", "deny", "answer"]
    text: str = ""
    by: str = ""
    at: float = 0.0
