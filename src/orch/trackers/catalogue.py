"""What the vault's files said when they were last read, so that a listing opens only those that
changed.

Invariant: a file is the truth. A remembered ticket counts only while its file has the very stamp
(inode, size, both times) it was read with; a file that was changed so shortly before it was read that
another change could hide behind the same times is not remembered at all. The catalogue may be
deleted, damaged, or impossible to write: then the files are read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from orch.model.ticket import Ticket
from orch.shelf import Mark

FORMAT = 1
"""Goes up with each change of what is read out of a file."""
LEAST = 100
"""Fewer files are read faster than they are looked up."""
LARGEST = 8 * 1024
"""A larger file, in bytes, is read each time: the catalogue stays small."""
_SETTLED_NS = 2_000_000_000  # the coarsest times that a file system keeps (FAT)


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file as it was read: its ticket, or what is wrong with it."""

    stamp: Mark
    ticket: Ticket | None
    problem: str = ""


class _Book(msgspec.Struct, frozen=True, array_like=True):
    format: int
    directory: str
    entries: dict[str, Entry]


class Catalogue:
    """The catalogue of the vault in `directory`, kept in `file`."""

    def __init__(self, file: Path, directory: str) -> None:
        self._file = file
        self._directory = directory

    def known(self) -> dict[str, Entry]:
        """By file name; empty when there is nothing that can be used."""
        try:
            book = msgspec.msgpack.decode(self._file.read_bytes(), type=_Book)
        except (OSError, msgspec.DecodeError):
            return {}
        usable = book.format == FORMAT and book.directory == self._directory
        return book.entries if usable else {}

    def keep(
        self, entries: Mapping[str, Entry], known: Mapping[str, Entry], *, read_at_ns: int
    ) -> None:
        """Remember them, as of the reading that began at `read_at_ns`, where that is not what is
        `known`. A catalogue that cannot be written is done without."""
        settled = {
            name: entry
            for name, entry in entries.items()
            if entry.stamp[1] <= LARGEST and max(entry.stamp[2:]) < read_at_ns - _SETTLED_NS
        }
        if settled == known:
            return
        data = msgspec.msgpack.encode(_Book(FORMAT, self._directory, settled))
        new = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        with contextlib.suppress(OSError):
            try:
                handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                with open(handle, "wb") as file:
                    file.write(data)
                os.replace(new, self._file)
            except OSError:
                new.unlink(missing_ok=True)
                raise
