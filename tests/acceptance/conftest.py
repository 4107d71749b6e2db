"""Worlds for the acceptance tests; whatever a test has started is ended with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.world import World, furnished, make


@pytest.fixture
def person() -> Iterator[Path]:
    """An empty directory with a short name: tmux's socket lies where a home is, if it has room."""
    with tempfile.TemporaryDirectory(prefix="w", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve() / "me"


@pytest.fixture
def bare(person: Path) -> Iterator[World]:
    """A checkout with its remote, and a home with a configuration; Orch knows nothing yet."""
    world = make(person)
    yield world
    world.close()


@pytest.fixture
def world(person: Path) -> Iterator[World]:
    """The same with the repository added as `thing` and ISSUE-001 written."""
    world = furnished(person)
    yield world
    world.close()
