"""What is the same for trackers and forges at a small stand-in, over HTTP only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from orch.config.source_tree import SourceConfig, SourcePremises
from orch.hosts.dialect import Dialect
from orch.hosts.service import Service, connect
from orch.model.repo import Repo
from orch.testing.forges import SteppingClock, a_repo
from orch.testing.sources import SourceContract

Source = TypeVar("Source")


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


def caller(dialect: Dialect, standin: Any, clock: SteppingClock) -> Service:
    """As `octo`, whose waiting puts the clock forward."""

    def sleep(seconds: float) -> None:
        clock.at += seconds

    environ = standin.environ("octo")
    return connect(dialect, environ, url=standin.url, now=clock.now, sleep=sleep)


def premises(
    standin: Any, clock: SteppingClock, directory: Path, *, repo: Repo | None = None, **config: Any
) -> SourcePremises:  # fmt: skip
    told = {"repo": "thing", "base_url": standin.url} | config
    return SourcePremises(
        name="source", config=SourceConfig(**told), repo=repo or a_repo(), directory=directory,
        environ=standin.environ("octo"), clock=clock,
    )  # fmt: skip


def sources(
    source: Callable[[SourcePremises, Service], Source], dialect: Dialect, standin: Any,
    clock: SteppingClock, directory: Path, **config: Any,
) -> Iterator[Callable[..., Source]]:  # fmt: skip
    """Makes sources of this config with other fields, each with a caller of its own."""
    callers = []

    def made(repo: Repo | None = None, **fields: Any) -> Source:
        callers.append(caller(dialect, standin, clock))
        told = premises(standin, clock, directory, repo=repo, **(config | fields))
        return source(told, callers[-1])

    yield made
    for one in callers:
        one.close()


class HostedSource(SourceContract):
    """Subclass with a fixture `source` that sets these."""

    connected: Callable[..., Any]
    standin: Any
    clock: SteppingClock

    def reopened(self, source: Any) -> Any:
        return self.connected()

    def lag(self, source: Any, seconds: float) -> None:
        self.standin.lag_s = seconds

    def wait(self, source: Any, seconds: float) -> None:
        self.clock.at += seconds
