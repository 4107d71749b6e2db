"""Which repository of GitHub a git remote is.

Invariant: as in `orch.hosts.remotes`; GitHub's git listens at another name than its API.
"""

from __future__ import annotations

from orch.hosts.dialect import Place
from orch.hosts.github.address import Address, repository
from orch.hosts.remotes import project_of as found_at
from orch.model.errors import UsageError

_PUBLIC = "github.com"


def project_of(url: str, place: Address) -> str:
    """`owner/name` of a remote at the GitHub whose API is at `place`; empty where it is elsewhere."""
    if place.name == _PUBLIC:
        origin = f"https://{_PUBLIC}"
        url = url.replace(f"//www.{_PUBLIC}/", f"//{_PUBLIC}/", 1)
    else:
        origin = place.origin.replace("//api.", "//", 1)
    words = found_at(url, Place(origin, place.rest, place.name, origin), deepest=2)
    try:
        return repository(words)
    except UsageError:
        return ""
