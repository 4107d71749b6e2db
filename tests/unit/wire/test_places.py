"""The service's socket has a place however long a home's name is, and nobody else reaches into it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.model.errors import ToolFailed
from orch.wire import places


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        monkeypatch.setattr(places, "SHORT", Path(folder))
        yield Path(folder)


def test_a_short_home_has_its_socket_itself() -> None:
    assert places.service_socket(Path("/h")) == Path("/h/run/orch.sock")


def test_a_long_home_has_it_in_a_private_directory(short: Path) -> None:
    home = Path("/" + "h" * 120)
    found = places.service_socket(home)
    assert found.parent == short / f"orch-{os.geteuid()}"
    assert len(os.fsencode(found)) <= places.LIMIT
    assert found == places.service_socket(home) != places.service_socket(home / "x")
    assert found != places.fitting(home / "run" / "tmux.sock", home / "run")
    assert not places.has_place(found)
    found.parent.mkdir(mode=0o700)
    assert places.has_place(found)


def test_a_directory_that_others_can_reach_into_is_refused(short: Path) -> None:
    found = places.service_socket(Path("/" + "h" * 120))
    found.parent.mkdir(mode=0o755)
    with pytest.raises(ToolFailed) as caught:
        places.has_place(found)
    assert caught.value.code == "socket_unsafe"
    found.parent.rmdir()
    found.parent.symlink_to(short)
    with pytest.raises(ToolFailed):
        places.has_place(found)
