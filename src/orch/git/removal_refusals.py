"""What is refused when a worktree or a clone is to go: code, sentence, next command.

Invariant: as in `refusals`: the real program and the double refuse with the same words, and nothing
was removed.
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.git.refusals import listed
from orch.model.errors import Conflict, NotFound
from orch.model.repo import Repo
from orch.model.worktree import Saved, Worktree


def replaced(repo: Repo, worktree: Worktree, reason: str) -> Conflict:
    return Conflict(
        f"The directory {worktree.path} is not the worktree {worktree.name} any more: {reason}.",
        code="worktree_foreign",
        hint="Look at it, and if it is the worktree after all:"
        f" git -C '{repo.local_path}' worktree repair '{worktree.path}'",
    )


def holds_repository(worktree: Worktree, paths: Sequence[str]) -> Conflict:
    return Conflict(
        f"The worktree {worktree.name} holds a git repository of its own in {listed(paths)};"
        " commits in there exist nowhere else.",
        code="embedded_repository",
        hint=f"Push its work, then move it away: mv '{worktree.path}/{paths[0]}' ELSEWHERE",
        files=list(paths),
    )


def unreadable(worktree: Worktree, paths: Sequence[str]) -> Conflict:
    return Conflict(
        f"The worktree {worktree.name} cannot be saved: {listed(paths)} cannot be read.",
        code="unreadable_file",
        hint=f"Give it back its rights: chmod -R u+rwX '{worktree.path}'",
        files=list(paths),
    )


def not_saved(worktree: Worktree) -> Conflict:
    return Conflict(
        f"The worktree {worktree.name} was not saved, so it is not removed.",
        code="not_saved",
        hint=f"orch worktree delete {worktree.name} --yes",
    )


def changed_meanwhile(worktree: Worktree) -> Conflict:
    return Conflict(
        f"The worktree {worktree.name} changed while it was being saved; it is kept as it is.",
        code="worktree_changed",
        hint="End what works in it, then repeat.",
    )


def still_aside(worktree: Worktree, held: str) -> Conflict:
    return Conflict(
        f"An earlier removal of {worktree.name} was interrupted: its files are in {held}, and there"
        f" is something else at {worktree.path}.",
        code="worktree_foreign",
        hint=f"Move one of them away, then repeat: ls -la '{held}'",
    )


def branch_differs(saved: Saved) -> Conflict:
    branch = saved.worktree.branch
    return Conflict(
        f"The branch {branch} has moved since {saved.id} was saved.",
        code="branch_foreign",
        hint=f"See both: git log {branch} {saved.ref}; as files only:"
        f" git worktree add --detach PATH {saved.ref}",
    )


def not_linked(path: str, repo: Repo) -> Conflict:
    return Conflict(
        f"{path} is not a linked worktree of {repo.slug}.",
        code="not_a_worktree",
        hint=f"See them with: git -C '{repo.local_path}' worktree list",
    )


def on_no_branch(path: str) -> Conflict:
    return Conflict(
        f"The worktree {path} is on no branch.",
        code="branch_moved",
        hint=f"Give it one: git -C '{path}' switch -c NAME",
    )


def clone_has_work(repo: Repo, reasons: Sequence[str]) -> Conflict:
    return Conflict(
        f"The clone {repo.local_path} is kept: {reasons[0]}.",
        code="clone_has_work",
        hint=f"Push or save it: git -C '{repo.local_path}' status",
        reasons=list(reasons),
    )


def clone_gone(repo: Repo) -> NotFound:
    return NotFound(
        f"There is no clone at {repo.local_path}.",
        code="not_a_repository",
        hint="See the repositories with: orch repo list",
    )
