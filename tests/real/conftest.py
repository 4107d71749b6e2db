"""Real agent programs against the scripted model server, on loopback and without an account."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orch.testing.model_server import ModelServer
from tests.real import parts
from tests.real.machine import Machine


def pytest_collection_finish(session: pytest.Session) -> None:
    """They are installed before the first test begins: its time is for the program, not for npm."""
    if any(Path(__file__).parent in item.path.parents for item in session.items):
        for name in parts.PARTS:
            with suppress(parts.NotInstalled):  # told by the test that wants it, and in the summary
                parts.installed(name)


@pytest.fixture(scope="session")
def program() -> Callable[[str], Path]:
    """The path of a program by its name. Where the registry has not given it, the test is skipped, or
    fails for those that must be there."""

    def find(name: str) -> Path:
        try:
            return parts.installed(name)
        except parts.NotInstalled as error:
            if parts.PARTS[name].must:
                pytest.fail(f"{name} has to be there: {error}")
            pytest.skip(f"{name} could not be installed: {error}")

    return find


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as made:
        yield made


@pytest.fixture
def machine(server: ModelServer, program: Callable[[str], Path]) -> Iterator[Machine]:
    """A place outside of /tmp, also where the checkout lies there: Codex lets what it runs write in
    it, and keeps no programs of its own there."""
    parts.PLACE.mkdir(parents=True, exist_ok=True)
    within = Path("/tmp") in parts.PLACE.resolve().parents
    folder = Path(tempfile.mkdtemp(prefix="orch-h", dir="/var/tmp" if within else parts.PLACE))
    made = Machine(folder, server, program)
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)
