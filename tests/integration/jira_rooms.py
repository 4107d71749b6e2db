"""A project of a stand-in for Jira, and the source that is for it, over HTTP only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orch.config.secret import Secret
from orch.config.source_tree import SourceConfig, SourcePremises
from orch.hosts.jira.client import Jira, connect
from orch.model.repo import Repo
from orch.trackers.jira.source import JiraSource
from tests.standins.jira.server import JiraStandIn
from tests.standins.jira.world import ADMIN, RIGHTS, Clock

KEY = "status.0123456789abcdef0123"
WRITES = r"^(POST|PUT|DELETE) (?!.*(/search|/comment/list|/permissions))"
REPO = Repo(slug="thing", local_path="/t", common_dir="/t/.git", pinned_dir="/p",
            workspace_dir="/w", default_branch="main")  # fmt: skip


class Ticking:
    """The stand-in's time as a port."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock()

    def monotonic(self) -> float:
        return self._clock()

    async def sleep(self, seconds: float) -> None:
        self._clock.advance(seconds)


class Rooms:
    """`ABC` with the people bot (us, Administer Projects), cat (may write) and eve (may look)."""

    def __init__(self, standin: JiraStandIn) -> None:
        self.standin, self.world = standin, standin.world
        self.cloud = self.world.cloud
        self.project = self.world.add_project(
            "ABC",
            rights={"bot": (*RIGHTS, ADMIN), "cat": RIGHTS, "eve": ("BROWSE_PROJECTS",)},
        )
        self._made: list[Jira] = []

    def config(self, **more: Any) -> SourceConfig:
        told = {"kind": "jira", "repo": "thing", "project": "ABC", "base_url": self.standin.url}
        return SourceConfig(**{**told, **more})

    def client(self, name: str = "bot", **more: Any) -> Jira:
        """Whose waiting puts the stand-in's time forward."""
        user = Secret(f"{name}@example.org") if self.cloud else None
        clock = self.world.clock
        told = {"now": clock, "sleep": clock.advance, "chance": lambda: 0.5, **more}
        token = Secret(self.standin.token(name))
        self._made.append(
            connect({}, url=self.standin.url, user=user, token=token, source="board", **told)
        )
        return self._made[-1]

    def source(self, name: str = "bot", *, page: int = 100, **config: Any) -> JiraSource:
        premises = SourcePremises(
            name="board", config=self.config(**config), repo=REPO, directory=Path("/none"),
            environ={}, clock=Ticking(self.world.clock),
        )  # fmt: skip
        return JiraSource(premises, self.client(name, page=page))

    def body(self, text: str) -> Any:
        """A description or comment as this Jira keeps it."""
        return doc(text) if self.cloud else text

    def close(self) -> None:
        for one in self._made:
            one.close()


@pytest.fixture(params=["cloud", "datacenter"])
def rooms(request: pytest.FixtureRequest) -> Iterator[Rooms]:
    yield from _made(cloud=request.param == "cloud")


@pytest.fixture
def cloud() -> Iterator[Rooms]:
    yield from _made(cloud=True)


def _made(*, cloud: bool) -> Iterator[Rooms]:
    with JiraStandIn(cloud=cloud) as standin:
        made = Rooms(standin)
        yield made
        made.close()
        assert standin.rest.unknown == []


def doc(*paragraphs: str) -> dict[str, Any]:
    """A document of Jira Cloud with these paragraphs."""
    content = [{"type": "paragraph", "content": [{"type": "text", "text": one}]}
               for one in paragraphs]  # fmt: skip
    return {"type": "doc", "version": 1, "content": content}
