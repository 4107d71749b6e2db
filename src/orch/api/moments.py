"""Times as people write and read them: ISO 8601, in a zone that is named.

Invariant: a time without an offset means the zone that was asked for, never another one.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from pathlib import Path

from orch.model.cron import UTC, zone_of
from orch.model.errors import UsageError

LOCALTIME = Path("/etc/localtime")


def local_zone(environ: Mapping[str, str], link: Path = LOCALTIME) -> str:
    """The name of this machine's zone: `TZ`, else what the system's link points to, else UTC."""
    found = environ.get("TZ", "").lstrip(":")
    if not found:
        try:
            _, mark, found = os.readlink(link).rpartition("zoneinfo/")
        except OSError:
            return "UTC"
        found = found if mark else ""
    try:
        zone_of(found)
    except UsageError:  # TZ has other forms too (CET-1CEST), which say too little about other years
        return "UTC"
    return "UTC" if found in ("", "Etc/UTC") else found


def moment_in(text: str, zone: str) -> float:
    """Seconds since the epoch for an ISO 8601 time."""
    place = zone_of(zone)
    try:
        read = datetime.datetime.fromisoformat(text.strip())
        return (read if read.tzinfo else read.replace(tzinfo=place)).timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{text!r} is no time", code="bad_time",
            hint="write it as 2026-03-29T09:30, 2026-03-29T09:30+02:00 or 2026-03-29T07:30Z",
        ) from error  # fmt: skip


def told_in(seconds: float, zone: str) -> str:
    """ISO 8601 with the zone's offset, whole seconds."""
    when = datetime.datetime.fromtimestamp(int(seconds), UTC).astimezone(zone_of(zone))
    return when.isoformat().replace("+00:00", "Z")
