"""What the system tells about free disk, memory and processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from orch.api import room


def test_one_figure_for_each_disk(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    found = room.disks(str(tmp_path), str(tmp_path / "below"), str(tmp_path / "gone"))
    figures = os.statvfs(tmp_path)
    assert list(found) == [str(tmp_path)]
    assert abs(found[str(tmp_path)] - figures.f_bavail * figures.f_frsize / 2**20) < 1024


def test_memory_is_the_least_of_the_machine_and_the_control_group(tmp_path: Path) -> None:
    assert room.free_memory(tmp_path, tmp_path) is None
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   204800 kB\n")
    assert room.free_memory(tmp_path, tmp_path) == 200
    (tmp_path / "memory.max").write_text("max\n")
    assert room.free_memory(tmp_path, tmp_path) == 200
    (tmp_path / "memory.max").write_text(f"{100 * 2**20}\n")
    (tmp_path / "memory.current").write_text(f"{90 * 2**20}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {20 * 2**20}\n")
    assert room.free_memory(tmp_path, tmp_path) == 30


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_the_machine_tells_of_itself(tmp_path: Path) -> None:
    assert (room.processes() or 0) >= 1
    assert (room.free_memory() or 0) > 0
    assert room.processes(tmp_path / "gone") is None
