"""The workflow keeps what every workflow keeps."""

import pytest

from orch.testing.workflows import WorkflowContract, workflow


class TestGreeting(WorkflowContract):
    @pytest.fixture
    def found(self):
        return workflow("orch_greeting.flow")
