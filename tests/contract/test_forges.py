"""Every forge of ours passes the one contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orch.forges.chosen import ChosenForges
from orch.forges.local import LocalForge
from orch.forges.memory import MemoryForge
from orch.forges.memory_reviews import ReviewedMemoryForge
from orch.git.memory import MemoryGit
from orch.model.pull import LineRemark
from orch.model.repo import Repo
from orch.testing.forges import ForgeContract, SteppingClock, a_repo
from orch.testing.merging import ForgeMergeContract
from orch.testing.repositories import Repositories
from orch.testing.reviews import WRITER, ReviewedContract
from tests.contract.test_git import RealHands


class TestLocalForge(ForgeContract):
    @pytest.fixture
    def forge(self, tmp_path: Path, clock: SteppingClock) -> LocalForge:
        self.directory, self.clock_used = tmp_path / "home" / "forge", clock
        return LocalForge(self.directory, clock, MemoryGit())

    def reopened(self, forge: LocalForge) -> LocalForge:
        return LocalForge(self.directory, self.clock_used, MemoryGit())

    def settle(self, forge: LocalForge, repo: Repo, number: int, state: str) -> None:
        path = self.directory / repo.slug / "pulls" / f"{number}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"state": state}))


class TestMemoryForge(ForgeContract):
    @pytest.fixture
    def forge(self, clock: SteppingClock) -> MemoryForge:
        return MemoryForge(clock, MemoryGit())

    def settle(self, forge: MemoryForge, repo: Repo, number: int, state: str) -> None:
        forge.settle(repo, number, state)


class TestMergingLocally(ForgeMergeContract):
    @pytest.fixture
    def hands(self, tmp_path: Path) -> RealHands:
        return RealHands(tmp_path)

    @pytest.fixture
    def forge(self, tmp_path: Path, hands: RealHands) -> LocalForge:
        self.made = lambda: LocalForge(tmp_path / "forge", SteppingClock(), hands.git)
        return self.made()

    def reopened(self, forge: LocalForge) -> LocalForge:
        return self.made()

    def begin(self, forge: LocalForge, repo: Repo, number: int, key: str) -> None:
        forge.change(repo, number, merge_key=key)


class TestMergingInMemory(ForgeMergeContract):
    @pytest.fixture
    def forge(self, hands: Repositories, clock: SteppingClock) -> MemoryForge:
        return MemoryForge(clock, hands.git)

    def begin(self, forge: MemoryForge, repo: Repo, number: int, key: str) -> None:
        forge.change(repo, number, merge_key=key)


class TestChosenForges(ForgeContract):
    """One repository has another forge than the rest."""

    @pytest.fixture
    def forge(self, clock: SteppingClock) -> ChosenForges:
        made = {name: MemoryForge(clock, MemoryGit()) for name in ("memory", "other")}
        return ChosenForges(
            lambda slug: "other" if slug in ("two", "b") else "memory", lambda: made,
            made.__getitem__, "memory",
        )  # fmt: skip

    def settle(self, forge: ChosenForges, repo: Repo, number: int, state: str) -> None:
        chosen = forge.of(repo)
        assert isinstance(chosen, MemoryForge)
        chosen.settle(repo, number, state)


class TestMergingAtChosenForges(ForgeMergeContract):
    @pytest.fixture
    def forge(self, hands: Repositories, clock: SteppingClock) -> ChosenForges:
        made = {name: MemoryForge(clock, hands.git) for name in ("memory", "other")}
        return ChosenForges(
            lambda slug: "memory" if slug == "thing" else "other", lambda: made, made.__getitem__
        )

    def begin(self, forge: ChosenForges, repo: Repo, number: int, key: str) -> None:
        chosen = forge.of(repo)
        assert isinstance(chosen, MemoryForge)
        chosen.change(repo, number, merge_key=key)


class TestReviewsInMemory(ReviewedContract):
    @pytest.fixture
    def forge(self) -> ReviewedMemoryForge:
        return ReviewedMemoryForge(SteppingClock(), MemoryGit())

    def person_reviews(
        self, forge: Any, number: int, state: Any, *, by: str = WRITER, body: str = "Because.",
        remarks: Sequence[LineRemark] = (),
    ) -> None:  # fmt: skip
        forge.review(a_repo(), number, by, state, body, trusted=by == WRITER, remarks=remarks)

    def person_dismisses(self, forge: Any, number: int, by: str) -> None:
        forge.dismiss(a_repo(), number, by)

    def comments_there(self, forge: Any, number: int) -> list[str]:
        return [*forge._comments[a_repo().slug, number].values()]

    def judged_there(self, forge: Any, number: int) -> int:
        return len(forge.judged(a_repo(), number))

    def asked_there(self, forge: Any, number: int) -> list[str]:
        return [*forge.asked(a_repo(), number)]
