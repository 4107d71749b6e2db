"""What an attempt's client of the Agent Client Protocol is told by the adapter.

Invariant: data only; both sides import it, and nothing of the protocol's package.
"""

from __future__ import annotations

from typing import NamedTuple

SETTINGS = "acp.json"
LACKING = "the Agent Client Protocol's package is missing: pip install 'orch-conductor[acp]'"


class Settings(NamedTuple):
    """What `orch.agents.acp` writes into the attempt's file `acp.json`."""

    agent: str
    cwd: str
    session: str = ""
    supervised: bool = False
    deny: tuple[str, ...] = ()
    model: str = ""
    mode: str = ""
    auth: str = ""
