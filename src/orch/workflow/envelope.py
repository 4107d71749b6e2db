"""What surrounds the workflow of a queued task. A run stores this module like its own workflow.

Invariant: only effects, no clocks and no IO: this is a workflow like any other.
"""

from __future__ import annotations

from typing import Any

from orch.model.effect import Route
from orch.workflow.program import Program, do


@do
def unattended(body: Program[Any]) -> Any:
    """Choose who is to work, then let the workflow itself go on."""
    yield Route()
    return (yield body)
