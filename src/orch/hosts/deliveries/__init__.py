"""Webhooks of services, one file a kind: whose they are, and where they say to look.

Invariant: pure. Nothing of a body is read before its signature holds; nothing that a sender may
write raises.
"""

from orch.hosts.deliveries.reading import (
    KINDS as KINDS,
    Accepted as Accepted,
    Refused as Refused,
    read as read,
)
