"""The greeting: both ends say which protocol they speak before anything is asked.

Invariant: two ends that do not understand one another find out first, and the error names the one
that is older. The number changes when a client that was right would not be any more; what is only
added changes nothing.
"""

from __future__ import annotations

import msgspec

from orch.model.errors import Conflict

PROTOCOL = 1
METHOD = "hello"


class Hello(msgspec.Struct, frozen=True):
    """What an end says of itself. `version` is the release that it runs."""

    protocol: int
    version: str


def mismatch(service: Hello, client: Hello) -> Conflict | None:
    """None when they understand one another; else what a person is told, on either side."""
    if service.protocol == client.protocol:
        return None
    spoken = f"protocol {service.protocol}, this command protocol {client.protocol}"
    if service.protocol < client.protocol:
        return Conflict(
            f"the service (orch {service.version}) speaks {spoken}: the service is older, upgrade"
            " that side",
            code="upgrade_service", hint="orch service restart", older="service",
        )  # fmt: skip
    return Conflict(
        f"the service (orch {service.version}) speaks {spoken}: this command (orch"
        f" {client.version}) is older, upgrade this side",
        code="upgrade_client", hint=f"install orch {service.version}", older="client",
    )  # fmt: skip
