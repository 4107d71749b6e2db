"""What repository a path is in, and cloning one.

Looking happens before a repository is pinned, so git finds it by itself here, with the
repository's own configuration. Only commands are used that run nothing whatever that configuration
says (`rev-parse`, `worktree list`, `config`, `for-each-ref`); the one that would (`ls-remote`)
stands outside of the repository and gets a URL.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

import msgspec

from orch.git import disposal, failures, moved, names, refs, refusals
from orch.git.gateway import Gateway, Place, reach_of
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.repo import Checkout

_ASK_S = 5.0


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where git found the repository; `top` is empty outside of a work tree."""

    common_dir: str
    git_dir: str
    bare: bool
    top: str


def locate(gateway: Gateway, path: str) -> tuple[str, str]:
    """(common directory, work tree's root or empty) of the repository that `path` is in. One
    process, no network, and an unborn HEAD is no error: for finding a registered repository."""
    found = _find(gateway, path)
    return found.common_dir, found.top


def inspect(gateway: Gateway, path: str) -> Checkout:
    """See `orch.ports.Git.inspect`. `top`, `branch` and `head` are those of the checkout that
    `path` is in."""
    found = _find(gateway, path)
    place = Place(git_dir=found.git_dir)
    config = _config(gateway, found.common_dir)
    main_path = _main_path(found, config)
    remotes = {
        key.removeprefix("remote.").removesuffix(".url"): names.absolute_url(value, main_path)
        for key, value in config.items()
        if key.startswith("remote.") and key.endswith(".url")
    }
    branch, head = _head(gateway, place)
    default = _default_branch(gateway, place, config, remotes, branch, bare=found.bare)
    if not head and default:
        # HEAD names a branch that does not exist yet, in a repository that has others.
        head = refs.read_refs(gateway, place, [names.branch_ref(default)]).get(
            names.branch_ref(default), ""
        )
    if not head:
        raise refusals.no_commits(path)
    return Checkout(
        common_dir=found.common_dir,
        main_path=main_path,
        top=found.top,
        bare=found.bare,
        branch=branch,
        head=head,
        remotes=remotes,
        default_branch=default,
        linked=moved.linked(found.common_dir),
    )


def clone(gateway: Gateway, url: str, target: str) -> None:
    """See `orch.ports.Git.clone`. The files are written by a second command without the person's
    filters; submodules and LFS objects are left out."""
    names.check_url(url, gateway.protocols)
    names.check_worktree_path(target, os.path.basename(target))
    if os.path.lexists(target):
        raise refusals.path_taken(target)
    parent, name = os.path.split(target)
    unfinished = os.path.join(parent, f".{name}.cloning")
    with failures.our_own_writes(f"clone into {target}"):
        os.makedirs(parent, mode=0o700, exist_ok=True)
        with alone(f"{unfinished}.lock"):
            if os.path.lexists(target):  # somebody was quicker
                raise refusals.path_taken(target)
            disposal.remove_tree(unfinished)
            try:
                _clone_into(gateway, url, unfinished)
                os.rename(unfinished, target)
            finally:
                disposal.remove_tree(unfinished)


def _clone_into(gateway: Gateway, url: str, directory: str) -> None:
    words = ["clone", "--quiet", "--no-checkout", "--template=", "--origin", "origin"]
    gateway.run(
        [*words, "--no-recurse-submodules", "--end-of-options", url, directory],
        reach=reach_of(url),
        timeout=gateway.limits.transfer_s,
    )
    git_dir = os.path.join(directory, ".git")
    place = Place(git_dir=git_dir, work_tree=directory, roots=(git_dir,))
    if not _head(gateway, place)[1]:
        _choose_head(gateway, place, url)
    gateway.run(["reset", "--quiet", "--hard"], place)


def _choose_head(gateway: Gateway, place: Place, url: str) -> None:
    """The remote's HEAD names a branch that is not there: hand-made remotes often do."""
    prefix = "refs/remotes/origin/"
    words = ["for-each-ref", "--format=%(refname)", prefix]
    found = [line.removeprefix(prefix) for line in gateway.run(words, place).text().splitlines()]
    if not found:
        raise refusals.empty_remote(url)
    branch = next((name for name in ("main", "master", "trunk") if name in found), found[0])
    gateway.run(["update-ref", f"refs/heads/{branch}", f"{prefix}{branch}"], place)
    gateway.run(["symbolic-ref", "HEAD", f"refs/heads/{branch}"], place)


