"""HTTP to one origin over kept connections (urllib3, loaded at the first request).

Invariants:

- One request is sent at most once; who wants it again asks again. A failure says whether the request
  may have arrived (`NoAnswer`) or surely has not (`NotSent`).
- Nothing is sent to another origin than the given one, so a token never leaves it; no redirection is
  followed here, and no proxy stands before loopback.
- An answer has a largest size and a deadline for all of it, however slowly it trickles.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from orch.model.loopback import is_loopback

if TYPE_CHECKING:
    from types import ModuleType

CONNECT_S = 10.0
ANSWER_S = 30.0
LARGEST = 32 * 1024 * 1024
"""Bytes of one answer, unpacked."""
_POOL = 8
_CHUNK = 64 * 1024


class NotSent(Exception):
    """No connection, so nothing has arrived. The text says why."""


class NoAnswer(Exception):
    """It was sent, or may have been, and no whole answer came. The text says why."""


class Reply(NamedTuple):
    """`headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """Connections to `origin` (`https://api.github.com`). Safe for use by several threads, and by a
    child after a fork, which gets connections of its own."""

    def __init__(
        self, origin: str, environ: Mapping[str, str], *, connect_s: float = CONNECT_S,
        answer_s: float = ANSWER_S, largest: int = LARGEST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.origin = origin
        self._proxy = proxy_for(origin, environ)
        self._connect_s, self._answer_s, self._largest = connect_s, answer_s, largest
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pool: Any = None
        self._owner = 0

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply:
        """The answer to one request. `target` is a path with its query. `NotSent`, `NoAnswer`."""
        import urllib3

        deadline = self._monotonic() + self._answer_s
        try:
            response = self._connections(urllib3).urlopen(
                method, self.origin + target, headers=dict(headers), body=body, retries=False,
                redirect=False, preload_content=False,
                timeout=urllib3.Timeout(connect=self._connect_s, read=self._answer_s),
            )  # fmt: skip
        except urllib3.exceptions.HTTPError as error:
            raise _translated(urllib3, error) from error
        try:
            whole = self._read(response, deadline)
        except urllib3.exceptions.HTTPError as error:
            response.close()
            raise NoAnswer(f"the answer broke off ({_words(error)})") from error
        except NoAnswer:
            response.close()
            raise
        response.release_conn()
        named = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, named, whole)

    def close(self) -> None:
        with self._lock:
            if self._pool is not None and self._owner == os.getpid():
                self._pool.clear()
            self._pool = None

    def _connections(self, urllib3: ModuleType) -> Any:
        with self._lock:
            if self._pool is None or self._owner != os.getpid():
                kept = {"num_pools": 2, "maxsize": _POOL, "block": False}
                self._pool = (
                    urllib3.ProxyManager(self._proxy, **kept)
                    if self._proxy
                    else urllib3.PoolManager(**kept)
                )
                self._owner = os.getpid()
            return self._pool

    def _read(self, response: Any, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := response.read1(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > self._largest:
                raise NoAnswer(f"the answer has more than {self._largest // (1024 * 1024)} MiB")
            if self._monotonic() > deadline:
                raise NoAnswer(f"the answer took more than {self._answer_s:.0f} s")
        return b"".join(parts)


def proxy_for(origin: str, environ: Mapping[str, str]) -> str:
    """The proxy that the environment names for this origin, empty for none."""
    parts = urlsplit(origin)
    host = (parts.hostname or "").lower()
    if is_loopback(host):
        return ""
    name = f"{parts.scheme}_proxy"
    proxy = environ.get(name) or environ.get(name.upper()) or environ.get("ALL_PROXY") or ""
    spared = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for word in spared.lower().replace(",", " ").split():
        bare = word.lstrip("*").lstrip(".").partition(":")[0]
        if word == "*" or (bare and (host == bare or host.endswith(f".{bare}"))):
            return ""
    return proxy if proxy.startswith(("http://", "https://")) else ""


def _translated(urllib3: ModuleType, error: Exception) -> NotSent | NoAnswer:
    """Whether the request can have arrived: only a connection that never was says no."""
    import ssl

    kinds = urllib3.exceptions
    cause: BaseException | None = error
    if isinstance(error, kinds.ProxyError):
        return NotSent(f"the proxy does not let it through ({_words(error)})")
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotSent(f"its certificate is not trusted ({cause.verify_message})")
        if isinstance(cause, kinds.NameResolutionError):
            return NotSent("its name is not known to the network")
        if isinstance(cause, kinds.NewConnectionError | kinds.ConnectTimeoutError):
            return NotSent(f"no connection ({_words(cause)})")
        following = cause.args[-1] if cause.args else None
        cause = following if isinstance(following, Exception) else cause.__cause__
    return NoAnswer(_words(error))


def _words(error: BaseException) -> str:
    """What the library and those below it say, without the objects they name."""
    told = [arg if isinstance(arg, str) else _words(arg) for arg in error.args
            if isinstance(arg, str | BaseException)]  # fmt: skip
    words = ", ".join(word.rpartition("): ")[2].rstrip(".") for word in told if word)
    plain = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return plain[:160] or type(error).__name__
