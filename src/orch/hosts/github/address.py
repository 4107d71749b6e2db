"""Where GitHub is: github.com, a server of one's own, or a stand-in on loopback.

Invariant: a token goes over plain http to this machine only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from orch.model.errors import ConfigError, UsageError
from orch.model.loopback import is_loopback

VARIABLE = "GITHUB_API_URL"
_PUBLIC = "https://api.github.com"
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}")


class Address(NamedTuple):
    """`origin` has scheme, host and port; `rest` and `graphql` are paths there. `name` is what people
    call the host, and what `gh` knows it by."""

    origin: str
    rest: str
    graphql: str
    name: str


def address(environ: Mapping[str, str], url: str = "") -> Address:
    """Where `url` leads, or `GITHUB_API_URL`, or github.com. `ConfigError(bad_url)`."""
    where = url or environ.get(VARIABLE) or _PUBLIC
    named = "The URL" if url else VARIABLE
    try:
        parts = urlsplit(where)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise _bad(named, where, str(error)) from error
    if parts.scheme not in ("https", "http") or not host or parts.query or parts.fragment:
        raise _bad(named, where, "it has to be like https://api.github.com")
    if parts.username is not None or parts.password is not None:
        raise _bad(named, f"{parts.scheme}://…@{host}", "credentials do not belong into it")
    if parts.scheme == "http" and not is_loopback(host):
        raise _bad(named, where, "a token goes over plain http to loopback only; use https")
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
    path = parts.path.rstrip("/")
    graphql = f"{path[: -len('/v3')]}/graphql" if path.endswith("/api/v3") else f"{path}/graphql"
    name = "github.com" if origin == _PUBLIC else shown.removeprefix("api.")
    return Address(origin, path, graphql, f"{name}:{port}" if port else name)


def repository(name: str) -> str:
    """`owner/name`, proven to be one: it becomes part of a path. `UsageError(bad_name)`."""
    if not _REPOSITORY.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} is no repository of GitHub.",
            code="bad_name",
            hint="Write it as OWNER/NAME.",
        )
    return name


def _bad(named: str, where: str, why: str) -> ConfigError:
    return ConfigError(
        f"{named} {where[:200]!r} cannot be used: {why}.",
        code="bad_url",
        hint=f"export {VARIABLE}={_PUBLIC}",
    )
