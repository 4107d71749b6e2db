"""`MemoryGit`: the `orch.ports.Git` port without a program, for simulations in virtual time.

Invariant: what `GitCli` promises holds here too (`tests/contract/git_contract.py` runs on both):
the same refusals with the same codes, keys looked for before acting, branches recorded as ours.
Every call is one step under one lock: a simulated crash falls between calls, never inside one.
"""

from __future__ import annotations

import difflib
import os
import threading
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from orch.git import (
    commits,
    memory_landing,
    memory_trash,
    names,
    refusals,
    removal_refusals,
)
from orch.git.gateway import DEFAULT_PROTOCOLS
from orch.git.memory_merges import bring, merge_one, rebased, refuse_dirty, tips_of
from orch.git.memory_reading import MemoryReading
from orch.git.memory_world import PERSON, Commit, MemoryWorld, Remote, Repository, Tree
from orch.model.effect import Strategy
from orch.model.errors import OrchError, ToolFailed
from orch.model.pull import FileChange, Landing
from orch.model.repo import Checkout, Repo
from orch.model.worktree import Base, Carried, Risk, Saved, TreeState, Worktree

P = ParamSpec("P")
R = TypeVar("R")


def _one_at_a_time(
    method: Callable[Concatenate[MemoryGit, P], R],
) -> Callable[Concatenate[MemoryGit, P], R]:
    def locked(self: MemoryGit, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            return method(self, *args, **kwargs)

    return locked


class MemoryGit(MemoryReading):
    """See `orch.ports.Git`. `world` is what there is; tests and simulations change it under
    `lock`, or between calls."""

    def __init__(self, world: MemoryWorld | None = None) -> None:
        self.world = world or MemoryWorld()
        self.lock = threading.RLock()

    def version(self) -> tuple[int, ...]:
        return (2, 39, 5)

    @_one_at_a_time
    def inspect(self, path: str) -> Checkout:
        repository, tree_path = self._around(path)
        tree = repository.trees.get(tree_path)
        branch = tree.branch if tree else repository.branch
        head = (
            self.world.head_of(repository, tree)
            if tree
            else repository.refs.get(f"refs/heads/{branch}", "")
        )
        if not head:
            raise refusals.no_commits(path)
        remote = self.world.remotes.get(repository.remotes.get("origin", ""))
        return Checkout(
            common_dir=repository.common_dir,
            main_path=repository.main_path,
            top="" if repository.bare and tree is None else tree_path,
            bare=repository.bare,
            branch=branch,
            head=head,
            remotes=dict(repository.remotes),
            default_branch=remote.default_branch if remote else repository.branch,
            linked=tuple(repository.trees),
        )

    @_one_at_a_time
    def locate(self, path: str) -> tuple[str, str]:
        """See `GitCli.locate`."""
        repository, top = self._around(path)
        bare = repository.bare and top not in repository.trees
        return repository.common_dir, "" if bare else top

    @_one_at_a_time
    def clone(self, url: str, target: str) -> None:
        names.check_url(url, DEFAULT_PROTOCOLS)
        if os.path.join(target, ".git") in self.world.repositories:
            raise refusals.path_taken(target)
        remote = self._reached(url)
        made = self.world.make_repository(target, default_branch=remote.default_branch, files={})
        made.remotes["origin"] = url
        self.world.take_tracking_refs(made, "origin")
        head = f"refs/heads/{remote.default_branch}"
        if head in remote.refs:
            made.refs[head] = remote.refs[head]

    @_one_at_a_time
    def pin(self, common_dir: str, pinned_dir: str) -> None:
        if common_dir not in self.world.repositories:
            raise refusals.not_a_repository(common_dir)
        self.world.pinned[pinned_dir] = common_dir

    @_one_at_a_time
    def resolve_base(self, repo: Repo, branch: str | None, *, fetch: bool) -> Base:
        refs = self._repository(repo).refs
        wanted = names.check_branch(branch or repo.default_branch)
        prefix = f"{repo.remote_name}/"
        if repo.remote_name and wanted.startswith(prefix) and f"refs/heads/{wanted}" not in refs:
            wanted = wanted.removeprefix(prefix)
        warnings = self._fetched(repo, wanted) if fetch and repo.remote_name else []
        local = refs.get(f"refs/heads/{wanted}", "")
        remote = refs.get(f"refs/remotes/{repo.remote_name}/{wanted}", "")
        if not local and not remote:
            known = {ref.split("/", 2)[2].removeprefix(prefix) for ref in refs}
            raise refusals.unknown_branch(repo, wanted, known)
        commit = local or remote
        if local and remote and local != remote:
            ahead, behind = (
                len(self.world.only_in(*pair)) for pair in ((local, remote), (remote, local))
            )
            if ahead and behind:
                warnings.append(f"The local branch {wanted} and {prefix}{wanted} have diverged.")
            commit = remote if behind and not ahead else local
        return Base(branch=wanted, commit=commit, warnings=tuple(warnings))

    @_one_at_a_time
    def add_worktree(self, repo: Repo, worktree: Worktree, *, key: str) -> None:
        repository = self._repository(repo)
        base = names.check_commit_id(worktree.base_commit)
        branch, made = names.branch_ref(worktree.branch), names.made_ref(worktree.branch)
        names.check_worktree_path(worktree.path, worktree.name)
        refs, trees = repository.refs, repository.trees
        tip, record = refs.get(branch, ""), refs.get(made, "")
        if tip and not record:
            raise refusals.foreign_branch(worktree)
        if tip and record != base and tip not in (record, base):
            raise refusals.other_base(worktree, record)
        self._refuse_collision(repository, worktree.branch)
        tree = trees.get(worktree.path)
        if worktree.path in self.world.foreign_paths or (tree and not tree.known):
            raise refusals.foreign_path(worktree)
        if tree and tip == record != base:
            self._refuse_unsaved(repository, tree, worktree)
            tree = None
        if not tip or tip == record:
            refs[branch] = base
        refs[made] = base
        if tree is None:
            files = self.world.committed_files(refs[branch])
            trees[worktree.path] = Tree(branch=worktree.branch, files=files)
        elif tree.branch != worktree.branch:
            raise refusals.moved_elsewhere(worktree, tree.branch)

    @_one_at_a_time
    def remove_worktree(self, repo: Repo, worktree: Worktree) -> None:
        repository = self._repository(repo)
        branch, made = names.branch_ref(worktree.branch), names.made_ref(worktree.branch)
        tip, record = repository.refs.get(branch, ""), repository.refs.get(made, "")
        if tip and not record:
            raise refusals.foreign_branch(worktree)
        if tip not in ("", record, worktree.base_commit):
            raise refusals.has_work(worktree, "its branch has commits of its own")
        tree = repository.trees.get(worktree.path)
        if worktree.path in self.world.foreign_paths or (tree and not tree.known):
            raise refusals.foreign_path(worktree)
        if tree:
            self._refuse_unsaved(repository, tree, worktree)
        repository.trees.pop(worktree.path, None)
        repository.refs.pop(branch, None)
        repository.refs.pop(made, None)

    @_one_at_a_time
    def branch_exists(self, repo: Repo, branch: str) -> bool:
        return names.branch_ref(branch) in self._repository(repo).refs

    @_one_at_a_time
    def worktrees(self, repo: Repo) -> Sequence[tuple[str, str]]:
        trees = self._repository(repo).trees
        return [(path, tree.branch) for path, tree in sorted(trees.items()) if tree.known]

    @_one_at_a_time
    def state(self, repo: Repo, worktree: Worktree) -> TreeState:
        repository, tree = self._tree(repo, worktree)
        head = self.world.head_of(repository, tree)
        newest = repository.refs.get(names.branch_ref(worktree.base_branch), worktree.base_commit)
        return TreeState(
            head=head,
            branch=tree.branch,
            dirty=tuple(self.world.changed_paths(repository, tree)),
            ahead=len(self.world.only_in(head, worktree.base_commit)),
            behind=len(self.world.only_in(newest, head)) if head else 0,
        )

    @_one_at_a_time
    def commit(
        self, repo: Repo, worktree: Worktree, message: str, *, key: str, author: str = ""
    ) -> str:
        repository, tree, head = self._ready(repo, worktree)
        had = set(self.world.history(worktree.base_commit))
        if not any(name in had for name in self.world.history(head)):
            raise refusals.history_replaced(worktree)
        changed = self.world.changed_paths(repository, tree)
        if not changed:
            return head
        if done := self._with_key(worktree, head, key):
            return done
        files = self.world.committed_files(head)
        for name in changed:
            files.pop(name, None)
            if name in tree.files:
                files[name] = tree.files[name]
        commits.author_variables(author)  # refuses what is no author
        text = commits.with_key(message or f"Work on {worktree.branch}", key).decode()
        made = Commit(files=files, parents=(head,), message=text, author=author or PERSON)
        return self._advance(repository, worktree, self.world.write_commit(made))

    @_one_at_a_time
    def merge(
        self, repo: Repo, worktree: Worktree, branches: Sequence[str], strategy: Strategy, *,
        key: str,
    ) -> str:  # fmt: skip
        repository, tree, head = self._ready(repo, worktree)
        files = self.world.committed_files(head)
        refuse_dirty(self.world, repository, worktree, tree, files)
        tips = tips_of(repository, repo, branches)
        if self._with_key(worktree, head, key):
            return head
        result = head
        for branch, tip in tips:
            result = merge_one(self.world, worktree, branch, result, tip, strategy, key)
        if result != head:
            bring(self.world, worktree, tree, files, result)
            self._advance(repository, worktree, result)
        return result

    @_one_at_a_time
    def rebase(self, repo: Repo, worktree: Worktree, onto: str, *, key: str) -> str:
        repository, tree, head = self._ready(repo, worktree)
        files = self.world.committed_files(head)
        refuse_dirty(self.world, repository, worktree, tree, files)
        result = rebased(self.world, worktree, names.check_commit_id(onto), head, key)
        if result != head:
            bring(self.world, worktree, tree, files, result)
            self._advance(repository, worktree, result)
        return result

    @_one_at_a_time
    def push(
        self,
        repo: Repo,
        worktree: Worktree,
        *,
        remote: str = "",
        force: bool = False,
        expected: str = "",
    ) -> str:
        repository = self._repository(repo)
        target, url = self._target(repo, remote)
        ref, made = names.branch_ref(worktree.branch), names.made_ref(worktree.branch)
        if worktree.branch == repo.default_branch:
            raise refusals.default_branch(repo)
        if ref not in repository.refs:
            raise refusals.unknown_branch(repo, worktree.branch, [])
        if not {made, names.adopted_ref(worktree.branch)} & repository.refs.keys():
            raise refusals.not_ours_to_push(worktree)
        there = self._reached(url)
        commit, tip = repository.refs[ref], there.refs.get(ref, "")
        if tip == commit:
            return commit
        forward = not tip or self.world.contains(commit, tip)
        if not forward and not (force and expected == tip):
            raise refusals.others_work_there(target, worktree.branch, "non-fast-forward")
        if worktree.branch in there.refuses:
            said = there.refuses[worktree.branch]
            raise refusals.push_refused(target, worktree.branch, "hook declined", [said])
        there.refs[ref] = commit
        repository.refs[f"refs/remotes/{repo.remote_name}/{worktree.branch}"] = commit
        return commit

    @_one_at_a_time
    def remote_tip(self, repo: Repo, branch: str, *, remote: str = "") -> str:
        self._repository(repo)
        _, url = self._target(repo, remote)
        return self._reached(url).refs.get(names.branch_ref(branch), "")

    @_one_at_a_time
    def diff(self, repo: Repo, base: str, head: str) -> str:
        ends = [self._commit(repo, name) for name in (base, head)]
        old = self.world.committed_files(self.world.merge_base(ends[1], ends[0]))
        new = self.world.committed_files(ends[1])
        return "".join(
            line
            for name in sorted(old.keys() | new.keys())
            for line in difflib.unified_diff(
                old.get(name, "").splitlines(keepends=True),
                new.get(name, "").splitlines(keepends=True),
                f"a/{name}" if name in old else "/dev/null",
                f"b/{name}" if name in new else "/dev/null",
            )
        )

    @_one_at_a_time
    def diff_stat(self, repo: Repo, base: str, head: str) -> Sequence[FileChange]:
        base, head = (self._commit(repo, name) for name in (base, head))
        parted = self.world.merge_base(head, base)
        return memory_landing.stat(*map(self.world.committed_files, (parted, head)))

    @_one_at_a_time
    def landing(
        self, repo: Repo, *, head: str, base: str, head_sha: str, keys: Sequence[str] = ()
    ) -> Landing:
        self._repository(repo)
        there = self._reached(self._target(repo, "")[1])
        return memory_landing.look(
            self.world, repo, there, head=head, base=base, head_sha=head_sha, keys=keys
        )

    @_one_at_a_time
    def land(
        self, repo: Repo, *, head: str, base: str, expected: str, strategy: Strategy,
        message: str, key: str, trial: bool = False,
    ) -> Landing:  # fmt: skip
        self._repository(repo)
        there = self._reached(self._target(repo, "")[1])
        return memory_landing.land(
            self.world, repo, there, head=head, base=base, expected=expected, strategy=strategy,
            message=message, key=key, trial=trial,
        )  # fmt: skip

    @_one_at_a_time
    def delete_at_remote(self, repo: Repo, branch: str, *, expected: str) -> bool:
        ours = names.made_ref(branch) in self._repository(repo).refs
        there = self._reached(self._target(repo, "")[1])
        return memory_landing.delete(repo, there, branch, expected=expected, ours=ours)

    def _commit(self, repo: Repo, name: str) -> str:
        refs = self._repository(repo).refs
        commit = name if names.is_commit_id(name) else refs.get(names.branch_ref(name), "")
        if not commit:
            raise refusals.unknown_branch(repo, name, [])
        return commit

    @_one_at_a_time
    def at_risk(self, repo: Repo, worktree: Worktree, *, keep: Sequence[str] = ()) -> Risk:
        return memory_trash.at_risk(self.world, self._repository(repo), worktree, keep)

    @_one_at_a_time
    def rescue(
        self, repo: Repo, worktree: Worktree, *, key: str, at: float, keep: Sequence[str] = ()
    ) -> Sequence[Saved]:
        repository = self._repository(repo)
        return memory_trash.rescue(self.world, repository, worktree, key=key, at=at, keep=keep)

    @_one_at_a_time
    def discard_worktree(
        self, repo: Repo, worktree: Worktree, *, key: str, keep: Sequence[str] = ()
    ) -> str:
        repository = self._repository(repo)
        return memory_trash.discard(self.world, repository, worktree, key=key, keep=keep)

    @_one_at_a_time
    def restore_worktree(self, repo: Repo, saved: Saved) -> Worktree:
        return memory_trash.restore(self.world, self._repository(repo), repo, saved)

    @_one_at_a_time
    def trash(self, repo: Repo) -> Sequence[Saved]:
        return memory_trash.entries(self._repository(repo))

    @_one_at_a_time
    def purge_trash(self, repo: Repo, *, older_than: float) -> Sequence[Saved]:
        return memory_trash.purge(self._repository(repo), older_than)

    @_one_at_a_time
    def made_from(self, repo: Repo, branch: str) -> str:
        return self._repository(repo).refs.get(names.made_ref(branch), "")

    @_one_at_a_time
    def carry_ignored(
        self, repo: Repo, worktree: Worktree, *, copy: Sequence[str], link: Sequence[str]
    ) -> Carried:
        """The main checkout's files are not part of this world: there are none to bring."""
        self._tree(repo, worktree)
        return Carried()

    @_one_at_a_time
    def adopt(self, repo: Repo, path: str, name: str) -> Worktree:
        return memory_trash.adopt(self.world, self._repository(repo), repo, path, name)

    @_one_at_a_time
    def only_in_clone(self, repo: Repo, *, keep: Sequence[str] = ()) -> Sequence[str]:
        _, url = self._target(repo, "")
        there = list(self._reached(url).refs.values())
        return memory_trash.only_in_clone(self.world, self._repository(repo), there)

    @_one_at_a_time
    def remove_clone(self, repo: Repo, *, keep: Sequence[str] = ()) -> None:
        if repo.common_dir not in self.world.repositories:
            return
        if reasons := self.only_in_clone(repo, keep=keep):
            raise removal_refusals.clone_has_work(repo, reasons)
        del self.world.repositories[repo.common_dir]

    def _repository(self, repo: Repo) -> Repository:
        found = self.world.repositories.get(repo.common_dir)
        if found is None:
            raise refusals.repository_gone(repo)
        if self.world.pinned.get(repo.pinned_dir) != repo.common_dir:
            raise refusals.not_pinned(repo)
        return found

    def _around(self, path: str) -> tuple[Repository, str]:
        """The repository that `path` is in, and the root of the checkout."""
        for repository in self.world.repositories.values():
            for top in (*repository.trees, repository.main_path):
                if path == top or path.startswith(f"{top}/"):
                    return repository, top
        raise refusals.not_a_repository(path)

    def _tree(self, repo: Repo, worktree: Worktree) -> tuple[Repository, Tree]:
        repository = self._repository(repo)
        tree = repository.trees.get(worktree.path)
        if tree is None or worktree.path in self.world.foreign_paths:
            raise refusals.missing_worktree(worktree, f"there is no directory at {worktree.path}")
        if not tree.known:
            raise refusals.missing_worktree(worktree, "git does not know the directory any more")
        return repository, tree

    def _ready(self, repo: Repo, worktree: Worktree) -> tuple[Repository, Tree, str]:
        names.check_branch(worktree.branch)
        repository, tree = self._tree(repo, worktree)
        if tree.unfinished:
            raise refusals.unfinished(worktree, tree.unfinished)
        if tree.branch != worktree.branch:
            raise refusals.moved_elsewhere(worktree, tree.branch)
        head = self.world.head_of(repository, tree)
        if not head:
            raise refusals.branch_gone(worktree)
        return repository, tree, head

    def _with_key(self, worktree: Worktree, head: str, key: str) -> str:
        line = f"{commits.KEY_TRAILER}: {key}"
        for name in self.world.only_in(head, worktree.base_commit):
            if line in self.world.commits[name].message.splitlines():
                return name
        return ""

    def _advance(self, repository: Repository, worktree: Worktree, commit: str) -> str:
        repository.refs[names.branch_ref(worktree.branch)] = commit
        return commit

    def _refuse_unsaved(self, repository: Repository, tree: Tree, worktree: Worktree) -> None:
        if self.world.changed_paths(repository, tree):
            raise refusals.has_work(worktree, "it has uncommitted changes")
        if tree.detached and tree.detached != worktree.base_commit:
            raise refusals.has_work(worktree, f"it stands on {tree.detached[:12]}, on no branch")

    def _refuse_collision(self, repository: Repository, branch: str) -> None:
        for ref in repository.refs:
            there = ref.removeprefix("refs/heads/")
            if there != ref and (there.startswith(f"{branch}/") or branch.startswith(f"{there}/")):
                raise refusals.colliding_branch(branch, there)

    def _target(self, repo: Repo, remote: str) -> tuple[str, str]:
        chosen = remote or repo.remote_name or repo.remote_url
        if not chosen:
            raise refusals.no_remote(repo)
        if ":" in chosen or chosen.startswith("/"):
            return chosen, names.check_url(chosen, DEFAULT_PROTOCOLS)
        repository = self._repository(repo)
        return names.check_remote(chosen), repository.remotes.get(chosen, repo.remote_url)

    def _reached(self, url: str) -> Remote:
        remote = self.world.remotes.get(url)
        if remote is None or not remote.reachable:
            raise ToolFailed(
                f"The remote {url} cannot be reached.",
                code="network",
                hint="Check the connection, then repeat the command.",
            )
        return remote

    def _fetched(self, repo: Repo, branch: str) -> list[str]:
        try:
            _, url = self._target(repo, "")
            tip = self._reached(url).refs.get(f"refs/heads/{branch}", "")
        except OrchError as error:
            return [f"{branch} could not be fetched, what is known is used: {error.message}"]
        if not tip:
            return [f"{repo.remote_name} has no branch {branch}."]
        self._repository(repo).refs[f"refs/remotes/{repo.remote_name}/{branch}"] = tip
        return []
