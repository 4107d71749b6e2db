"""What is kept of worktrees: one commit each below `refs/orch/trash/`, for a while.

Look: an entry with the same key that holds exactly what is there now (or, when the directory is
gone, any entry with the key) is the answer. Act: write the objects, then create one ref, which
stands for everything or is not there (see `orch.model.worktree.Saved`). So a call that was killed
anywhere is answered by the same call again, and what changed in between becomes a second entry.

Invariant: an entry is never overwritten; it goes only by `purge`, when it is old enough. Entries
are refs of the repository, so anything in one may have been written by an agent: it is decoded,
and what does not fit is passed over and left alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from orch.git import commits, loose, names, pinned, refs, snapshots, standing
from orch.git.gateway import Gateway
from orch.git.places import Tree
from orch.git.snapshots import Snapshot
from orch.model import typed
from orch.model.naming import slug
from orch.model.repo import Repo
from orch.model.worktree import Saved, Worktree

PREFIX = "refs/orch/trash/"
_DECODER = typed.decoder(Saved)


def rescue(
    gateway: Gateway,
    repo: Repo,
    worktree: Worktree,
    *,
    key: str,
    at: float,
    keep: Sequence[str],
) -> list[Saved]:
    """See `orch.ports.Git.rescue`."""
    check(worktree)
    found = [s for s in entries(gateway, repo) if is_of(s, worktree, key)]
    tree = standing.stand(repo, worktree)
    tip, record = branch_and_record(gateway, repo, worktree)
    if tree is None and (found or not tip):
        return found
    now = take(gateway, repo, worktree, tree, keep)
    fresh = _described(gateway, repo, worktree, tree, now, tip, key=key, at=at, ours=bool(record))
    if found and holds(found[-1], fresh):
        return found
    return [*found, _keep(gateway, repo, fresh)]


def take(
    gateway: Gateway, repo: Repo, worktree: Worktree, tree: Tree | None, keep: Sequence[str]
) -> Snapshot | None:
    """The directory as objects; None when there is none."""
    return None if tree is None else snapshots.photograph(gateway, repo, worktree, tree, keep)


def holds(saved: Saved, wanted: Saved) -> bool:
    """Whether all of `wanted` is in `saved`."""
    return (
        (saved.tree, saved.staged, saved.head, saved.on, saved.tip)
        == (wanted.tree, wanted.staged, wanted.head, wanted.on, wanted.tip)
    ) and set(wanted.others) <= set(saved.others)  # fmt: skip


def entries(gateway: Gateway, repo: Repo) -> list[Saved]:
    """All entries, oldest first."""
    listing = gateway.run(
        ["for-each-ref", "--format=%(refname)%00%(objectname)%00%(contents:body)%00", PREFIX],
        pinned.repository_place(repo),
    )
    fields = listing.stdout.split(b"\0")
    found = []
    for name, commit, body in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
        try:
            saved = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        ref = name.decode("utf-8", "backslashreplace").strip()
        found.append(
            msgspec.structs.replace(
                saved, id=ref.removeprefix(PREFIX), ref=ref, commit=commit.decode()
            )
        )
    return sorted(found, key=lambda saved: (saved.at, saved.id))


def purge(gateway: Gateway, repo: Repo, *, older_than: float) -> list[Saved]:
    """See `orch.ports.Git.purge_trash`."""
    place = pinned.repository_place(repo)
    return [
        saved
        for saved in entries(gateway, repo)
        if saved.at < older_than
        and refs.move_refs(gateway, place, [f"delete {saved.ref} {saved.commit}"], "purged")
    ]


def is_of(saved: Saved, worktree: Worktree, key: str) -> bool:
    known = saved.worktree
    return saved.key == key and (known.name, known.branch) == (worktree.name, worktree.branch)


def check(worktree: Worktree) -> None:
    """The record names things that may be used as paths and refs."""
    names.check_branch(worktree.branch)
    names.check_commit_id(worktree.base_commit)
    names.check_worktree_path(worktree.path, worktree.path.rpartition("/")[2])
    names.check_worktree_path(f"/{worktree.name}", worktree.name)


def branch_and_record(gateway: Gateway, repo: Repo, worktree: Worktree) -> tuple[str, str]:
    """Where the branch is and where we made it; empty for what is not there."""
    branch, made = names.branch_ref(worktree.branch), names.made_ref(worktree.branch)
    known = refs.read_refs(gateway, pinned.repository_place(repo), [branch, made])
    return known.get(branch, ""), known.get(made, "")


def described(
    gateway: Gateway, repo: Repo, worktree: Worktree, tree: Tree | None, keep: Sequence[str]
) -> Saved:
    """What is there now, in the form of an entry that has not been written."""
    tip, record = branch_and_record(gateway, repo, worktree)
    now = take(gateway, repo, worktree, tree, keep)
    return _described(gateway, repo, worktree, tree, now, tip, key="", at=0.0, ours=bool(record))


def _described(
    gateway: Gateway,
    repo: Repo,
    worktree: Worktree,
    tree: Tree | None,
    now: Snapshot | None,
    tip: str,
    *,
    key: str,
    at: float,
    ours: bool,
) -> Saved:
    place = pinned.repository_place(repo)
    seen = now.survey.seen if now else None
    head = seen.head if seen else tip
    kept = [commit for commit in (head, tip) if commit]
    return Saved(
        id="", ref="", commit="", key=key, at=at, worktree=worktree,
        tree=now.tree if now else commits.tree_of(gateway, place, tip),
        head=head,
        on=seen.branch if seen else worktree.branch,
        tip=tip,
        staged=now.staged if now else "",
        others=tuple(loose.loose_ends(gateway, repo, worktree, tree, kept=kept)),
        unfinished=now.survey.unfinished if now else "",
        changed=len(now.survey.dirty) + len(now.survey.ignored) if now else 0,
        ours=ours,
        directory=now is not None,
    )  # fmt: skip


def _keep(gateway: Gateway, repo: Repo, saved: Saved) -> Saved:
    """Write the commit and give it the first free name of its day."""
    place = pinned.repository_place(repo)
    parents = [saved.head] if saved.head else []
    if saved.staged and saved.staged != saved.tree:
        index = commits.write_commit(gateway, place, saved.staged, parents, b"index\n")
        parents.append(index)
    parents += [c for c in (saved.tip, *saved.others) if c and c not in parents]
    subject = f"Kept from the worktree {saved.worktree.name}\n\n".encode()
    message = subject + msgspec.json.encode(saved) + b"\n"
    commit = commits.write_commit(gateway, place, saved.tree, parents, message)
    day = time.strftime("%Y%m%d", time.gmtime(saved.at))
    first = f"{day}-{slug(saved.worktree.name, 60) or 'worktree'}"
    number = 1
    while True:
        name = first if number == 1 else f"{first}-{number}"
        if refs.move_refs(gateway, place, [f"create {PREFIX}{name} {commit}"], "saved"):
            ref = f"{PREFIX}{name}"
            return msgspec.structs.replace(saved, id=name, ref=ref, commit=commit)
        number += 1
