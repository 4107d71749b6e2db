"""Every shipped workflow passes the one contract."""

from __future__ import annotations

import pytest

from orch.api.workflows import Found
from orch.testing.workflows import WorkflowContract
from orch.workflow.sources import builtin_names, builtin_source


class TestShippedWorkflows(WorkflowContract):
    @pytest.fixture(params=builtin_names())
    def found(self, request: pytest.FixtureRequest) -> Found:
        return Found(request.param, "built-in", builtin_source(request.param), None)
