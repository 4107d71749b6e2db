"""Every tracker of ours passes the one contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.testing.trackers import TrackerContract
from orch.trackers.memory import MemoryTracker
from orch.trackers.vault import Vault


class TestVault(TrackerContract):
    @pytest.fixture
    def tracker(self, tmp_path: Path) -> Vault:
        self.directory = tmp_path / "home" / "vault"
        return Vault(self.directory)

    def reopened(self, tracker: Vault) -> Vault:
        return Vault(self.directory)

    def delete(self, tracker: Vault, identifier: str) -> None:
        (self.directory / f"{identifier}.md").unlink()

    def damage(self, tracker: Vault, identifier: str) -> None:
        (self.directory / f"{identifier}.md").write_text("no front matter\n")


class TestMemoryTracker(TrackerContract):
    @pytest.fixture
    def tracker(self) -> MemoryTracker:
        return MemoryTracker()

    def delete(self, tracker: MemoryTracker, identifier: str) -> None:
        tracker.delete(identifier)

    def damage(self, tracker: MemoryTracker, identifier: str) -> None:
        tracker.damage(identifier)
