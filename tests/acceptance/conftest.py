"""Worlds for the acceptance tests; whatever a test has started is ended with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.world import World, furnished, make


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[World]:
    """A checkout with its remote, and a home with a configuration; Orch knows nothing yet."""
    world = make(tmp_path / "me")
    yield world
    world.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The same with the repository added as `thing` and ISSUE-001 written."""
    world = furnished(tmp_path / "me")
    yield world
    world.close()
