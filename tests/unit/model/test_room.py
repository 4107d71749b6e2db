"""Whether the machine has room: as a table."""

from __future__ import annotations

import pytest

from orch.model.room import Figures, Floors, shortage

FLOORS = Floors(disk_mb=16, memory_mb=64, processes=100)


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (Figures(), ""),
        (Figures({"/a": 16.0, "/b": 17.0}, 64.0, 99), ""),
        (Figures({"/a": 16.0, "/b": 15.9}, 64.0, 99), "16 MiB are left at /b, 16 MiB are needed"),
        (Figures({"/a": 0.0}, 1.0, 1000), "free disk: 0 MiB are left at /a"),
        (Figures({"/a": 20.0}, 63.0, 1), "free memory: 63 MiB are left, 64 MiB are needed"),
        (Figures({}, None, 100), "100 run on this machine, fewer than 100"),
        (Figures({}, 64.0, None), ""),
    ],
)
def test_what_is_short_is_named_with_both_figures(found: Figures, named: str) -> None:
    said = shortage(found, FLOORS)
    assert named in said
    assert bool(said) == bool(named)


def test_a_floor_of_zero_is_not_looked_at() -> None:
    assert shortage(Figures({"/a": 0.0}, 0.0, 10**6), Floors()) == ""
