"""What programs write, told as it comes: lines of several at once, each with its name; or as JSON.

Invariant: nobody's line is mixed into another's; a terminal gets cleaned text, a pipe and JSON what
was written. `heard` turns False when nobody reads any more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from orch.cli.cleaning import clean, clean_json, clean_lines, width
from orch.cli.deeds import deed, is_told
from orch.cli.output import Output, columns, flush, put

if TYPE_CHECKING:
    from orch.api.acting import Did
    from orch.api.tails import Wrote
    from orch.model.attempt import Attempt


def label(attempt: Attempt, among: Iterable[Attempt]) -> str:
    """`impl`, `impl#2` for its second attempt, `impl-4f2a` where two steps have an `impl`."""
    name = called(attempt)
    others = any(a.path != attempt.path and called(a) == name for a in among)
    again = f"#{attempt.n}" if attempt.n > 1 else ""
    return clean(f"{name}-{attempt.id[:4]}{again}" if others else f"{name}{again}")


def called(attempt: Attempt) -> str:
    return attempt.name or attempt.agent or "command"


class Lines:
    """Lines on stdout. `several`: each begins with its program's name."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._clean = sys.stdout.isatty()
        self._open: tuple[str, str] | None = None
        self.heard = True

    def wrote(self, wrote: Wrote, name: str) -> None:
        """`name` is empty where nobody else writes."""
        text = clean_lines(wrote.text) if self._clean else wrote.text
        head = f"{self._out.paint(name, 'blue')} | " if name else ""
        whose = (wrote.attempt.id, wrote.stream)
        if self._open != whose:
            self.close()
            text = head + text
        ended = text.endswith("\n")
        if head:
            text = text.removesuffix("\n").replace("\n", f"\n{head}") + "\n" * ended
        self._put(text)
        self._open = None if ended else whose

    def did(self, did: Did, name: str) -> None:
        """An action, on a line as wide as the terminal."""
        if not is_told(did.action):
            return
        self.close()
        room = columns() - (width(name) + 2 if name else 0)
        head = f"{self._out.paint(name, 'blue')}  " if name else ""
        self._put(head + deed(did.action).line(room, self._out) + "\n")

    def close(self) -> None:
        """End a line that was told half."""
        if self._open is not None:
            self._put("\n")
            self._open = None

    def flush(self) -> bool:
        self.heard = flush(sys.stdout) and self.heard
        return self.heard

    def _put(self, text: str) -> None:
        self.heard = put(sys.stdout, text) and self.heard


class JsonLines:
    """One JSON value a line on stdout."""

    def __init__(self) -> None:
        self.heard = True

    def tell(self, value: Any) -> None:
        import msgspec

        text = clean_json(msgspec.json.encode(value, enc_hook=str).decode())
        self.heard = put(sys.stdout, text + "\n") and self.heard

    def flush(self) -> bool:
        self.heard = flush(sys.stdout) and self.heard
        return self.heard
