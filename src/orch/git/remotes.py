"""Talking to remotes: fetch, look, push.

Look: a push of a commit that is there already is a no-op for git itself, so repeating needs no look
first. Act: one `git push` of one commit to one full ref. Without `force` the remote's own rule
holds (absent, ancestor or equal); with it, a tip that is exactly the one we pushed before may be
replaced (`--force-with-lease` with the value). Nothing else is ever overwritten.

Invariants: only branches that we recorded as ours are pushed, never the default branch; the one
exception is a pull request that lands (see `landing`), always from the base's tip that was looked
at. What the network did to a command that broke off is unknown: `ToolFailed(network)`, and the
caller looks before it repeats. A push to a repository on this machine runs its own hooks, in our
small environment, without tokens and without the hooks of the person's configuration.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from orch.git import names, pinned, refs, refusals
from orch.git.gateway import Gateway, Output, Reach, reach_of
from orch.model.errors import Conflict, OrchError, PushRejected
from orch.model.repo import Repo
from orch.model.worktree import Worktree

_REJECTED = re.compile(r"^!\t[^\t]*\t(.*)$", re.MULTILINE)
_REASON = re.compile(r"\((.+)\)\s*$")
_NOT_FORWARD = ("non-fast-forward", "fetch first", "stale info", "needs force")

# What the remote's git adds to the words that tell why.
_SAYS_NOTHING = (
    "error: hook declined to update",
    "Another git process seems to be running",
    "an editor opened by",
    "are terminated then try again",
    "may have crashed in this repository",
    "remove the file manually to continue",
)


def push(
    gateway: Gateway,
    repo: Repo,
    worktree: Worktree,
    *,
    remote: str,
    force: bool,
    expected: str,
) -> str:
    """See `orch.ports.Git.push`."""
    target = _target(gateway, repo, remote)
    if worktree.branch == repo.default_branch:
        raise refusals.default_branch(repo)
    commit = _own_tip(gateway, repo, worktree)
    ref = names.branch_ref(worktree.branch)
    tried = _push(gateway, repo, target, [f"{commit}:{ref}"])
    if tried.code == 0:
        return commit
    if force and expected and any(words in _said(tried) for words in _NOT_FORWARD):
        lease = f"--force-with-lease={ref}:{names.check_commit_id(expected)}"
        tried = _push(gateway, repo, target, [f"{commit}:{ref}"], lease)
        if tried.code == 0:
            return commit
    raise rejected(worktree.branch, target, tried)


def remote_tip(gateway: Gateway, repo: Repo, branch: str, *, remote: str) -> str:
    """See `orch.ports.Git.remote_tip`."""
    return remote_tips(gateway, repo, [branch], remote=remote).get(branch, "")


def remote_tips(
    gateway: Gateway, repo: Repo, branches: Sequence[str], *, remote: str = ""
) -> dict[str, str]:
    """The commits of those of `branches` that the remote has, looked at in one go."""
    target = _target(gateway, repo, remote)
    wanted = {names.branch_ref(branch): branch for branch in branches}
    listing = gateway.run(
        ["ls-remote", "--quiet", "--end-of-options", target, *wanted],
        pinned.repository_place(repo),
        reach=_reach(repo, target),
        timeout=gateway.limits.look_s,
    )
    found = {}
    for line in listing.text().splitlines():
        commit, _, name = line.partition("\t")
        if name in wanted:
            found[wanted[name]] = commit
    return found


def fetch_objects(gateway: Gateway, repo: Repo, branches: Sequence[str]) -> None:
    """Bring what `branches` of the remote hold, and move no ref of the person's for it. A branch
    that is gone meanwhile is `NotFound(unknown_branch)`."""
    target = _target(gateway, repo, "")
    words = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"]
    try:
        gateway.run(
            [
                *words, "--refmap=", "--no-recurse-submodules", "--end-of-options", target,
                *map(names.branch_ref, branches),
            ],
            pinned.repository_place(repo),
            reach=_reach(repo, target),
            timeout=gateway.limits.fetch_s,
        )  # fmt: skip
    except OrchError as error:
        raise _no_such_branch(repo, branches, error) from error


def free_locks(gateway: Gateway, repo: Repo, branches: Sequence[str]) -> None:
    """Remove what a killed push to `branches` left here and at a remote on this machine, where it
    would stop others. A lock with a live owner stays: that one frees it."""
    tops: dict[str, list[str]] = {}
    if repo.remote_name:
        tops[repo.common_dir] = [names.tracking_ref(repo.remote_name, b) for b in branches]
    if place := names.local_path(repo.remote_url):
        inside = os.path.join(place, ".git")
        top = inside if os.path.isdir(inside) else place
        tops[top] = ["HEAD", *map(names.branch_ref, branches)]
    for top, refs_there in tops.items():
        try:
            gateway.free_locks([os.path.join(top, f"{ref}.lock") for ref in refs_there], [top])
        except Conflict as error:
            if error.code != "repository_busy":
                raise


def push_specs(gateway: Gateway, repo: Repo, specs: list[str], *options: str) -> tuple[str, Output]:
    """One `git push` of full refspecs: the remote's word, and what git said (code 0 or 1)."""
    target = _target(gateway, repo, "")
    return target, _push(gateway, repo, target, specs, *options)


