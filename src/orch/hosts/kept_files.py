"""What is kept with its ETag, in files that outlive the process: one for each address.

Invariants, beside those of `orch.hosts.kept`:

- A file is seen whole or not at all, and says itself which address it is for.
- They are bounded in number and in bytes, the oldest looks go first. A disk that is full or broken
  costs requests and nothing else.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from orch.hosts.kept import Kept
from orch.model import typed

MOST = 2048
LARGEST = 64 * 1024 * 1024
LARGEST_ANSWER = 4 * 1024 * 1024
_SWEEP = 64
"""Files that are written between two looks at what there is."""
_log = logging.getLogger(__name__)


class _Head(msgspec.Struct, frozen=True):
    """The first line of a file; the answer follows it."""

    key: str
    etag: str
    link: str = ""


_decoder = typed.decoder(_Head)


class OnDisk:
    """A `Keeper` in `directory`, which is made when it is needed. `whose` tells credentials apart, so
    that nobody is given what another one saw; it is asked for when the first answer is."""

    def __init__(
        self, directory: Path, whose: Callable[[], str], *, most: int = MOST,
        largest: int = LARGEST, largest_answer: int = LARGEST_ANSWER,
    ) -> None:  # fmt: skip
        self._directory, self._whose = directory, whose
        self._most, self._largest, self._largest_answer = most, largest, largest_answer
        self._lock = threading.Lock()
        self._written = 0

    def get(self, key: str) -> Kept | None:
        whole = f"{self._whose()} {key}"
        path = self._path(whole)
        try:
            line, _, body = path.read_bytes().partition(b"\n")
            head = _decoder.decode(line)
            os.utime(path)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return Kept(etag=head.etag, link=head.link, body=body) if head.key == whole else None

    def put(self, key: str, kept: Kept) -> None:
        if len(kept.body) > self._largest_answer:
            return
        whole = f"{self._whose()} {key}"
        head = msgspec.json.encode(_Head(whole, kept.etag, kept.link))
        try:
            self._write(self._path(whole), head + b"\n" + kept.body)
            with self._lock:
                self._written += 1
                due = self._written % _SWEEP == 1
            if due:
                self._sweep()
        except OSError as error:
            _log.info("an answer is not kept: %s", error)

    def _path(self, whole: str) -> Path:
        return self._directory / hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()

    def _write(self, path: Path, data: bytes) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        try:
            descriptor = os.open(
                beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
            )
            with open(descriptor, "wb") as file:
                file.write(data)
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def _sweep(self) -> None:
        """Take away what was not looked at for the longest time, until the rest fits with room for
        what comes before the next sweep."""
        found = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                try:
                    seen = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # another process has swept
                found.append((seen.st_mtime_ns, seen.st_size, entry.path))
        found.sort(reverse=True)
        room, most = self._largest, max(1, self._most - _SWEEP)
        for number, (_, size, path) in enumerate(found):
            room -= size
            if number >= most or room < 0:
                Path(path).unlink(missing_ok=True)
