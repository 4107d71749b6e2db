"""Who we are to GitHub: a token of the environment, the one that `gh` holds, or a GitHub App.

Invariant: a token is a `Secret` until it stands in a header, and is given to nobody but GitHub.

In this order: the credential that is configured, `GITHUB_APP_ID` with its key, `GITHUB_TOKEN`,
`GH_TOKEN`, what `gh auth token` says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from orch.config.secret import Secret
from orch.hosts.failures import NoCredential
from orch.hosts.github.address import Address

VARIABLES = ("GITHUB_TOKEN", "GH_TOKEN")
_GH_S = 10.0
_PUBLIC = "github.com"


class Credential(Protocol):
    """`name` tells people which one it is; `remedy` is the command that mends it."""

    name: str
    remedy: str

    def token(self) -> Secret:
        """The token of now. `NoCredential`, and whatever getting it may raise."""

    def renew(self) -> bool:
        """GitHub did not take it: forget it. True where another can be had."""


class Token:
    """A token that somebody gave us."""

    def __init__(self, name: str, secret: Secret, *, remedy: str = "") -> None:
        self.name = name
        self.remedy = remedy or f"export {name}=…"
        self._secret = secret

    def token(self) -> Secret:
        return self._secret

    def renew(self) -> bool:
        return False


class GhLogin:
    """The token of the person's `gh`, asked for once, and again when GitHub does not take it
    (`gh auth refresh` gives another)."""

    name = "gh auth token"

    def __init__(self, host: str, environ: Mapping[str, str], *, program: str = "gh") -> None:
        self._host, self._program = host, program
        # gh would answer with these, whoever they belong to; they have been looked at before.
        hidden = {*VARIABLES, "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"}
        self._environ = {name: value for name, value in environ.items() if name not in hidden}
        self.remedy = f"gh auth login --hostname {host}"
        self._lock = threading.Lock()
        self._kept: Secret | None = None
        self._refused: Secret | None = None

    def token(self) -> Secret:
        with self._lock:
            if self._kept is None:
                self._kept = self._asked()
            return self._kept

    def renew(self) -> bool:
        with self._lock:
            refused, self._kept = self._kept, None
            try:
                self._kept = self._asked()
            except NoCredential:
                return False
            return self._kept != refused

    def _asked(self) -> Secret:
        import subprocess

        argv = [self._program, "auth", "token", "--hostname", self._host]
        try:
            done = subprocess.run(
                argv, env=self._environ, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=_GH_S, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise nobody(self._host, f"{self._program} cannot be asked") from error
        text = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode or not text.isascii() or not text.isprintable() or not text:
            raise nobody(self._host, f"{self._program} is not signed in to it")
        return Secret(text)


def nobody(host: str, why: str) -> NoCredential:
    remedy = "gh auth login" if host == _PUBLIC else f"gh auth login --hostname {host}"
    return NoCredential(
        f"There is no credential for {host}: neither {' nor '.join(VARIABLES)} is set, and {why}.",
        hint=f"{remedy}, or: export {VARIABLES[0]}=…",
        host=host,
    )


def find(
    address: Address, environ: Mapping[str, str], *, configured: Secret | None = None,
    now: Callable[[], float] = time.time,
) -> Credential:  # fmt: skip
    """The credential for that host; who has none hears of it when a token is asked for. `configured`
    is a token of the configuration, already resolved."""
    if configured is not None:
        return Token("the configured token", configured, remedy="orch config explain")
    if environ.get("GITHUB_APP_ID"):
        from orch.hosts.github.app import from_environment

        return from_environment(address, environ, now=now)
    for name in VARIABLES:
        if text := environ.get(name, "").strip():
            return Token(name, Secret(text))
    return GhLogin(address.name, environ)
