"""What `run`, `resume` and `stop` make of their words and of how a run stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orch.cli.runs import arguments, exit_code
from orch.model.errors import UsageError


def reason(kind: str, code: str) -> dict[str, str]:
    return {"kind": kind, "code": code, "message": "why", "hint": ""}


@pytest.mark.parametrize(
    ("status", "why", "code"),
    [
        ("done", None, 0),
        ("error", None, 1),
        ("aborted", None, 1),
        ("blocked", reason("human", "gate"), 6),
        ("blocked", reason("human", "non_determinism"), 6),
        ("blocked", reason("human", "detached"), 130),
        ("blocked", reason("stopped", "stopped"), 5),
        ("blocked", reason("dependency", "unreachable"), 9),
        ("blocked", reason("quota", "budget"), 7),
        ("blocked", reason("of a later version", "x"), 6),
        ("running", None, 130),
        ("pending", None, 130),
    ],
)
def test_only_done_is_zero(status: str, why: dict[str, str] | None, code: int) -> None:
    assert exit_code({"status": status, "reason": why, "error": None}) == code


def test_a_run_that_failed_for_want_of_time_says_so() -> None:
    assert exit_code({"status": "error", "reason": None, "error": {"code": "timeout"}}) == 124
    assert exit_code({"status": "error", "reason": None, "error": {"code": "no_change"}}) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("{}", {}),
        ('{"a": [1, null], "b": {"c": "é"}}', {"a": [1, None], "b": {"c": "é"}}),
    ],
)
def test_params_are_an_object(text: str, value: dict[str, Any]) -> None:
    assert arguments(text) == value


@pytest.mark.parametrize("text", ["[]", "1", '"a"', "{", "{'a': 1}", '{"a": NaN}', "null", "a=1"])
def test_params_that_are_none(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        arguments(text)
    assert caught.value.code == "bad_params"
    assert caught.value.hint


def test_params_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"a": 1}', encoding="utf-8")
    assert arguments(f"@{tmp_path}/p.json") == {"a": 1}
    (tmp_path / "bad").write_bytes(b"\xff")
    for name in ("bad", "absent", "."):
        with pytest.raises(UsageError) as caught:
            arguments(f"@{tmp_path / name}")
        assert caught.value.code == "unreadable_file"
