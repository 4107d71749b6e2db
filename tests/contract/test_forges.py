"""Every forge of ours passes the one contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orch.forges.local import LocalForge
from orch.forges.memory import MemoryForge
from orch.model.repo import Repo
from tests.contract.forge_contract import ForgeContract, SteppingClock


class TestLocalForge(ForgeContract):
    @pytest.fixture
    def forge(self, tmp_path: Path, clock: SteppingClock) -> LocalForge:
        self.directory, self.clock_used = tmp_path / "home" / "forge", clock
        return LocalForge(self.directory, clock)

    def reopened(self, forge: LocalForge) -> LocalForge:
        return LocalForge(self.directory, self.clock_used)

    def settle(self, forge: LocalForge, repo: Repo, number: int, state: str) -> None:
        path = self.directory / repo.slug / "pulls" / f"{number}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"state": state}))


class TestMemoryForge(ForgeContract):
    @pytest.fixture
    def forge(self, clock: SteppingClock) -> MemoryForge:
        return MemoryForge(clock)

    def settle(self, forge: MemoryForge, repo: Repo, number: int, state: str) -> None:
        forge.settle(repo, number, state)
