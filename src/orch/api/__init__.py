"""The facade that every face holds: send commands, read views, follow events."""

from __future__ import annotations

from orch.api.facade import Orch

__all__ = ["Orch"]
