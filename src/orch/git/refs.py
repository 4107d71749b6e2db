"""Reading and moving refs, always by full name and compare-and-swap.

Invariant: a ref is only ever created where it must not exist, or moved from a value that was seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from orch.git import refusals
from orch.git.gateway import Gateway, Place
from orch.model.errors import NotFound, OrchError, ToolFailed

_NOT_AS_EXPECTED = (
    "but expected",
    "reference already exists",
    "unable to resolve reference",
    "is missing but",
)
_COLLISION = re.compile(r"'(refs/[^']+)' exists; cannot create '(refs/[^']+)'")


def read_refs(gateway: Gateway, place: Place, names: Sequence[str]) -> dict[str, str]:
    """Commit ids of those of the full `names` that exist (exactly these, no prefixes)."""
    listing = gateway.run(
        ["for-each-ref", "--format=%(objectname) %(refname)", "--", *names], place
    )
    found = {}
    for line in listing.text().splitlines():
        commit, _, name = line.partition(" ")
        if name in names:
            found[name] = commit
    return found


def move_refs(gateway: Gateway, place: Place, orders: Sequence[str], reason: str) -> bool:
    """Carry out `git update-ref --stdin` orders in one transaction. False when a ref was not as
    expected (nothing has changed then); other faults are raised.

    After a crash of git in the middle, the refs of the first orders may have moved alone.
    """
    lines = "\n".join(["start", *orders, "prepare", "commit", ""])
    try:
        gateway.run(
            ["update-ref", "-m", f"orch: {reason}", "--create-reflog", "--stdin"],
            place,
            stdin=lines.encode(),
        )
    except ToolFailed as error:
        said = str(error.data.get("stderr", ""))
        if any(words in said for words in _NOT_AS_EXPECTED):
            return False
        raise _explained(error, said) from error
    return True


def _explained(error: ToolFailed, said: str) -> OrchError:
    collision = _COLLISION.search(said)
    if collision:
        there, wanted = (name.removeprefix("refs/heads/") for name in collision.groups())
        return refusals.colliding_branch(wanted, there)
    if "nonexistent object" in said:
        return NotFound(
            f"git does not have the commit to start from: {error.message}",
            code="unknown_commit",
            hint="Fetch it first: git fetch",
            **error.data,
        )
    return error
