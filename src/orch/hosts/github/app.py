"""A GitHub App as credential: a token of one installation, exchanged for a word signed with its key.

Invariants:

- The key leaves this process in no form; GitHub gets a signature that holds for nine minutes.
- A token is renewed before it ends, by one thread while the others wait for it.
- PyJWT, which signs, is the extra `github-app` and is imported when the first token is needed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from orch.config.secret import Secret, resolve
from orch.hosts.failures import Missing, NoCredential, Unanswered, Unreadable
from orch.hosts.github.address import Address
from orch.hosts.github.answers import HEADERS, refusal
from orch.hosts.wire import NoAnswer, NotSent, Reply, Wire
from orch.model import typed
from orch.model.errors import ConfigError

_EARLY_S = 300.0
_SIGNED_S = 540
_SKEW_S = 60
EXTRA = "orch-conductor[github-app]"
T = TypeVar("T")


class _Account(msgspec.Struct, frozen=True):
    login: str = ""


class _Installation(msgspec.Struct, frozen=True):
    id: int
    account: _Account | None = None


class _Access(msgspec.Struct, frozen=True):
    token: str
    expires_at: datetime


class _Self(msgspec.Struct, frozen=True):
    slug: str


class App:
    """`installation` is its number; 0 takes the one at `account`, or the only one there is."""

    def __init__(
        self, address: Address, app_id: str, key: Secret, *, wire: Wire, installation: int = 0,
        account: str = "", now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.name = f"GitHub App {app_id}"
        self.remedy = (
            f"orch config explain  # the App's id and key, and where {app_id} is installed"
        )
        self._address, self._app_id, self._key = address, app_id, key
        self._wire, self._now = wire, now
        self._installation, self._account = installation, account.lower()
        self._lock = threading.Lock()
        self._kept: _Access | None = None

    def token(self) -> Secret:
        with self._lock:
            kept = self._kept
            if kept is None or kept.expires_at.timestamp() - _EARLY_S <= self._now():
                kept = self._kept = self._exchanged()
            return Secret(kept.token)

    def renew(self) -> bool:
        with self._lock:
            had, self._kept = self._kept, None
            return had is not None

    def login(self) -> str:
        """What the App is called where it acts: `thing[bot]`."""
        reply = self._ask("GET", "/app")
        return f"{_decoded(reply, _Self, 'GET /app').slug}[bot]"

    def _exchanged(self) -> _Access:
        number = self._installation or self._found()
        path = f"/app/installations/{number}/access_tokens"
        return _decoded(self._ask("POST", path), _Access, f"POST {path}")

    def _found(self) -> int:
        path = "/app/installations"
        there = _decoded(
            self._ask("GET", f"{path}?per_page=100"), list[_Installation], f"GET {path}"
        )
        logins = {one.id: one.account.login if one.account else "" for one in there}
        fit = [n for n, login in logins.items() if self._account in ("", login.lower())]
        if len(fit) == 1:
            return fit[0]
        where = ", ".join(sorted(logins.values())) or "nowhere"
        raise ConfigError(
            f"{self.name} is installed at {where}: which one is meant is not known.",
            code="app_installation",
            hint="Say the installation's number: export GITHUB_APP_INSTALLATION_ID=…",
        )

    def _ask(self, method: str, path: str) -> Reply:
        headers = {**HEADERS, "authorization": f"Bearer {self._signed()}"}
        target = self._address.rest + path
        try:
            reply = self._wire.send(method, target, headers, b"{}" if method == "POST" else None)
        except (NotSent, NoAnswer) as error:
            raise Unanswered(
                f"{self._address.name} gives no token: {error}.",
                hint="Look at the network, then run the command again.",
                host=self._address.name,
            ) from error
        if reply.status == 404:
            raise Missing(
                f"{self._address.name} knows no such installation of {self.name}.",
                hint="Install the App where it shall work, or say another "
                "GITHUB_APP_INSTALLATION_ID.",
            )
        if reply.status >= 300:
            raise refusal(reply, f"{method} {path}", self._address.name, self, self._now())
        return reply

    def _signed(self) -> str:
        try:
            import jwt
        except ImportError as error:
            raise NoCredential(
                "A GitHub App needs a package that signs.",
                code="extra_missing",
                hint=f"pip install '{EXTRA}'",
            ) from error
        now = int(self._now())
        claims = {"iat": now - _SKEW_S, "exp": now + _SIGNED_S, "iss": self._app_id}
        try:
            return str(jwt.encode(claims, self._key.reveal(), algorithm="RS256"))
        except (jwt.exceptions.PyJWTError, ValueError, TypeError) as error:
            raise NoCredential(
                f"The key of {self.name} is no private RSA key in PEM form.",
                code="bad_key",
                hint="GITHUB_APP_PRIVATE_KEY is the key, or `file:` and the path of it.",
            ) from error


def from_environment(
    address: Address, environ: Mapping[str, str], *, now: Callable[[], float] = time.time
) -> App:
    """The App of `GITHUB_APP_ID`, `GITHUB_APP_PRIVATE_KEY` (the key, or a reference to it) or
    `GITHUB_APP_PRIVATE_KEY_PATH`, and `GITHUB_APP_INSTALLATION_ID`."""
    path = environ.get("GITHUB_APP_PRIVATE_KEY_PATH", "")
    said = environ.get("GITHUB_APP_PRIVATE_KEY") or (
        f"file:{os.path.abspath(path)}" if path else ""
    )
    if not said:
        raise NoCredential(
            "GITHUB_APP_ID is set and its key is not.",
            hint="export GITHUB_APP_PRIVATE_KEY_PATH=…",
        )
    number = environ.get("GITHUB_APP_INSTALLATION_ID", "0")
    if not (number.isascii() and number.isdigit()):
        raise ConfigError(
            f"GITHUB_APP_INSTALLATION_ID {number[:40]!r} is no number.",
            code="app_installation",
            hint="It stands at the end of the URL of the installation's page.",
        )
    key = resolve(Secret(said), environ, purpose="GITHUB_APP_PRIVATE_KEY")
    return App(
        address, environ["GITHUB_APP_ID"], key, wire=Wire(address.origin, environ),
        installation=int(number), account=environ.get("GITHUB_APP_ACCOUNT", ""), now=now,
    )  # fmt: skip


def _decoded(reply: Reply, shape: type[T], request: str) -> T:
    try:
        return typed.decode(reply.body, shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"The answer to {request} cannot be read: {error}.") from error
