"""One `Service` for each server and credential in this process, whoever asks for it.

Invariant: what one source or forge spends is in the book that all others of that credential read.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from orch.config.secret import Secret, resolve
from orch.hosts.accounts import Accounts
from orch.hosts.dialect import Dialect
from orch.hosts.service import Service, connect

S = TypeVar("S", bound=Service)
NO_TOKEN = Secret("")
"""The reference of who has configured none."""
_services: dict[tuple[object, ...], Service] = {}
_lock = threading.Lock()


def service(
    dialect: Dialect, environ: Mapping[str, str], *, url: str, token: Secret, purpose: str,
    now: Callable[[], float], accounts: Accounts | None = None,
) -> Service:  # fmt: skip
    """The service at `url`. `token` is a reference of the configuration, empty for what the
    environment has; `purpose` names its key in errors. Nothing is asked yet. `ConfigError(bad_url)`,
    `UsageError(secret_unavailable)`."""
    configured = resolve(token, environ, purpose=purpose) if token.reveal() else None
    whose = configured.reveal() if configured else environ.get(dialect.variable, "")

    def make() -> Service:
        made = connect(dialect, environ, url=url, token=configured, now=now)
        if accounts is not None:
            name = "the configured token" if configured else dialect.variable
            accounts.follow(made.budget, credential=name, whose=lambda: _digest(whose)[:16])
        return made

    return the_one((dialect.place(url), now, accounts), whose, make)


def the_one(key: tuple[object, ...], whose: str, make: Callable[[], S]) -> S:
    """What `make` gives, once for each `key` and credential; keys of two kinds are never alike."""
    told = _digest(whose)
    with _lock:
        if (*key, told) not in _services:
            _services[*key, told] = make()
        return cast("S", _services[*key, told])


def _digest(whose: str) -> str:
    return hashlib.sha256(whose.encode("utf-8", "surrogateescape")).hexdigest()


def close_all() -> None:
    """Give all connections back."""
    with _lock:
        gone = list(_services.values())
        _services.clear()
    for one in gone:
        one.close()
