"""Parameters that a workflow's own annotations rule out are refused; what nobody can judge is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from orch.api.fitting import needs_fitting
from orch.api.planning import RunPlan
from orch.model.errors import UsageError
from tests.records import ME, RUN, a_ticket

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


class Own:
    pass


def takes(
    issue: Any = None, count: int = 3, words: str | list[str] = "x", way: Literal["a", "b"] = "a",
    limit: float = 1.0, unset: int = None,  # type: ignore[assignment]  # noqa: RUF013
    path: Path = Path("x"), own: Own | None = None, unknown: Unknown = None, raw: bytes = b"",
    **more: int,
) -> None:  # fmt: skip
    pass


FIT: list[dict[str, Any]] = [
    {"count": 1}, {"words": "a"}, {"words": ["a", "b"]}, {"words": ("a",)}, {"way": "b"},
    {"limit": 1}, {"limit": 0.5}, {"unset": None}, {"unset": 1}, {"path": "x"}, {"path": 1},
    {"own": 1}, {"unknown": "x"}, {"raw": "not base64"}, {"other": "x"}, {},
    {"issue": "x"},
]  # fmt: skip


@pytest.mark.parametrize("params", FIT, ids=str)
def test_what_fits_or_cannot_be_judged_is_taken(params: dict[str, Any]) -> None:
    needs_fitting(takes, params)


UNFIT = [
    ({"count": "a"}, '"a"', "expected int, got str", "int"),
    ({"count": None}, "null", "expected int, got null", "int"),
    ({"count": 1.5}, "1.5", "expected int, got float", "int"),
    ({"words": 7}, "7", "expected str | array, got int", "str | list[str]"),
    ({"words": ["a", 1]}, '["a", 1]', "expected str, got int at $[1]", "str | list[str]"),
    ({"way": "c"}, '"c"', "invalid enum value 'c'", "Literal['a', 'b']"),
    ({"limit": "x" * 99}, "xxx...", "expected float, got str", "float"),
]


@pytest.mark.parametrize(("params", "found", "wrong", "hint"), UNFIT, ids=lambda v: str(v)[:30])
def test_what_does_not_fit_is_named_with_what_was_found_and_expected(
    params: dict[str, Any], found: str, wrong: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        needs_fitting(takes, params)
    error = caught.value
    assert (error.code, error.exit_code) == ("bad_params", 2)
    assert repr(next(iter(params))) in error.message
    assert "workflow takes" in error.message
    assert found in error.message
    assert wrong in error.message
    assert error.hint.endswith(f"type {hint}")


TEMPLATES = [
    ("enforced_pr", {"max_retries": "a"}), ("enforced_pr", {"test_timeout": "1h"}),
    ("reviewed_pr", {"max_reviews": "2"}), ("multi_agent", {"impl_agent": 1}),
    ("basic_pr", {"prompt": ["x"]}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "params"), TEMPLATES)
def test_a_template_refuses_before_anything_is_planned(
    name: str, params: dict[str, Any], tmp_path: Path
) -> None:
    plan = RunPlan(name, tmp_path)
    with pytest.raises(UsageError) as caught:
        plan.command(
            run=RUN, repo="thing", issue=a_ticket(), agent="", params=params, owner=ME
        )  # fmt: skip
    assert caught.value.code == "bad_params"
    assert repr(next(iter(params))) in caught.value.message
