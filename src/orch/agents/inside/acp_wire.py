"""The stream of an agent that speaks the Agent Client Protocol: one JSON object a line, both ways.

Invariant: nothing that an agent writes ends the conversation but the end of its output: what is no
message is handed to `odd` and passed over. Each message is seen by `seen` in the order of the
stream, before anybody acts on it; `sent`
sees each of ours when it is on its way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

LIMIT = 32 * 1024 * 1024
"""Bytes of one message; a longer one is passed over."""


class Wire:
    """A transport as `acp.connect_to_agent` takes one."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        seen: Callable[[dict[str, Any]], None], sent: Callable[[dict[str, Any]], None],
        odd: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._reader, self._writer = reader, writer
        self._seen, self._sent, self._odd = seen, sent, odd

    async def send(self, message: dict[str, Any]) -> None:
        self._writer.write(json.dumps(message).encode("ascii") + b"\n")
        self._sent(message)
        await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """None at the end."""
        while (line := await self._line()) is not None:
            if not line.strip():
                continue
            message = _decoded(line)
            if message is None:
                self._odd(line[:2000].decode("utf-8", "replace"))
            else:
                self._seen(message)
                return message
        return None

    async def close(self) -> None:
        """The agent's input ends."""
        self._writer.close()

    async def _line(self) -> bytes | None:
        """The next line, empty for one that is too long; None at the end."""
        kept = True
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                await self._reader.readexactly(error.consumed)
                kept = False
                continue
            except asyncio.IncompleteReadError as error:
                return error.partial if kept and error.partial else None
            except OSError:
                return None
            return line if kept else b"(a message that is too long)"


def _decoded(line: bytes) -> dict[str, Any] | None:
    """A message that every layer above can take, or None."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    if not isinstance(message.get("method", ""), str):
        return None
    if not isinstance(message.get("id"), int | str | None):
        return None
    error = message.get("error")
    if error is not None and not isinstance(error, dict):
        message["error"] = {"code": -32603, "message": str(error)[:2000]}
    return message
