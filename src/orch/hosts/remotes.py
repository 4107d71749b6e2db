"""Which project of a service a git remote is.

Invariant: pure; a remote of another host is none of ours, however much its path looks like one.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from orch.hosts.dialect import Place
from orch.model.loopback import is_loopback

_SCP = re.compile(r"(?:[^@/:\s]+@)?(\[[0-9A-Fa-f:.]+\]|[^/:\s\[\]]+):(?!//)(.+)")
_SCHEMES = ("https", "http", "ssh", "git+ssh", "git")
_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.][A-Za-z0-9_.+ -]*")


def project_of(url: str, place: Place, *, deepest: int = 20) -> str:
    """`owner/name` (with groups between, `deepest` names at most) of a remote at `place`; empty where
    it is somewhere else.

    Understood are `git@host:owner/name.git`, `ssh://`, `https://` and, on loopback, `http://`, with
    or without `.git`, a slash at the end, a port or somebody's name and token (passed over).
    A server below a path of its host (`https://host/git/`) has its projects below it.
    """
    try:
        host, port, web, path = _parts(url.strip())
        own = urlsplit(place.web)
        own_port = own.port
    except ValueError:
        return ""
    known = {place.host, f"ssh.{place.host}", f"altssh.{place.host}"}
    if not host or host not in known or (web and is_loopback(host) and port != own_port):
        return ""
    words = unquote(path).strip("/")
    root = own.path.strip("/")
    if web and root:
        if not words.startswith(f"{root}/"):
            return ""
        words = words[len(root) + 1 :]
    return project_path(words.removesuffix(".git"), deepest=deepest)


def project_path(words: str, *, deepest: int = 20) -> str:
    """`words`, if they can be a project's path; empty otherwise."""
    names = words.split("/")
    fits = 2 <= len(names) <= deepest and all(_NAME.fullmatch(name) for name in names)
    return words if fits else ""


def _parts(url: str) -> tuple[str, int | None, bool, str]:
    """Host, port, whether it is spoken to over HTTP, path."""
    if "://" in url:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if parts.scheme not in _SCHEMES or (parts.scheme == "http" and not is_loopback(host)):
            return "", None, False, ""
        return host, parts.port, parts.scheme in ("https", "http"), parts.path
    match = _SCP.fullmatch(url)
    if match is None:
        return "", None, False, ""
    return match[1].strip("[]").lower(), None, False, match[2]
