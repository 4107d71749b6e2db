"""Tables fit, whatever is in them, and say what they cut."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from orch.cli.cleaning import width
from orch.cli.table import GAP, LEAST, Cell, fitted, shortened

WORDS = st.text(st.characters(categories=["L", "N"]), max_size=120)


def wide(row: list[Cell]) -> int:
    return sum(width(cell.text) + cell.pad for cell in row) + GAP * (len(row) - 1)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=5), st.integers(40, 200))
def test_no_row_is_wider_than_the_room(rows: list[tuple[str, ...]], room: int) -> None:
    shown, cut = fitted(["ID", "STATE", "TITLE"], rows, room)
    assert all(wide(row) <= room for row in shown)
    assert len({wide(row) for row in shown}) == 1
    whole = [[cell.text for cell in row] for row in shown[1:]]
    assert cut == sum(a != b for one, other in zip(whole, rows, strict=True)
                      for a, b in zip(one, other, strict=True))  # fmt: skip


def test_what_fits_is_not_touched() -> None:
    shown, cut = fitted(["ID", "TITLE"], [["a", "b" * 70]], 80)
    assert cut == 0
    assert [cell.text for cell in shown[1]] == ["a", "b" * 70]


def test_the_widest_column_gives_first_and_the_name_last() -> None:
    shown, cut = fitted(["ID", "TITLE", "HEAD"], [["i" * 30, "t" * 60, "h" * 20]], 80)
    assert cut == 1
    assert [cell.text for cell in shown[1]] == ["i" * 30, "t" * 25 + "…", "h" * 20]
    narrow, _ = fitted(["ID", "TITLE", "HEAD"], [["i" * 70, "t" * 60, "h" * 20]], 40)
    assert [width(cell.text) for cell in narrow[1]] == [16, LEAST, LEAST]


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("日本語の題", 6, "日本…"),
        ("a👩\u200d💻b", 4, "a👩\u200d…"),
        ("e\u0301" * 6, 3, "e\u0301e\u0301…"),
    ],
)
def test_h17_text_is_cut_on_characters(text: str, limit: int, short: str) -> None:
    assert shortened(text, limit) == short
    assert width(short) <= limit


def test_a_path_keeps_its_end() -> None:
    shown, cut = fitted(["NAME", "PATH"], [["thing", "/a/long/way/to/" + "x" * 80 + "/thing"]], 60)
    assert cut == 1
    assert shown[1][1].text.startswith("…x")
    assert shown[1][1].text.endswith("/thing")


def test_a_date_is_never_cut_and_a_branch_keeps_its_end() -> None:
    heads = ["KEPT", "REPO", "BRANCH", "FILES", "UNTIL"]
    name = "issue-001-do-a-thing-that-is-long"
    row = [f"20261121-{name}", "thing", f"orch/{name}", "2", "2026-12-05"]
    shown, cut = fitted(heads, [row], 80)
    texts = [cell.text for cell in shown[1]]
    assert cut == 1
    assert texts == [row[0], "thing", "…t-is-long", "2", "2026-12-05"]
