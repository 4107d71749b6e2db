"""What an agent's client writes down: records for Orch, and readable lines for whoever looks on.

Invariant: each record is one whole line of JSON, in the order in which things happened; the pane is
for display only, never waited for, and gets printable characters only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from orch.agents.words import one_line, printable

LIMIT = 48 * 1024 * 1024
"""Bytes of updates that are kept; what matters for the verdict is kept beyond it."""
PIECE = 2048
"""Characters of a message that is told in one record, at most: agents tell it word by word."""
_CHUNKS = ("agent_message_chunk", "agent_thought_chunk")


class Ledger:
    """`records` is an open file; `pane` one of a terminal that must not block, -1 for none."""

    def __init__(self, records: int, pane: int = -1) -> None:
        self._records, self._pane = records, pane
        self._written = 0
        self._held: dict[str, Any] = {}
        self._at_start = True

    def note(self, kind: str, **fields: Any) -> None:
        """One record."""
        self.flush()
        self._write({"type": kind, **fields})

    def update(self, update: dict[str, Any]) -> None:
        """A session/update as it came; words that come in pieces are put together up to a line."""
        text = _text(update)
        if text is None:
            self.flush()
            self._limited(update)
            return
        if self._held and not _goes_on(self._held, update):
            self.flush()
        if self._held:
            self._held["content"]["text"] += text
        else:
            self._held = {**update, "content": {**update["content"]}}
        if "\n" in text or len(self._held["content"]["text"]) >= PIECE:
            self.flush()

    def flush(self) -> None:
        """Write the words that are held."""
        if self._held:
            held, self._held = self._held, {}
            self._limited(held)

    def _limited(self, update: dict[str, Any]) -> None:
        if self._written < LIMIT:
            self._write({"type": "update", "update": update})

    def _write(self, record: Mapping[str, Any]) -> None:
        line = memoryview(json.dumps(record).encode("ascii") + b"\n")
        self._written += len(line)
        while line:
            line = line[os.write(self._records, line) :]

    # --- for people

    def say(self, text: str) -> None:
        """One line."""
        self._show(("" if self._at_start else "\n") + one_line(text, 500) + "\n")

    def tell(self, text: str) -> None:
        """Words that go on."""
        self._show(printable(text))

    def _show(self, text: str) -> None:
        if self._pane < 0 or not text:
            return
        self._at_start = text.endswith("\n")
        try:
            os.write(self._pane, text.encode("utf-8", "replace"))
        except OSError:
            return  # slow, or gone


def _text(update: Mapping[str, Any]) -> str | None:
    content = update.get("content")
    if update.get("sessionUpdate") not in _CHUNKS or not isinstance(content, dict):
        return None
    text = content.get("text")
    return text if content.get("type") == "text" and isinstance(text, str) else None


def _goes_on(held: Mapping[str, Any], update: Mapping[str, Any]) -> bool:
    """Whether they differ in their words only."""

    def rest(one: Mapping[str, Any]) -> dict[str, Any]:
        return {**one, "content": {**one["content"], "text": ""}}

    return rest(held) == rest(update)
