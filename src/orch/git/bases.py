"""Where new work starts: the branch, its commit, and what was odd about it.

Invariant: the base is resolved to a full commit before a branch is made from it (H71), and the
remote is asked before the local branch is believed, but no network trouble stops anybody. The local
branch wins unless it is strictly behind the remote one; local branches are never moved.
"""

from __future__ import annotations

from orch.git import names, pinned, refs, refusals, remotes
from orch.git.gateway import Gateway
from orch.model.errors import NotFound, OrchError
from orch.model.repo import Repo
from orch.model.worktree import Base


def resolve_base(gateway: Gateway, repo: Repo, branch: str | None, *, fetch: bool) -> Base:
    """See `orch.ports.Git.resolve_base`."""
    wanted = names.check_branch(_without_remote(gateway, repo, branch or repo.default_branch))
    warnings = _fetched(gateway, repo, wanted) if fetch and _has_remote(repo) else []
    place = pinned.repository_place(repo)
    local_ref = names.branch_ref(wanted)
    remote_ref = names.tracking_ref(repo.remote_name, wanted) if repo.remote_name else local_ref
    known = refs.read_refs(gateway, place, [local_ref, remote_ref])
    local, remote = known.get(local_ref, ""), known.get(remote_ref, "")
    if not local and not remote:
        raise _unknown(gateway, repo, wanted)
    if not local or not remote or local == remote:
        return Base(branch=wanted, commit=local or remote, warnings=tuple(warnings))
    ahead, behind = count_apart(gateway, repo, local, remote)
    if ahead and behind:
        warnings.append(
            f"The local branch {wanted} and {repo.remote_name}/{wanted} have diverged"
            f" ({ahead} and {behind} commits); the local one is used."
        )
    commit = remote if behind and not ahead else local
    return Base(branch=wanted, commit=commit, warnings=tuple(warnings))


def count_apart(gateway: Gateway, repo: Repo, one: str, other: str) -> tuple[int, int]:
    """How many commits `one` has that `other` lacks, and the other way round."""
    counted = gateway.run(
        ["rev-list", "--left-right", "--count", f"{one}...{other}", "--"],
        pinned.repository_place(repo),
    )
    left, right = counted.text().split()
    return int(left), int(right)


def _has_remote(repo: Repo) -> bool:
    return bool(repo.remote_name)


def _without_remote(gateway: Gateway, repo: Repo, name: str) -> str:
    """`origin/x` means `x`, unless there is a local branch of that very name."""
    prefix = f"{repo.remote_name}/"
    if not repo.remote_name or not name.startswith(prefix) or name == prefix:
        return name
    ref = names.branch_ref(name)
    known = refs.read_refs(gateway, pinned.repository_place(repo), [ref])
    return name if ref in known else name.removeprefix(prefix)


def _fetched(gateway: Gateway, repo: Repo, branch: str) -> list[str]:
    try:
        remotes.fetch_branch(gateway, repo, branch)
    except OrchError as error:
        if error.code == "disk_full":
            raise
        if error.code == "unknown_branch":
            return [error.message]
        return [f"{branch} could not be fetched, what is known here is used: {error.message}"]
    return []


def _unknown(gateway: Gateway, repo: Repo, branch: str) -> NotFound:
    listing = gateway.run(
        ["for-each-ref", "--format=%(refname)", "refs/heads/", f"refs/remotes/{repo.remote_name}"],
        pinned.repository_place(repo),
    )
    prefixes = ("refs/heads/", f"refs/remotes/{repo.remote_name}/")
    known = {
        ref.removeprefix(prefix)
        for ref in listing.text().splitlines()
        for prefix in prefixes
        if ref.startswith(prefix)
        if ref != f"{prefix}HEAD"
    }
    return refusals.unknown_branch(repo, branch, known)
