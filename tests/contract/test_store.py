"""Both stores of ours pass the one contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orch.ports import Store
from orch.store.memory import MemoryStore
from orch.store.sqlite import SqliteStore
from tests.contract.store_contract import StoreContract


class TestSqliteStore(StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> SqliteStore:
        return SqliteStore(folder / "orch.db", now=now, install="install-1")


class TestMemoryStore(StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> MemoryStore:
        return MemoryStore(now=now, install="install-1")

    def reopened(self, store: Store, folder: Path, now: Callable[[], float]) -> Store:
        store.close()
        return store
