"""What was asked of remote services today and what is left: one file for each host, for `orch api`.

Invariants:

- Several processes write to one account: each adds what it has spent since it wrote last, under a
  lock, and a file is seen whole or not at all.
- Nothing waits for it: it is written a few seconds apart, and at the end. A disk that is full or
  broken costs the account and nothing else.

The budget by which requests go is `orch.hosts.budget`; this only tells people about it. Every forge
is handed one, the local one too: what only remote ones need is imported when it is needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from orch.hosts.budget import Allowance, Budget, Figures
from orch.model import typed

if TYPE_CHECKING:
    from orch.hosts.kept_files import OnDisk

FOLDER = "run/api"
"""Where they are in a home."""
APART_S = 5.0
_SUFFIX = ".json"
_ALWAYS = frozenset({"core", "graphql"})


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What one credential did at one host on `day` (a date here). `at` is when it was written."""

    credential: str
    day: str = ""
    spent: int = 0
    requests: Mapping[str, int] = {}
    reserve: int = 0
    allowances: Mapping[str, Allowance] = {}
    held_until: float = 0.0
    at: float = 0.0


class HostAccounts(msgspec.Struct, frozen=True, kw_only=True):
    """A file. `accounts` by what tells credentials apart."""

    host: str
    accounts: Mapping[str, Account] = {}


_decoder = typed.decoder(HostAccounts)


class Accounts:
    """Those of a home, below `directory`. Safe for several threads."""

    def __init__(self, directory: Path, now: Callable[[], float]) -> None:
        self._directory, self._now = directory, now
        self._lock = threading.Lock()
        self._followed: list[_Followed] = []

    def follow(self, budget: Budget, *, credential: str, whose: Callable[[], str]) -> None:
        """Tell of this budget from now on. `credential` is what people call it, `whose` tells it from
        others and says nothing about it."""
        followed = _Followed(self._directory, budget, credential, whose, self._now)
        with self._lock:
            self._followed.append(followed)
        budget.heard = followed.heard

    def keeper(self, host: str, whose: Callable[[], str]) -> OnDisk:
        """Where answers of that host are kept with their ETags."""
        from orch.hosts.kept_files import OnDisk

        return OnDisk(self._directory / "etags" / _file(host), whose)

    def close(self) -> None:
        """Write what is left to write."""
        with self._lock:
            followed = list(self._followed)
        for one in followed:
            one.write()


class _Followed:
    """One budget, and what of it has been written."""

    def __init__(
        self, directory: Path, budget: Budget, credential: str, whose: Callable[[], str],
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._path = directory / (_file(budget.host) + _SUFFIX)
        self._budget, self._credential, self._whose, self._now = budget, credential, whose, now
        self._lock = threading.Lock()
        self._written: Figures | None = None
        self._at = float("-inf")

    def heard(self) -> None:
        """Something was asked."""
        if self._now() - self._at >= APART_S:
            self.write()

    def write(self) -> None:
        with self._lock:
            figures, now = self._budget.figures(), self._now()
            if figures == self._written or not figures.requests:
                return
            self._at = now
            try:
                with _alone(self._path):
                    _put(self._path, self._merged(figures, now))
            except OSError as error:
                import logging

                log = logging.getLogger(__name__)
                log.info("what was spent at %s is not written down: %s", figures.host, error)
                return
            self._written = figures

    def _merged(self, figures: Figures, now: float) -> HostAccounts:
        known = _got(self._path) or HostAccounts(host=figures.host)
        whose, today = self._whose(), day_of(now)
        had = known.accounts.get(whose)
        if had is None or had.day != today:
            had = Account(
                credential=self._credential, day=today, allowances=had.allowances if had else {}
            )
        before = self._written
        spent = figures.spent - (before.spent if before else 0)
        requests = dict(had.requests)
        for kind, count in figures.requests.items():
            more = count - (before.requests.get(kind, 0) if before else 0)
            requests[kind] = requests.get(kind, 0) + more
        told = {
            name: one for name, one in figures.allowances.items()
            if name in _ALWAYS or one.left < one.limit
        }  # fmt: skip
        account = Account(
            credential=self._credential, day=today, spent=had.spent + spent, requests=requests,
            reserve=figures.reserve, allowances=_newest(had.allowances, told),
            held_until=figures.held_until, at=now,
        )  # fmt: skip
        return HostAccounts(host=figures.host, accounts={**known.accounts, whose: account})


def read(directory: Path) -> list[HostAccounts]:
    """All accounts below `directory`, by host; what cannot be read is left out."""
    try:
        names = sorted(entry for entry in os.listdir(directory) if entry.endswith(_SUFFIX))
    except OSError:
        return []
    found = [_got(directory / name) for name in names]
    return [one for one in found if one is not None]


def _newest(had: Mapping[str, Allowance], told: Mapping[str, Allowance]) -> dict[str, Allowance]:
    """In one window less is newer; else the later window."""
    newest = dict(had)
    for name, one in told.items():
        known = newest.get(name)
        if known is None or (one.reset_at, -one.left) >= (known.reset_at, -known.left):
            newest[name] = one
    return newest


def day_of(now: float) -> str:
    """The date here."""
    from datetime import datetime

    return datetime.fromtimestamp(now).astimezone().date().isoformat()


def _file(host: str) -> str:
    """A host with its port as the name of a file."""
    from urllib.parse import quote

    return quote(host, safe="")


def _got(path: Path) -> HostAccounts | None:
    try:
        return _decoder.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _put(path: Path, accounts: HostAccounts) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        beside.write_bytes(msgspec.json.encode(accounts))
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """The only one that writes this account; the kernel frees it when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path.with_suffix(".lock"), flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
