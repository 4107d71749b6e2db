"""The local forge's checks: what was found out about a commit, one file per check.

Invariant: a check hangs on a full commit id (`<repo slug>/checks/<commit>/<number>.json`), so a new
push has none; a file that cannot be read is an error, never a check that is missing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from orch.model import typed
from orch.model.errors import UsageError
from orch.model.pull import Check
from orch.shelf import Content, Shelf, Unreadable

_LARGEST = 64 * 1024
_decoder = typed.decoder(Check)


def shelf_of(directory: str, commit: str) -> Shelf:
    """The checks of one commit, below the repository's `directory`."""
    return Shelf(os.path.join(directory, "checks", commit), suffix=".json", limit=_LARGEST)


def read(shelf: Shelf) -> Sequence[Check]:
    """All, by name. `UsageError(check_broken)`."""
    return tuple(sorted((check for _, _, check in _files(shelf)), key=lambda check: check.name))


def put(shelf: Shelf, check: Check) -> None:
    """`check` in the place of the one of its name, or as a new one."""
    data = msgspec.json.format(msgspec.json.encode(check), indent=2) + b"\n"
    with shelf.lock():
        while True:
            same = [
                (name, content) for name, content, old in _files(shelf) if old.name == check.name
            ]
            if not same:
                shelf.add(lambda number: data)
                return
            if shelf.replace(*same[0], data):
                return


def _files(shelf: Shelf) -> list[tuple[str, Content, Check]]:
    found = []
    for name in shelf.files().numbers.values():
        try:
            content = shelf.read(name)
            if content is not None:
                found.append((name, content, _decoder.decode(content.data)))
        except (Unreadable, msgspec.DecodeError, UnicodeDecodeError) as error:
            path = shelf.path(name)
            reason = error.reason if isinstance(error, Unreadable) else f"it is no check ({error})"
            raise UsageError(
                f"{path}: {reason}.",
                code="check_broken",
                hint=f"Mend or remove {path} (it was left as it is), then repeat.",
                file=path,
            ) from error
    return found