def all_tips(gateway: Gateway, repo: Repo) -> list[str]:
    """What the branches and tags of the remote point to, whether it is known here or not."""
    target = _target(gateway, repo, "")
    listing = gateway.run(
        ["ls-remote", "--quiet", "--heads", "--tags", "--end-of-options", target],
        pinned.repository_place(repo),
        reach=_reach(repo, target),
        timeout=gateway.limits.look_s,
    )
    return sorted({line.partition("\t")[0] for line in listing.text().splitlines()})


def fetch_branch(gateway: Gateway, repo: Repo, branch: str) -> None:
    """Bring `refs/remotes/<remote>/<branch>` up to date; `NotFound(unknown_branch)` when the
    remote has none of that name."""
    target = _target(gateway, repo, "")
    remote = names.check_remote(repo.remote_name)
    spec = f"+{names.branch_ref(branch)}:{names.tracking_ref(remote, branch)}"
    words = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"]
    try:
        gateway.run(
            [*words, "--no-recurse-submodules", "--end-of-options", target, spec],
            pinned.repository_place(repo),
            reach=_reach(repo, target),
            timeout=gateway.limits.fetch_s,
        )
    except OrchError as error:
        raise _no_such_branch(repo, [branch], error) from error


def _no_such_branch(repo: Repo, branches: Sequence[str], error: OrchError) -> OrchError:
    if "couldn't find remote ref" not in str(error.data.get("stderr", "")):
        return error
    return refusals.not_at_the_remote(repo, branches)


def _target(gateway: Gateway, repo: Repo, remote: str) -> str:
    """The word that git gets for the remote: a name that the pinned view knows, or a URL."""
    chosen = remote or repo.remote_name or repo.remote_url
    if not chosen:
        raise refusals.no_remote(repo)
    if ":" in chosen or chosen.startswith("/"):
        return names.check_url(chosen, gateway.protocols)
    return names.check_remote(chosen)


def _url(repo: Repo, target: str) -> str:
    return repo.remote_url if target == repo.remote_name else target


def _reach(repo: Repo, target: str) -> Reach:
    return reach_of(_url(repo, target))


def _own_tip(gateway: Gateway, repo: Repo, worktree: Worktree) -> str:
    ref, made = names.branch_ref(worktree.branch), names.made_ref(worktree.branch)
    adopted = names.adopted_ref(worktree.branch)
    known = refs.read_refs(gateway, pinned.repository_place(repo), [ref, made, adopted])
    if ref not in known:
        raise refusals.unknown_branch(repo, worktree.branch, [])
    if made not in known and adopted not in known:
        raise refusals.not_ours_to_push(worktree)
    return known[ref]


def _push(gateway: Gateway, repo: Repo, target: str, specs: list[str], *options: str) -> Output:
    words = ["push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed"]
    words += ["--recurse-submodules=no", *options]
    directory = names.local_path(_url(repo, target))
    return gateway.run(
        [*words, "--end-of-options", target, *specs],
        pinned.repository_place(repo),
        accept=(0, 1),
        reach=_reach(repo, target),
        timeout=gateway.limits.transfer_s,
        lock_roots=[directory] if directory else [],
    )


def _said(tried: Output) -> str:
    return tried.text() + "\n" + tried.stderr


def rejected(branch: str, target: str, tried: Output) -> PushRejected:
    """Why the remote did not take `branch`, with its own words."""
    found = _REJECTED.search(tried.text())
    summary = found.group(1) if found else ""
    reason = _REASON.search(summary)
    short = reason.group(1) if reason else summary or "no reason was given"
    remarks = [
        line.removeprefix("remote:").strip()
        for line in tried.stderr.splitlines()
        if line.startswith("remote:")
    ]
    remarks = [line for line in remarks if line and not line.startswith(_SAYS_NOTHING)]
    if any(words in short for words in _NOT_FORWARD):
        return refusals.others_work_there(target, branch, short)
    return refusals.push_refused(target, branch, short, remarks)
