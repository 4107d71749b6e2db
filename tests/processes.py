"""Other processes of a test: started with a text of Python, talked to by lines, never left behind."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class Child:
    """A Python process. Its lines come one at a time; its stderr is told when it fails."""

    def __init__(self, code: str, arguments: Sequence[object]) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `put_away`
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, cwd=ROOT,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def line(self) -> str:
        """The next line it writes; empty when it is gone."""
        return self._out.readline().rstrip("\n")

    def say(self, line: str = "") -> None:
        self._in.write(line + "\n")
        self._in.flush()

    def kill(self) -> list[str]:
        """`kill -9`; gives the lines that it had written and nobody had read."""
        self._process.kill()
        left = self._out.read().splitlines()
        self._process.wait()
        return left

    def end(self) -> list[str]:
        """Wait for its end, which must be a good one; gives the lines left."""
        left = self._out.read().splitlines()
        self._errors.seek(0)
        assert self._process.wait() == 0, self._errors.read()
        return left

    def put_away(self) -> None:
        self._process.kill()
        self._process.wait()
        for file in (self._in, self._out, self._errors):
            with contextlib.suppress(BrokenPipeError):  # words that it never read
                file.close()


@contextlib.contextmanager
def children(code: str, *each: Sequence[object]) -> Iterator[list[Child]]:
    """One process for each list of arguments; none is left afterwards."""
    started: list[Child] = []
    try:
        started.extend(Child(code, arguments) for arguments in each)
        yield started
    finally:
        for child in started:
            child.put_away()


@contextlib.contextmanager
def child(code: str, *arguments: object) -> Iterator[Child]:
    with children(code, arguments) as [only]:
        yield only
