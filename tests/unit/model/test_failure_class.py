"""Every failure code has one class, and two sayings of one error are found equal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from orch.agents import failure
from orch.model.failure_class import FailureClass, class_of, normalised

SOURCES = Path(__file__).resolve().parents[3] / "src" / "orch" / "agents"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("rate_limit", "limit"),
        ("quota", "limit"),
        ("usage_window", "limit"),
        ("overloaded", "limit"),
        ("missing_tool", "environment"),
        ("bad_cwd", "environment"),
        ("cannot_start", "environment"),
        ("unparseable", "agent"),
        ("no_change", "agent"),
        ("exit_nonzero", "agent"),
        ("reported_failure", "agent"),
        ("permission_denied", "person"),
        ("waiting_input", "person"),
        ("killed", "transient"),
        ("a_code_of_a_plugin", "agent"),
        ("", "agent"),
        *((kind, kind) for kind in ("auth", "billing", "timeout", "stuck", "lost", "stopped")),
        ("context_overflow", "context_overflow"),
        ("unknown_model", "unknown_model"),
    ],
)
def test_a_code_has_its_class(code: str, kind: str) -> None:
    assert class_of(code) == kind
    assert kind in get_args(FailureClass)


def test_the_codes_that_agents_end_with_are_listed() -> None:
    """A code that a person can meet is put into a class on purpose, not by default."""
    from orch.model import failure_class

    listed = {code for codes in failure_class._CODES.values() for code in codes}
    written = set(failure._WORDS) | set(failure._BY_STATUS.values())
    for name in ("failure.py", "reply.py", "answer.py"):
        text = (SOURCES / name).read_text(encoding="utf-8")
        written |= set(re.findall(r'code="([a-z_]+)"', text))
    assert written <= listed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("timed out after 300 s", "timed out after 301 s"),
        ("no file /tmp/a1/x.py", "no file /home/y/x.py"),
        ("request 7f3a9c21 failed", "request 00beef12 failed"),
        ("the agent claude failed:  Boom", "the agent codex failed: boom"),
        ("at 2026-01-02 03:04:05", "at 2026-11-12 13:14:15"),
    ],
)
def test_what_differs_between_occurrences_does_not_count(one: str, other: str) -> None:
    """H47: errors are compared without ids, paths, numbers and names."""
    names = ("claude", "codex")
    assert normalised(one, *names) == normalised(other, *names)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("failed (exit code 1)", "failed (exit code 2)"),
        ("failed (exit code 12)", "failed (exit code 13)"),
        ("no module named a", "no module named b"),
    ],
)
def test_different_errors_stay_different(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)
