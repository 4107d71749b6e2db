"""A worktree as it is now: where it stands, what is not committed, how far from its base.

Invariant: looking changes nothing and takes no lock, so it may be done while an agent works there.
"""

from __future__ import annotations

import os

from orch.git import names, pinned, places, refs, status
from orch.git.gateway import Gateway
from orch.git.status import Status
from orch.model.repo import Repo
from orch.model.worktree import TreeState, Worktree


def state(gateway: Gateway, repo: Repo, worktree: Worktree) -> TreeState:
    """See `orch.ports.Git.state`. `ahead` counts from the commit that the branch was made from;
    `behind` is what the local base branch got since (H63: never the branch against itself)."""
    pinned.require(repo)
    tree = places.find_tree(repo, worktree)
    seen = status.read_status(gateway, tree.place)
    ahead, behind = _distance(gateway, repo, worktree, seen)
    files = {*seen.unmerged, *(entry.path for entry in seen.entries)}
    return TreeState(
        head=seen.head,
        branch=seen.branch,
        dirty=tuple(status.shown(path) for path in sorted(files)),
        ahead=ahead,
        behind=behind,
    )


def _distance(gateway: Gateway, repo: Repo, worktree: Worktree, seen: Status) -> tuple[int, int]:
    base = names.check_commit_id(worktree.base_commit)
    if not seen.head:
        return 0, 0
    place = pinned.repository_place(repo)
    ref = names.branch_ref(worktree.base_branch)
    newest = _loose_tip(repo, ref) or refs.read_refs(gateway, place, [ref]).get(ref, "") or base
    spans = [f"{base}..{seen.head}", f"{seen.head}..{newest}"]
    counts = []
    for span in spans:
        start, _, end = span.partition("..")
        words = ["rev-list", "--count", span, "--"]
        counts.append(0 if start == end else int(gateway.run(words, place).text()))
    return counts[0], counts[1]


def _loose_tip(repo: Repo, ref: str) -> str:
    """The commit in a ref's own file, the usual case; empty where git has to be asked."""
    found = places.read_line(os.path.join(repo.common_dir, ref))
    return found if names.is_commit_id(found) else ""
