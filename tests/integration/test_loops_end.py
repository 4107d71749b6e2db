"""A loop of the service that is told to end in the moment in which it hears something ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from orch.service.ear import ServiceEar
from orch.service.metrics import Metrics
from orch.service.reload import Reload


class Ear:
    """Hands out the event by which a directory is heard."""

    def __init__(self) -> None:
        self.told: asyncio.Event | None = None

    @contextlib.contextmanager
    def written(self, directory: str, told: asyncio.Event) -> Iterator[asyncio.Event]:
        self.told = told
        yield told


async def here(work: Callable[[], Any]) -> Any:
    return work()


async def ends(loop: Callable[[], Any], word: Callable[[], None]) -> bool:
    task = asyncio.ensure_future(loop())
    for _ in range(20):  # until it waits: nothing in it takes time
        await asyncio.sleep(0)
    word()
    await asyncio.sleep(0)  # what was waited for is there, and who waits has not been told yet
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=20)
    task.cancel()
    return bool(done) and task.cancelled()


@pytest.mark.parametrize("late", [False, True])
def test_the_configuration_is_watched_no_longer(tmp_path: Path, *, late: bool) -> None:
    ear = Ear()
    reload = Reload(lambda: [str(tmp_path / "config.toml")], list, cast(ServiceEar, ear), here)

    def word() -> None:
        assert ear.told is not None
        ear.told.set()

    async def played() -> bool:
        if late:
            return await ends(reload.run, word)
        return await ends(reload.run, lambda: None)

    assert asyncio.run(played())


def test_figures_are_served_no_longer(tmp_path: Path) -> None:
    metrics = Metrics(lambda: 0, lambda: "", tmp_path / "token", here)
    assert asyncio.run(ends(metrics.run, metrics.wake))
