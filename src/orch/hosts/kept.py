"""Answers that are kept with their ETag, so that asking again costs nothing while they hold.

Invariant: only what the service itself confirmed (304) is ever given out again; what is kept is
bounded, and losing it costs requests, never truth.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Protocol

import msgspec

MOST = 1024
LARGEST = 16 * 1024 * 1024


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    etag: str
    body: bytes
    link: str = ""


class Keeper(Protocol):
    """Where they are; an adapter may bring one that outlives the process. Keys name the credential,
    because two people may see different things at one address."""

    def get(self, key: str) -> Kept | None: ...
    def put(self, key: str, kept: Kept) -> None: ...


class InMemory:
    """The newest answers of this process."""

    def __init__(self, *, most: int = MOST, largest: int = LARGEST) -> None:
        self._most, self._largest = most, largest
        self._size = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def get(self, key: str) -> Kept | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: str, kept: Kept) -> None:
        with self._lock:
            old = self._kept.pop(key, None)
            self._size += len(kept.body) - (len(old.body) if old else 0)
            self._kept[key] = kept
            while self._kept and (len(self._kept) > self._most or self._size > self._largest):
                _, gone = self._kept.popitem(last=False)
                self._size -= len(gone.body)
