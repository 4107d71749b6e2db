"""What several contracts of the store share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.ports import Store
from orch.store.memory import MemoryStore
from orch.store.sqlite import SqliteStore


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each of both, new."""
    made: Store
    if request.param == "sqlite":
        made = SqliteStore(tmp_path / "orch.db", now=lambda: 1.0, install="i")
    else:
        made = MemoryStore(now=lambda: 1.0)
    yield made
    made.close()
