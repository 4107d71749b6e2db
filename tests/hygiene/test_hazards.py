"""Every hazard of this release has its test, or stands in the list of later features."""

from __future__ import annotations

import pytest

from tools import hazards


def test_every_hazard_has_a_test_or_a_later_feature() -> None:
    assert hazards.uncovered() == []


def test_a_hazard_without_either_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hazards.HAZARDS, 999, "nobody has thought of it")
    assert hazards.uncovered() == [999]


def test_the_document_names_every_hazard() -> None:
    written = (hazards.ROOT / "docs" / "hazards.md").read_text(encoding="utf-8")
    for number in hazards.HAZARDS:
        assert f"| H{number} |" in written
