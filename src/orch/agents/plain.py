"""The output of a program of which nothing is known: what it printed is what it says."""

from __future__ import annotations

from orch.agents.output import TEXT_LIMIT
from orch.agents.words import printable, tail
from orch.model.report import Report


def read(stdout: bytes, stderr: bytes) -> Report:
    text = printable(tail(stdout, TEXT_LIMIT)).strip()
    return Report(text=text, closed=True)
