"""Which forge a repository's pull requests belong to, told by where it pushes to. Pure.

Invariant: a server is known by its whole name (on loopback by its port too); what is not known is
nobody's, so nothing is ever sent to a forge because its address looks like another's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from orch.model.loopback import is_loopback

AUTO = "auto"
PUBLIC: Mapping[str, str] = {
    "github.com": "github", "ssh.github.com": "github", "gitlab.com": "gitlab",
    "altssh.gitlab.com": "gitlab", "codeberg.org": "gitea",
}  # fmt: skip
"""Servers that everybody knows, and what they are."""
_SCP = re.compile(r"(?:[^@/:\s]+@)?([^/:\s\[\]]+):(?!//).+")


def server_of(url: str) -> str:
    """`host` of a remote or an API's address, `host:port` on loopback; empty where there is none."""
    try:
        if "://" in url:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower().removeprefix("www.").removeprefix("api.")
            return f"{host}:{parts.port}" if is_loopback(host) and parts.port else host
    except ValueError:
        return ""
    found = _SCP.fullmatch(url)
    return found[1].lower() if found else ""


def forge_of(remote_url: str, servers: Mapping[str, str]) -> str:
    """The forge of a repository that pushes to `remote_url`: by `servers` (name of a server -> name
    of a forge), then by the public ones, else `local`."""
    server = server_of(remote_url)
    return servers.get(server) or PUBLIC.get(server) or "local"
