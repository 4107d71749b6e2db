"""The only writer to stdout and stderr; and what may be shown at all.

Invariant: data goes to stdout, narration to stderr. What a terminal gets and what a pipe gets are the
same but for colour. A stream that nobody reads never ends the work that is narrated; data that
cannot be written is an error. Foreign text passes `orch.cli.cleaning` first. What a table cuts is
marked with `…` and announced; JSON is never cut. Colour only on a terminal, and never with NO_COLOR,
TERM=dumb or --no-color.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from orch.cli.cleaning import clean, clean_json, clean_lines
from orch.model.errors import ToolFailed

LOST = "output_lost"
"""The code of data that could not be written."""
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "dim": "2", "bold": "1"}
_STATES = {
    "done": "green", "open": "green", "active": "green", "succeeded": "green",
    "confirmed": "green", "running": "blue", "in_progress": "blue", "pending": "dim",
    "blocked": "yellow", "needs_review": "yellow", "lost": "yellow", "stopped": "yellow",
    "merged": "blue", "success": "green", "failure": "red",
    "stalled": "yellow", "stopping": "yellow",
    "missing": "red", "error": "red", "aborted": "red", "failed": "red", "refused": "red",
}  # fmt: skip


class Output:
    """How one command talks: chosen by its options and its environment."""

    def __init__(self, *, json: bool, quiet: bool, colour: bool) -> None:
        self.json = json
        self.quiet = quiet
        self._colour = colour

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """While a workflow's own code runs: what it (or a program it starts) prints goes to stderr,
        so that stdout holds our data alone."""
        flush(sys.stdout)
        kept = os.dup(1)
        try:
            os.dup2(2, 1)
            yield
        finally:
            flush(sys.stdout)
            os.dup2(kept, 1)
            os.close(kept)

    def data(self, value: Any) -> None:
        """One JSON value."""
        put(sys.stdout, json_text(value) + "\n")

    def line(self, text: str = "") -> None:
        put(sys.stdout, clean_lines(text) + "\n")

    def raw(self, text: str) -> None:
        """Text that has been cleaned already, or goes into a pipe."""
        put(sys.stdout, text)

    def note(self, text: str) -> None:
        """Narration: stderr, nothing with --quiet."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """What a person has to know: stderr, with --quiet too."""
        put(sys.stderr, clean_lines(text) + "\n")
        flush(sys.stderr)

    def paint(self, text: str, colour: str) -> str:
        if not self._colour or colour not in _COLOURS:
            return text
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"

    def state(self, word: str) -> str:
        """A state in its colour; the word itself always stands there."""
        return self.paint(word, _STATES.get(word, ""))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns that fit the terminal (80 characters where there is none). The first column, the
        name of the thing, is the last to be cut."""
        from orch.cli.table import fitted

        cells = [[c if c.isascii() and c.isprintable() else clean(c) for c in row] for row in rows]
        shown, cut = fitted([head.upper() for head in heads], cells, columns())
        stated = [i for i, head in enumerate(heads) if head in ("status", "state")]
        lines = ["  ".join(cell.text_in(self.paint(cell.text, "dim")) for cell in shown[0])]
        for row in shown[1:]:
            texts = [text + " " * pad for text, pad in row]
            if self._colour:
                for i in stated:
                    texts[i] = row[i].text_in(self.state(row[i].text))
            lines.append("  ".join(texts))
        heard = put(sys.stdout, "".join(f"{line.rstrip()}\n" for line in lines))
        if cut and flush(sys.stdout) and heard:
            what = "cell is" if cut == 1 else "cells are"
            self.note(f"{cut} {what} cut to fit (…); --json shows everything")


def json_text(value: Any) -> str:
    """Indented JSON without a character that a terminal would act upon: those are escaped, so the
    value is the same."""
    import msgspec

    return clean_json(
        msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()
    )


def columns() -> int:
    """The width of the terminal, 80 where there is none."""
    try:
        found = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 80
    return max(40, found) if found else 80


def wants_colour(environ: Mapping[str, str], *, refused: bool) -> bool:
    if refused or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty()


def put(stream: TextIO, text: str) -> bool:
    """Write; False when nobody reads any more (`orch ps | head -1`), which is no error: what is left
    of the work goes on, and says nothing. Data that cannot be written is `ToolFailed`."""
    try:
        stream.write(text)
    except OSError as error:
        _unheard(stream, error)
        return False
    return True


def flush(stream: TextIO) -> bool:
    """Hand over what was written; see `put`."""
    try:
        stream.flush()
    except OSError as error:
        _unheard(stream, error)
        return False
    return True


def _unheard(stream: TextIO, error: OSError) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    if stream is sys.stdout and not isinstance(error, BrokenPipeError):
        raise ToolFailed(
            f"the output cannot be written: {error.strerror}; what was asked for has been done",
            code=LOST,
            hint="repeat a command that reads, with its output elsewhere",
        ) from error
