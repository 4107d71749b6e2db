"""Operations on the figures of a home.

Invariant: as `orch.api.operations`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.api.operations import Operation
from orch.api.operations_core import Nothing
from orch.model.figures import samples

if TYPE_CHECKING:
    from orch.api.facade import Orch


def metrics(orch: Orch, params: Nothing) -> list[dict[str, Any]]:
    """Every figure as `name, labels, value, kind, help`."""
    return [
        {
            "name": one.name, "labels": dict(one.labels), "value": one.value, "kind": one.kind,
            "help": one.help,
        }
        for one in samples(orch.store.figures(), orch.rooms.clock.now())
    ]  # fmt: skip


TABLE = {"metrics": Operation(Nothing, metrics)}
