"""A view of a repository in which nothing converts content: files go in and come out to the byte.

Invariant: it is the pinned view (see `pinned`) with one more file, `info/attributes`, which outranks
every `.gitattributes` and switches line ends, encodings, keywords and filters off. So what is saved
from a worktree, and what is given back, never depends on attributes that an agent wrote.
"""

from __future__ import annotations

import contextlib
import os

import msgspec

from orch.git import failures, pinned
from orch.git.gateway import Place
from orch.model.repo import Repo

_SAME = (
    "HEAD",
    "config",
    "logs",
    "objects",
    "packed-refs",
    "refs",
    "reftable",
    "shallow",
    "worktrees",
)
_ATTRIBUTES = b"* -text -ident -filter !eol !working-tree-encoding\n"


def raw_place(repo: Repo, place: Place) -> Place:
    """`place` (of a worktree) without any conversion."""
    view = os.path.join(repo.pinned_dir, "raw")
    attributes = os.path.join(view, "info", "attributes")
    if not os.path.isfile(attributes):
        with failures.our_own_writes(f"write {view}"):
            os.makedirs(os.path.join(view, "info"), mode=0o700, exist_ok=True)
            for name in _SAME:
                _link(f"../{name}", os.path.join(view, name))
            _link("../../info/exclude", os.path.join(view, "info", "exclude"))
            pinned.write_file(attributes, _ATTRIBUTES)
    return msgspec.structs.replace(place, common_dir=view)


def _link(target: str, link: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.symlink(target, link)
