"""The forge keeps what every forge keeps."""

import orch_ledger
import pytest

from orch.git.memory import MemoryGit
from orch.testing.forges import ForgeContract
from orch.testing.merging import ForgeMergeContract


class TestLedger(ForgeContract):
    @pytest.fixture
    def forge(self, tmp_path, clock):
        return orch_ledger.LedgerForge(tmp_path, "ledger", clock, MemoryGit())


class TestMerging(ForgeMergeContract):
    @pytest.fixture
    def forge(self, tmp_path, hands, clock):
        return orch_ledger.LedgerForge(tmp_path, "ledger", clock, hands.git)

    def begin(self, forge, repo, number, key):
        forge.change(repo, number, merge_key=key)