@contextlib.contextmanager
def alone(lock: str) -> Iterator[None]:
    """One holder of the file `lock` at a time; the kernel frees that of a killed process."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_still_there(descriptor, lock):
                continue  # whom we waited for has taken the file away
            try:
                yield
            finally:
                os.unlink(lock)
            return
        finally:
            os.close(descriptor)


def _is_still_there(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _find(gateway: Gateway, path: str) -> _Found:
    if not os.path.isdir(path):
        raise NotFound(
            f"There is no directory {path}.",
            code="not_a_repository",
            hint="Give the path of a git repository.",
        )
    words = ["rev-parse", "--path-format=absolute", "--git-common-dir", "--absolute-git-dir"]
    output = gateway.run(
        [*words, "--is-bare-repository", "--show-toplevel"],
        Place(directory=path),
        accept=(0, 128),
        reach="person",
    )
    lines = output.stdout.decode("utf-8", "surrogateescape").splitlines()
    if len(lines) < 3:
        raise _not_found(path, output.stderr)
    return _Found(
        common_dir=os.path.realpath(lines[0]),
        git_dir=os.path.realpath(lines[1]),
        bare=lines[2] == "true",
        top=os.path.realpath(lines[3]) if len(lines) > 3 else "",
    )


def _not_found(path: str, said: str) -> NotFound | Conflict:
    if "dubious ownership" in said:
        return Conflict(
            f"The repository at {path} belongs to another user.",
            code="unsafe_ownership",
            hint=f"If you trust it: git config --global --add safe.directory '{path}'",
            stderr=said,
        )
    return refusals.not_a_repository(path)


def _config(gateway: Gateway, common_dir: str) -> dict[str, str]:
    """The repository's own settings; the first value of each."""
    listing = gateway.run(
        ["config", "--file", os.path.join(common_dir, "config"), "--includes", "-z", "--list"],
        accept=(0, 1, 128),
    )
    found: dict[str, str] = {}
    for item in listing.stdout.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = item.partition("\n")
        found.setdefault(key, value)
    return found


def _main_path(found: _Found, config: dict[str, str]) -> str:
    if found.bare:
        return found.common_dir
    if found.git_dir == found.common_dir and found.top:
        return found.top
    if "core.worktree" in config:
        return os.path.realpath(os.path.join(found.common_dir, config["core.worktree"]))
    if os.path.basename(found.common_dir) == ".git" and config.get("core.bare") != "true":
        return os.path.dirname(found.common_dir)
    return found.common_dir


def _head(gateway: Gateway, place: Place) -> tuple[str, str]:
    """(branch, commit) of HEAD; no branch when detached, neither when unborn."""
    words = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]
    head = gateway.run(words, place, accept=(0, 1, 128)).text()
    if not head:
        return "", ""
    name = gateway.run(["symbolic-ref", "--quiet", "HEAD"], place, accept=(0, 1)).text()
    return name.removeprefix("refs/heads/") if name.startswith("refs/heads/") else "", head


def _default_branch(
    gateway: Gateway,
    place: Place,
    config: dict[str, str],
    remotes: dict[str, str],
    branch: str,
    *,
    bare: bool,
) -> str:
    """What the remote says, as far as it is known here, else what it says now, else a bare
    repository's HEAD, else the usual names, else where HEAD is."""
    remote = _main_remote(remotes, config.get(f"branch.{branch}.remote", ""))
    if remote:
        known = f"refs/remotes/{remote}/"
        words = ["symbolic-ref", "--quiet", f"{known}HEAD"]
        named = gateway.run(words, place, accept=(0, 1, 128)).text()
        if named.startswith(known):
            return named.removeprefix(known)
        if asked := _ask(gateway, remotes[remote]):
            return asked
    usual = [branch] if bare and branch else []
    usual += [*_configured_default(gateway), "main", "master"]
    local = [names.branch_ref(name) for name in usual]
    tracked = [f"refs/remotes/{remote}/{name}" for name in usual] if remote else []
    present = refs.read_refs(gateway, place, [*local, *tracked])
    for name, *candidates in zip(usual, local, tracked or local, strict=True):
        if any(candidate in present for candidate in candidates):
            return name
    return branch or _any_branch(gateway, place)


def _main_remote(remotes: dict[str, str], upstream: str) -> str:
    for name in ("origin", upstream, *sorted(remotes)):
        if name in remotes:
            return name
    return ""


def _ask(gateway: Gateway, url: str) -> str:
    """The branch that the remote's HEAD is on; empty when it does not say in time."""
    try:
        names.check_url(url, gateway.protocols)
        listing = gateway.run(
            ["ls-remote", "--quiet", "--symref", "--end-of-options", url, "HEAD"],
            reach=reach_of(url),
            timeout=_ASK_S,
        )
    except OrchError:
        return ""
    for line in listing.text().splitlines():
        words, _, name = line.partition("\t")
        if name == "HEAD" and words.startswith("ref: refs/heads/"):
            return words.removeprefix("ref: refs/heads/")
    return ""


def _configured_default(gateway: Gateway) -> list[str]:
    words = ["config", "--global", "--includes", "init.defaultBranch"]
    chosen = gateway.run(words, accept=(0, 1, 128), reach="person").text()
    try:
        return [names.check_branch(chosen)] if chosen else []
    except UsageError:
        return []


def _any_branch(gateway: Gateway, place: Place) -> str:
    words = ["for-each-ref", "--count=1", "--sort=-committerdate", "--format=%(refname)"]
    return gateway.run([*words, "refs/heads/"], place).text().removeprefix("refs/heads/")
