"""What this room refuses, in one place: code, sentence, next command.

Invariant: the real program and the double refuse with the same words, so a person, a workflow and a
test meet one set of codes.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Sequence

from orch.git import names
from orch.model.errors import Conflict, MergeConflict, NotFound, PushRejected, UsageError
from orch.model.repo import Repo
from orch.model.worktree import Worktree


def no_commits(path: str) -> Conflict:
    return Conflict(
        f"The repository at {path} has no commits yet.",
        code="no_commits",
        hint=f"Make a first one: git -C {shlex.quote(path)} commit --allow-empty -m Start",
    )


def empty_remote(url: str) -> Conflict:
    place = url.rpartition("@")[2]  # what stands before it may be a secret
    return Conflict(
        f"The repository at {place} has no commits yet.",
        code="no_commits",
        hint="Push a first commit to it, then repeat the command",
    )


def not_a_repository(path: str) -> NotFound:
    return NotFound(
        f"{path} is not in a git repository.",
        code="not_a_repository",
        hint="Give the path of a git repository, or make one with: git init",
    )


def not_pinned(repo: Repo) -> NotFound:
    return NotFound(
        f"The repository {repo.slug} has no pinned view at {repo.pinned_dir}.",
        code="not_pinned",
        hint=f"Register it again with: orch repo add '{repo.local_path}'",
    )


def repository_gone(repo: Repo) -> NotFound:
    return NotFound(
        f"The repository {repo.slug} is no longer at {repo.common_dir}.",
        code="repository_gone",
        hint=f"Register it again from its new place with: orch repo add PATH --slug {repo.slug}",
    )


def path_taken(path: str) -> Conflict:
    return Conflict(
        f"There is something at {path} already.",
        code="path_taken",
        hint="Register it instead: orch repo add PATH, or choose another --slug.",
    )


def unknown_branch(repo: Repo, branch: str, known: Iterable[str]) -> NotFound:
    near = difflib.get_close_matches(branch, sorted(known), n=3, cutoff=0.5)
    return NotFound(
        f"The repository {repo.slug} has no branch {branch}.",
        code="unknown_branch",
        hint=f"Did you mean {', '.join(near)}?" if near else "See the branches with: git branch -a",
        near=near,
    )


def foreign_branch(worktree: Worktree) -> Conflict:
    return Conflict(
        f"The branch {worktree.branch} exists and was not made here.",
        code="branch_foreign",
        hint=f"Choose another name, or look at it with: git log {worktree.branch}",
    )


def other_base(worktree: Worktree, record: str) -> Conflict:
    return Conflict(
        f"The branch {worktree.branch} was made from {record[:12]}, not from"
        f" {worktree.base_commit[:12]}, and has work on it.",
        code="branch_foreign",
        hint=f"Look at it with: git log {worktree.branch}",
    )


def colliding_branch(wanted: str, there: str) -> Conflict:
    return Conflict(
        f"The branch {wanted} cannot be made beside the branch {there}: one name would be a"
        " directory of the other.",
        code="branch_foreign",
        hint="Choose another name.",
    )


def branch_in_use(worktree: Worktree, path: str) -> Conflict:
    return Conflict(
        f"The branch {worktree.branch} is checked out in another worktree, {path}.",
        code="branch_in_use",
        hint=f"Leave it there with: git -C '{path}' switch --detach",
    )


def branch_moved(branch: str, doing: str) -> Conflict:
    return Conflict(
        f"The branch {branch} moved while orch was {doing}.",
        code="branch_moved",
        hint="End what else works on that branch, then resume.",
    )


def branch_gone(worktree: Worktree) -> Conflict:
    return Conflict(
        f"The branch {worktree.branch} of the worktree {worktree.name} no longer exists.",
        code="branch_moved",
        hint=f"Bring it back with: git branch {worktree.branch} {worktree.base_commit[:12]}",
    )


def moved_elsewhere(worktree: Worktree, branch: str) -> Conflict:
    where = f"on the branch {branch}" if branch else "on no branch"
    place, name = shlex.quote(worktree.path), worktree.branch
    return Conflict(
        f"The worktree {worktree.name} should be on the branch {worktree.branch} and is {where}.",
        code="branch_moved",
        # a plain `switch` would leave commits behind
        hint=f"c=$(git -C {place} rev-parse HEAD); git -C {place} switch {name}"
        f" && git -C {place} merge $c",
        branch=branch,
    )


def history_replaced(worktree: Worktree) -> Conflict:
    place, base = shlex.quote(worktree.path), worktree.base_commit
    return Conflict(
        f"The branch {worktree.branch} has no commit in common with its base any more.",
        code="history_replaced",
        hint=f"put its files on the base again: git -C {place} reset --soft {base}",
    )


def foreign_path(worktree: Worktree) -> Conflict:
    return Conflict(
        f"There is something at {worktree.path} that was not made here.",
        code="worktree_foreign",
        hint=f"Move it away, or choose another name: ls -la '{worktree.path}'",
    )


def missing_worktree(worktree: Worktree, reason: str, repo: str = "") -> NotFound:
    """`repo`: where a checkout of it is, for a worktree that can be made again from its branch."""
    words = ["git", "-C", repo, "worktree", "add", "-f", "-f", worktree.path, worktree.branch]
    again = shlex.join(words) if repo else ""
    return NotFound(
        f"The worktree {worktree.name} is missing: {reason}.",
        code="worktree_missing",
        hint=again or f"What was committed is still on the branch: git log {worktree.branch}",
    )


def has_work(worktree: Worktree, reason: str) -> Conflict:
    return Conflict(
        f"The worktree {worktree.name} is kept: {reason}.",
        code="worktree_has_work",
        hint=f"Look at it with: git -C '{worktree.path}' status",
    )


def unfinished(worktree: Worktree, what: str) -> Conflict:
    return Conflict(
        f"In the worktree {worktree.name} {what} was begun and not ended.",
        code="worktree_busy",
        hint=f"Finish or abort it in {worktree.path} (git status says how), then resume.",
    )


def unmerged(worktree: Worktree, files: Sequence[str]) -> Conflict:
    return Conflict(
        f"In the worktree {worktree.name} {listed(files)} has merge conflicts.",
        code="worktree_busy",
        hint=f"Resolve them in {worktree.path}, then resume.",
        files=list(files),
    )


def dirty(worktree: Worktree, files: Sequence[str]) -> Conflict:
    return Conflict(
        f"The worktree {worktree.name} has uncommitted changes in {listed(files)}.",
        code="worktree_dirty",
        hint=f"Commit or discard them: git -C '{worktree.path}' status",
        files=list(files),
    )


def embedded(worktree: Worktree, files: Sequence[str]) -> Conflict:
    return Conflict(
        f"The worktree {worktree.name} holds a git repository of its own in {listed(files)}.",
        code="embedded_repository",
        hint=f"Remove '{worktree.path}/{files[0]}/.git' to commit its files, or put the directory"
        " into .gitignore.",
        files=list(files),
    )


def needs_filter(worktree: Worktree, files: Sequence[str], name: str) -> Conflict:
    return Conflict(
        f"{listed(files)} is stored through the git filter '{name}', which orch does not run.",
        code="needs_filter",
        hint=f"Stage it yourself, then resume: git -C '{worktree.path}' add -A",
        files=list(files),
    )


def merge_conflict(into: str, branch: str, files: Sequence[str]) -> MergeConflict:
    return MergeConflict(
        f"Merging {branch} into {into} conflicts in {listed(files or ['?'])}.",
        hint="Nothing was changed. Look at both sides, in the repository:"
        f" git diff {into}...{branch}",
        files=list(files),
        branch=branch,
    )


def has_merges(branch: str) -> Conflict:
    return Conflict(
        f"The branch {branch} holds merges; put on another base, what they settled would be lost.",
        code="has_merges",
        hint=f"Merge the base into {branch} instead.",
    )


def unrelated(into: str, branch: str) -> MergeConflict:
    return MergeConflict(
        f"The branch {branch} has no history in common with {into}.",
        code="unrelated_histories",
        hint="Choose a branch with the same beginnings.",
        files=[],
        branch=branch,
    )


def default_branch(repo: Repo) -> PushRejected:
    return PushRejected(
        f"{repo.default_branch} is the default branch of {repo.slug}; orch never pushes it.",
        code="default_branch",
        hint="Work on a branch of its own and open a PR.",
    )


def not_ours_to_push(worktree: Worktree) -> Conflict:
    return Conflict(
        f"The branch {worktree.branch} was not made here, so it is not pushed.",
        code="branch_foreign",
        hint=f"Push it yourself: git push origin {worktree.branch}",
    )


def others_work_there(target: str, branch: str, reason: str) -> PushRejected:
    return PushRejected(
        f"{target} has commits on {branch} that are not ours.",
        hint=f"Look at them: git fetch {target} {branch} && git log FETCH_HEAD",
        reason=reason,
        remote_said=[],
    )


def push_refused(target: str, branch: str, reason: str, remarks: Sequence[str]) -> PushRejected:
    why = (remarks[-1] if remarks else reason).rstrip(".")
    return PushRejected(
        f"{target} refused {branch}: {why}.",
        hint="Ask whoever protects that branch, or push to another one.",
        reason=reason,
        remote_said=list(remarks[-10:]),
    )


def not_at_the_remote(repo: Repo, branches: Sequence[str]) -> NotFound:
    return NotFound(
        f"{repo.remote_name} has no branch {' or '.join(branches)}.",
        code="unknown_branch",
        hint=f"See its branches with: git ls-remote --heads {repo.remote_name}",
    )


def head_moved(branch: str, expected: str, tip: str) -> Conflict:
    now = f"is at {tip[:12]}" if tip else "is not at the remote any more"
    return Conflict(
        f"The branch {branch} should be at {expected[:12]} and {now}.",
        code="head_moved" if tip else "head_gone",
        hint="Look at what changed with: orch pr diff"
        if tip
        else f"Push it again with: git push origin {expected[:12]}:refs/heads/{branch}",
        expected=expected,
        head=tip,
    )


def base_moved(branch: str, doing: str, tries: int) -> Conflict:
    return Conflict(
        f"Others pushed to {branch} at the remote while orch was {doing}, {tries} times.",
        code="base_moved",
        hint="Wait until others have pushed, then repeat.",
    )


def base_checked_out(repo: Repo, target: str, branch: str) -> PushRejected:
    path = names.local_path(repo.remote_url)
    there = f"git -C '{path}' switch --detach" if path else "git switch --detach (on that machine)"
    return PushRejected(
        f"{target} has {branch} checked out, and git does not push to a branch that is in use.",
        code="base_checked_out",
        hint=f"Leave it there with: {there}",
    )


def not_ours_to_delete(branch: str) -> Conflict:
    return Conflict(
        f"The branch {branch} was not made here, so it is not deleted.",
        code="branch_foreign",
        hint=f"Delete it yourself: git push origin --delete {branch}",
    )


def no_remote(repo: Repo) -> UsageError:
    return UsageError(
        f"The repository {repo.slug} has no remote.",
        code="no_remote",
        hint=f"Add one with: git -C '{repo.local_path}' remote add origin URL, then:"
        f" orch repo add '{repo.local_path}'",
    )


def bad_key(key: str) -> UsageError:
    return UsageError(f"The key {key!r} cannot be a trailer.", code="bad_key")


def bad_author(author: str) -> UsageError:
    return UsageError(
        f"{author!r} is not an author.", code="bad_author", hint="Write it as: Name <address>"
    )


def listed(files: Sequence[str]) -> str:
    """`'a'`, or `'a' and 2 more`."""
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"'{files[0]}'{more}"
