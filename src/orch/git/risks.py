"""What would be gone with a worktree: told before anybody agrees to it.

Invariant: looking changes nothing but private files below the pinned view, and may be done while an
agent works there. A commit is safe when a remote, a tag or another branch has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.git import loose, pinned, snapshots, standing, status, trash
from orch.git.gateway import Gateway
from orch.model.repo import Repo
from orch.model.worktree import Risk, Worktree

_MOST = 1_000


def at_risk(gateway: Gateway, repo: Repo, worktree: Worktree, keep: Sequence[str]) -> Risk:
    """See `orch.ports.Git.at_risk`."""
    trash.check(worktree)
    tree = standing.stand(repo, worktree)
    tip, record = trash.branch_and_record(gateway, repo, worktree)
    found = snapshots.survey(gateway, repo, worktree, tree, keep) if tree else None
    head = found.seen.head if found else ""
    ends = [commit for commit in (head, tip) if commit]
    lost = loose.loose_ends(gateway, repo, worktree, tree, kept=ends)
    # A branch that is not ours stays, and with it what is on it.
    own = worktree.branch if record else ""
    return Risk(
        dirty=found.dirty if found else (),
        ignored=tuple(map(status.shown, found.ignored)) if found else (),
        commits=_only_here(gateway, repo, [*ends, *lost], own),
        unfinished=found.unfinished if found else "",
        missing="" if tree else f"there is no directory at {worktree.path}",
        lost=tuple(map(status.shown, found.lost)) if found else (),
    )


def _only_here(gateway: Gateway, repo: Repo, ends: Sequence[str], own: str) -> tuple[str, ...]:
    if not ends:
        return ()
    words = ["rev-list", "--no-commit-header", "--format=%h %s", f"--max-count={_MOST}", *ends]
    words += ["--not", *([f"--exclude={own}"] if own else []), "--branches", "--remotes", "--tags"]
    listing = gateway.run([*words, "--"], pinned.repository_place(repo))
    return tuple(listing.text().splitlines())
