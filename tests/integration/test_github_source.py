"""The source `github` on the stand-in: the contract, what a sync costs, and what is GitHub's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orch.config.source_tree import SourceConfig, SourcePremises
from orch.hosts.github.client import connect
from orch.testing.forges import a_repo
from orch.testing.sources import STRANGER, WRITER, SourceContract
from orch.trackers.github import GitHubSource
from tests.githubrooms import a_project, standin as standin
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Issue, Repo, World

R = "octo/hello"


class WorldClock:
    """The stand-in's time as ours."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> float:
        return self._world.clock()

    def monotonic(self) -> float:
        return self._world.clock()

    async def sleep(self, seconds: float) -> None:
        self._world.clock.advance(seconds)


@pytest.fixture
def repo(standin: GitHubStandIn) -> Repo:
    return a_project(standin, R, writer=WRITER, stranger=STRANGER)


Make = Callable[..., GitHubSource]


@pytest.fixture
def making(standin: GitHubStandIn, repo: Repo, tmp_path: Path) -> Iterator[Make]:
    """Sources for the repository, each with a client of its own, whose time is the stand-in's."""
    made = []

    def source(*, login: str = "octo", remote: str = "", **config: Any) -> GitHubSource:
        clock = standin.world.clock
        client = connect(standin.environ(login), now=clock, sleep=clock.advance)
        made.append(client)
        url = remote or f"{standin.url}/{R}.git"
        premises = SourcePremises(
            name="thing", config=SourceConfig(kind="github", repo="thing", **config),
            repo=msgspec.structs.replace(a_repo(), remote_url=url), directory=tmp_path / "sources",
            environ={}, clock=WorldClock(standin.world),
        )  # fmt: skip
        return GitHubSource(premises, client)

    yield source
    for client in made:
        client.close()


@pytest.fixture
def source(making: Make) -> GitHubSource:
    return making()


class TestGitHubSource(SourceContract):
    @pytest.fixture(autouse=True)
    def _given(self, standin: GitHubStandIn, repo: Repo, making: Make) -> None:
        self.standin, self.world, self.repo, self.making = standin, standin.world, repo, making

    @pytest.fixture
    def source(self, making: Make) -> GitHubSource:
        return making()

    def reopened(self, source: Any) -> Any:
        return self.making()

    def person_opens(
        self, source: Any, title: str, *, body: str = "", labels: Sequence[str] = (),
        by: str = WRITER,
    ) -> str:  # fmt: skip
        user = self.world.add_user(by)
        return str(self.world.new_issue(user, self.repo, title, body, labels=labels).number)

    def _issue(self, source_id: str) -> Issue:
        return self.repo.issues[int(source_id)]

    def person_edits(self, source: Any, source_id: str, **fields: str) -> None:
        self.world.edit_issue(self.world.users[WRITER], self._issue(source_id), **fields)

    def person_labels(
        self, source: Any, source_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = (),
        by: str = WRITER,
    ) -> None:  # fmt: skip
        issue, user = self._issue(source_id), self.world.users[by]
        self.world.add_labels(user, issue, add)
        for name in remove:
            self.world.remove_label(user, issue, name)

    def person_closes(self, source: Any, source_id: str) -> None:
        self.world.set_state(self.world.users[WRITER], self._issue(source_id), "closed")

    def person_blocks(self, source: Any, source_id: str, by: str) -> None:
        self.world.block(self._issue(source_id), self._issue(by))

    def person_comments(self, source: Any, source_id: str, body: str, *, by: str = WRITER) -> str:
        user = self.world.add_user(by)
        return str(self.world.new_comment(user, self._issue(source_id), body).id)

    def person_edits_comment(self, source: Any, remark: str, body: str) -> None:
        comment = self.world.comment(self.repo, int(remark))
        comment.body, comment.updated = body, self.world.clock()

    def person_deletes_comment(self, source: Any, remark: str) -> None:
        comment = self.world.comment(self.repo, int(remark))
        comment.issue.comments.remove(comment)

    def person_opens_pull_request(self, source: Any) -> None:
        from tests.standins.github.pulls import open_pull

        self.repo.git.commit("feat", {"a.txt": "a\n"}, start="main")
        writer = self.world.users[WRITER]
        open_pull(self.world, writer, self.repo, title="PR", head="feat", base="main")

    def person_deletes_ticket(self, source: Any, source_id: str) -> None:
        self.world.remove_issue(self._issue(source_id))

    def comments_there(self, source: Any, source_id: str) -> list[str]:
        return [one.body for one in self._issue(source_id).comments]

    def tickets_there(self, source: Any) -> int:
        return len(self.repo.issues)

    def lose_next_answer(self, source: Any) -> None:
        self.standin.faults.add(r"^(POST|PATCH|DELETE|PUT) /repos", "lost")

    def lag(self, source: Any, seconds: float) -> None:
        self.world.lag_s = seconds

    def wait(self, source: Any, seconds: float) -> None:
        self.world.clock.advance(seconds)
