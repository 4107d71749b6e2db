"""`GitCli`: the `orch.ports.Git` port over the real program.

Invariant: this class only joins the parts of the room; each part keeps the rule that its module
states. It holds no state but the door to the program, so it may be used from many threads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orch.git import (
    adoption,
    bases,
    carrying,
    checkouts,
    clones,
    commits,
    diffs,
    discards,
    landing,
    merges,
    moved,
    names,
    pinned,
    reading,
    refs,
    remotes,
    restores,
    risks,
    states,
    trash,
    worktrees,
)
from orch.git.gateway import DEFAULT_PROTOCOLS, Gateway, Limits
from orch.model.effect import Strategy
from orch.model.errors import ToolFailed
from orch.model.pull import FileChange, Landing
from orch.model.repo import Checkout, Repo
from orch.model.worktree import Base, Carried, Risk, Saved, TreeState, Worktree

_VERSION = re.compile(r"git version (\d+(?:\.\d+)*)")


class GitCli:
    """See `orch.ports.Git` for what each method promises and raises.

    `environ` is the person's environment: PATH and HOME for local commands, all of it for the
    network. `protocols` are the transports that git may use.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        program: str = "git",
        protocols: frozenset[str] = DEFAULT_PROTOCOLS,
        limits: Limits | None = None,
    ) -> None:
        self._environ = dict(environ)
        self._gateway = Gateway(environ, program=program, protocols=protocols, limits=limits)

    def version(self) -> tuple[int, ...]:
        said = self._gateway.run(["version"]).text()
        found = _VERSION.match(said)
        if found is None:
            raise ToolFailed(
                f"git says an unknown version: {said[:80]!r}.",
                code="git_failed",
                hint="Install git 2.38 or newer.",
            )
        return tuple(int(part) for part in found.group(1).split("."))

    def inspect(self, path: str) -> Checkout:
        return checkouts.inspect(self._gateway, path)

    def locate(self, path: str) -> tuple[str, str]:
        """(common directory, work tree's root or empty) of the repository that `path` is in: one
        process, never the network. `NotFound(not_a_repository)`."""
        return checkouts.locate(self._gateway, path)

    def clone(self, url: str, target: str) -> None:
        checkouts.clone(self._gateway, url, target)

    def pin(self, common_dir: str, pinned_dir: str) -> None:
        moved.follow(common_dir, pinned_dir)
        pinned.pin(self._gateway, self._environ, common_dir, pinned_dir)

    def resolve_base(self, repo: Repo, branch: str | None, *, fetch: bool) -> Base:
        return bases.resolve_base(self._gateway, repo, branch, fetch=fetch)

    def add_worktree(self, repo: Repo, worktree: Worktree, *, key: str) -> None:
        """The effect is looked for by the worktree's names, which the caller makes from `key`."""
        worktrees.add_worktree(self._gateway, repo, worktree)

    def remove_worktree(self, repo: Repo, worktree: Worktree) -> None:
        worktrees.remove_worktree(self._gateway, repo, worktree)

    def branch_exists(self, repo: Repo, branch: str) -> bool:
        ref = names.branch_ref(branch)
        return ref in refs.read_refs(self._gateway, pinned.repository_place(repo), [ref])

    def worktrees(self, repo: Repo) -> Sequence[tuple[str, str]]:
        return worktrees.list_worktrees(self._gateway, repo)

    def state(self, repo: Repo, worktree: Worktree) -> TreeState:
        return states.state(self._gateway, repo, worktree)

    def commit(
        self, repo: Repo, worktree: Worktree, message: str, *, key: str, author: str = ""
    ) -> str:
        return commits.commit(self._gateway, repo, worktree, message, key=key, author=author)

    def merge(
        self,
        repo: Repo,
        worktree: Worktree,
        branches: Sequence[str],
        strategy: Strategy,
        *,
        key: str,
    ) -> str:
        return merges.merge(self._gateway, repo, worktree, branches, strategy, key=key)

    def rebase(self, repo: Repo, worktree: Worktree, onto: str, *, key: str) -> str:
        names.check_commit_id(onto)
        return merges.rebase(self._gateway, repo, worktree, onto, key=key)

    def push(
        self,
        repo: Repo,
        worktree: Worktree,
        *,
        remote: str = "",
        force: bool = False,
        expected: str = "",
    ) -> str:
        return remotes.push(
            self._gateway, repo, worktree, remote=remote, force=force, expected=expected
        )

    def remote_tip(self, repo: Repo, branch: str, *, remote: str = "") -> str:
        return remotes.remote_tip(self._gateway, repo, branch, remote=remote)

    def file_at(self, repo: Repo, commit: str, path: str, limit: int) -> str | None:
        return reading.file_at(self._gateway, repo, commit, path, limit)

    def paths_at(self, repo: Repo, commit: str, limit: int) -> Sequence[str]:
        return reading.paths_at(self._gateway, repo, commit, limit)

    def log_at(self, repo: Repo, commit: str, count: int) -> Sequence[str]:
        return reading.log_at(self._gateway, repo, commit, count)

    def diff(self, repo: Repo, base: str, head: str) -> str:
        return diffs.diff(self._gateway, repo, base, head)

    def diff_stat(self, repo: Repo, base: str, head: str) -> Sequence[FileChange]:
        return diffs.stat(self._gateway, repo, base, head)

    def landing(
        self, repo: Repo, *, head: str, base: str, head_sha: str, keys: Sequence[str] = ()
    ) -> Landing:
        return landing.look(self._gateway, repo, head=head, base=base, head_sha=head_sha, keys=keys)

    def land(
        self, repo: Repo, *, head: str, base: str, expected: str, strategy: Strategy,
        message: str, key: str, trial: bool = False,
    ) -> Landing:  # fmt: skip
        return landing.land(
            self._gateway, repo, head=head, base=base, expected=expected, strategy=strategy,
            message=message, key=key, trial=trial,
        )  # fmt: skip

    def delete_at_remote(self, repo: Repo, branch: str, *, expected: str) -> bool:
        return landing.delete(self._gateway, repo, branch, expected=expected)

    def at_risk(self, repo: Repo, worktree: Worktree, *, keep: Sequence[str] = ()) -> Risk:
        return risks.at_risk(self._gateway, repo, worktree, keep)

    def rescue(
        self,
        repo: Repo,
        worktree: Worktree,
        *,
        key: str,
        at: float,
        keep: Sequence[str] = (),
    ) -> Sequence[Saved]:
        return trash.rescue(self._gateway, repo, worktree, key=key, at=at, keep=keep)

    def discard_worktree(
        self, repo: Repo, worktree: Worktree, *, key: str, keep: Sequence[str] = ()
    ) -> str:
        return discards.discard(self._gateway, repo, worktree, key=key, keep=keep)

    def restore_worktree(self, repo: Repo, saved: Saved) -> Worktree:
        return restores.restore(self._gateway, repo, saved)

    def trash(self, repo: Repo) -> Sequence[Saved]:
        return trash.entries(self._gateway, repo)

    def purge_trash(self, repo: Repo, *, older_than: float) -> Sequence[Saved]:
        return trash.purge(self._gateway, repo, older_than=older_than)

    def made_from(self, repo: Repo, branch: str) -> str:
        ref = names.made_ref(branch)
        return refs.read_refs(self._gateway, pinned.repository_place(repo), [ref]).get(ref, "")

    def carry_ignored(
        self, repo: Repo, worktree: Worktree, *, copy: Sequence[str], link: Sequence[str]
    ) -> Carried:
        return carrying.carry(self._gateway, repo, worktree, copy=copy, link=link)

    def adopt(self, repo: Repo, path: str, name: str) -> Worktree:
        return adoption.adopt(self._gateway, repo, path, name)

    def only_in_clone(self, repo: Repo, *, keep: Sequence[str] = ()) -> Sequence[str]:
        return clones.only_in_clone(self._gateway, repo, keep)

    def remove_clone(self, repo: Repo, *, keep: Sequence[str] = ()) -> None:
        clones.remove_clone(self._gateway, repo, keep)
