"""The way to the service of a home, where one lives, and to the books where none does.

Invariant: both give the same answers; whoever asks needs not know which it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.errors import Unreachable
from orch.model.run import Owner

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.api.operations import Caller
    from orch.client import Client


def service_of(orch: Orch) -> Client | None:
    """A connection to the service, closed when the command ends; None when none lives."""
    import click

    from orch.client import connect

    found = connect(orch.home)
    if found is not None:
        click.get_current_context().call_on_close(found.close)
    return found


def caller(orch: Orch) -> Caller:
    """Whoever carries operations out: the service, or this process."""
    from orch.api.operations import Operations

    return service_of(orch) or Operations(orch)


def service_owner(orch: Orch) -> Owner:
    """The service's process, as the owner of what it is to drive. Refused when none lives."""
    service = service_of(orch)
    if service is None:
        raise Unreachable(
            "no service runs that could drive it", code="no_service", hint="orch service start"
        )
    about = service.about
    return Owner(int(about["pid"]), int(about["started"]), str(about["boot"]))
