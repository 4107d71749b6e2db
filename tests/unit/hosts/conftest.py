"""A stand-in for GitHub with one repository, and clients that reach it over HTTP only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orch.hosts.github.client import GitHub, connect
from tests.githubrooms import repo as repo, standin as standin
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Repo


@pytest.fixture
def connected(standin: GitHubStandIn) -> Iterator[Callable[..., GitHub]]:
    """Clients whose time is the stand-in's: to sleep puts it forward."""
    made: list[GitHub] = []

    def client(login: str = "octo", **options: Any) -> GitHub:
        options.setdefault("now", standin.world.clock)
        options.setdefault("sleep", standin.world.clock.advance)
        environ = options.pop("environ", None) or standin.environ(login)
        made.append(connect(environ, **options))
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture
def github(connected: Callable[..., GitHub], repo: Repo) -> GitHub:
    return connected()
