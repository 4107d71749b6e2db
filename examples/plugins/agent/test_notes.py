"""The agent keeps what every agent keeps."""

import orch_notes
import pytest

from orch.config import AgentConfig
from orch.testing.agents import AgentContract


class TestNotes(AgentContract):
    @pytest.fixture
    def agent(self):
        return orch_notes.make("scribe", AgentConfig(kind="notes"), orch_notes.Options())

    @pytest.fixture
    def works(self, agent):
        return agent
