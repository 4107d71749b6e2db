"""One client for each GitHub and credential in this process, whoever asks for it.

Invariant: what one source or forge spends is in the book that all others of that credential read, and
what one of them has an ETag for the others need not fetch.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from functools import partial

from orch.config.secret import Secret, resolve
from orch.hosts.accounts import Accounts
from orch.hosts.github.address import address
from orch.hosts.github.client import GitHub, connect
from orch.hosts.github.credentials import VARIABLES, Credential, find

_clients: dict[tuple[object, ...], GitHub] = {}
_lock = threading.Lock()


def client(
    environ: Mapping[str, str], *, url: str = "", token: Secret | None = None,
    purpose: str = "token", accounts: Accounts | None = None,
) -> GitHub:  # fmt: skip
    """The client for `url` (or `GITHUB_API_URL`, or github.com). `token` is a reference of the
    configuration, empty for what the environment has; `purpose` names its key in errors. With
    `accounts`, what is kept and what was spent outlive the process. Nothing is asked yet."""
    configured = resolve(token, environ, purpose=purpose) if token and token.reveal() else None
    place = address(environ, url)
    whose = _whose(environ, configured)
    key = (place.origin, place.rest, whose, accounts)
    with _lock:
        if key not in _clients:
            credential = find(place, environ, configured=configured)
            told = partial(_told, credential, whose)
            keeper = accounts.keeper(place.name, told) if accounts else None
            made = connect(environ, url=url, credential=credential, kept=keeper)
            if accounts is not None:
                accounts.follow(made.budget, credential=credential.name, whose=told)
            _clients[key] = made
        return _clients[key]


def close_all() -> None:
    """Give all connections back."""
    with _lock:
        gone = list(_clients.values())
        _clients.clear()
    for one in gone:
        one.close()


def _whose(environ: Mapping[str, str], configured: Secret | None) -> tuple[str, ...]:
    """What tells credentials apart, in the order in which one is found."""
    if configured is not None:
        return ("token", _fingerprint(configured.reveal()))
    if environ.get("GITHUB_APP_ID"):
        apps = [name for name in sorted(environ) if name.startswith("GITHUB_APP_")]
        return ("app", *(_fingerprint(environ[name]) for name in apps))
    for name in VARIABLES:
        if text := environ.get(name, "").strip():
            return ("token", _fingerprint(text))
    return ("gh", environ.get("GH_CONFIG_DIR", ""), environ.get("HOME", ""))


def _told(credential: Credential, whose: tuple[str, ...]) -> str:
    """The same for files. Who signs in with `gh` may be another person tomorrow."""
    if whose[0] == "gh":
        return _fingerprint(credential.token().reveal())
    return _fingerprint(" ".join(whose[1:])) if whose[0] == "app" else whose[1]


def _fingerprint(text: str) -> str:
    """Tells one token from another, and nothing about either."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
