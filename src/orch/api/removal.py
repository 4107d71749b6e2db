"""Taking worktrees and repositories away without losing work, and bringing worktrees back.

Invariant: what exists nowhere else is saved before it is removed, by one key for one wish, so that
a command that was killed is completed by the same command; a worktree in which something still
works is not touched; the books follow the disk, never the other way round.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from orch.api import moved, records
from orch.api.trees import Trees, is_over
from orch.model.errors import Conflict, NotFound, UsageError
from orch.model.naming import nearest
from orch.model.repo import Repo
from orch.model.run import TERMINAL
from orch.model.worktree import KEPT_S, Risk, Saved, Worktree

if TYPE_CHECKING:
    from orch.api.facade import Orch

DAY_S = 86_400.0
_TRIES = 3


class Removal:
    """Deleting, restoring and tidying, in one home."""

    def __init__(self, orch: Orch) -> None:
        self._orch = orch
        self._rooms = orch.rooms
        self._trees = Trees(orch)

    # --- one worktree

    def delete(self, worktree: Worktree, *, yes: bool, dry_run: bool = False) -> dict[str, Any]:
        """Save and remove. Without `yes` refused where something exists nowhere else, by a dry run
        too, which answers as the deletion would. Gives
        `slug, repo, branch, path, status, risk, ignored, saved, restore, branch_kept`; `ignored`
        goes for good."""
        owner = self._orch.repo(worktree.repo)
        self._refuse_in_use(worktree)
        risk = self._rooms.git.at_risk(owner, worktree, keep=self._keep(owner))
        if not (yes or risk.nothing):
            raise _has_work(worktree, risk)
        told = records.plain(risk)
        lost = told.pop("lost")
        saved: Saved | None = None
        kept = ""
        if not dry_run:
            saved, kept = self._remove(owner, worktree)
        return {
            "repo": worktree.repo, "slug": worktree.name, "branch": worktree.branch,
            "path": worktree.path, "status": "planned" if dry_run else "deleted",
            "risk": told, "ignored": lost, "saved": saved.id if saved else "",
            "restore": f"orch worktree restore {saved.id}" if saved else "", "branch_kept": kept,
        }  # fmt: skip

    def _remove(self, owner: Repo, worktree: Worktree) -> tuple[Saved | None, str]:
        from orch.model.command import ForgetWorktree

        git, now, keep = self._rooms.git, self._rooms.clock.now(), self._keep(owner)
        self._rooms.preflight.room(owner.common_dir)
        # A worktree of the same name may have been removed on another day: that was another wish.
        day = time.strftime("%Y%m%d", time.gmtime(now))
        key = f"person-{owner.slug}-{worktree.name}-{day}"
        saved: Sequence[Saved] = ()
        kept: str | None = ""
        for left in reversed(range(_TRIES)):
            saved = git.rescue(owner, worktree, key=key, at=now, keep=keep)
            kept = self._discarded(owner, worktree, key, last=not left)
            if kept is not None:
                break
        self._orch.store.send(ForgetWorktree(owner.slug, worktree.name), self._rooms.person)
        git.purge_trash(owner, older_than=now - KEPT_S)
        return (saved[-1] if saved else None), kept or ""

    def _discarded(self, owner: Repo, worktree: Worktree, key: str, *, last: bool) -> str | None:
        """Why the branch was kept; None when something came to the worktree since it was saved."""
        keep = self._keep(owner)
        try:
            return self._rooms.git.discard_worktree(owner, worktree, key=key, keep=keep)
        except Conflict as error:
            if error.code != "worktree_changed" or last:
                raise
            return None

    def _refuse_in_use(self, worktree: Worktree) -> None:
        from orch.model.decide import in_use

        if not is_over(self._orch, worktree):
            raise in_use(worktree.name, worktree.run)
        for attempt in self._orch.store.live_attempts():
            if worktree.path == attempt.worktree or worktree.branch == attempt.branch:
                raise in_use(worktree.name, attempt.run)

    def _keep(self, owner: Repo) -> Sequence[str]:
        return self._rooms.worktree_files(owner).copy

    # --- what is kept

    def trash(self, repo: str = "") -> tuple[list[Saved], list[str]]:
        """What can be brought back, newest first, and a sentence for each repository that could
        not be looked at, where all are asked for."""
        found: list[Saved] = []
        left_out = []
        for owner in [self._orch.repo(repo)] if repo else self._orch.repos():
            try:
                found.extend(self._rooms.git.trash(owner))
            except NotFound as error:
                if repo:
                    raise
                left_out.append(moved.left_out(owner, error))
        return sorted(found, key=lambda saved: (saved.at, saved.id), reverse=True), left_out

    def find_saved(self, word: str, repo: str = "") -> Saved:
        """By id, or the newest of a worktree's name or branch."""
        known, left_out = self.trash(repo)
        exact = [saved for saved in known if saved.id == word]
        named = [s for s in known if word in (s.worktree.name, s.worktree.branch)]
        found = exact or named
        repos = {saved.worktree.repo for saved in found}
        if len(repos) > 1:
            listed = ", ".join(sorted(repos))
            raise UsageError(
                f"{word!r} was kept in {listed}", code="ambiguous",
                hint=f"--repo {found[0].worktree.repo}",
            )  # fmt: skip
        if found:
            return found[0]
        similar = nearest(word, [n for s in known for n in (s.id, s.worktree.name)])
        meant = f"; did you mean {similar[0]!r}?" if similar else ""
        raise NotFound(
            "; ".join([f"nothing is kept of {word!r}{meant}", *left_out]), code="unknown_trash",
            hint="orch worktree trash",
        )  # fmt: skip

    def restore(self, saved: Saved, *, dry_run: bool = False) -> Worktree:
        """Branch, directory and uncommitted files again. What a killed restore has left in the
        place is itself saved first."""
        from orch.model.command import RecordWorktree

        owner = self._orch.repo(saved.worktree.repo)
        git = self._rooms.git
        place = f"{owner.workspace_dir}/{saved.worktree.name}"
        wanted = replace(saved.worktree, path=place)
        for known in self._orch.store.worktrees():
            if (known.repo, known.name) == (wanted.repo, wanted.name) or known.path == place:
                raise Conflict(
                    f"there is a worktree {known.name!r} in {known.repo} already",
                    code="worktree_exists", hint=f"orch worktree show {known.name}",
                )  # fmt: skip
        if dry_run:
            return wanted
        self._rooms.preflight.room(owner.workspace_dir, owner.common_dir)
        if place in {path for path, _ in git.worktrees(owner)} and os.path.lexists(place):
            key = f"restore-{saved.id}"
            git.rescue(owner, wanted, key=key, at=self._rooms.clock.now(), keep=self._keep(owner))
            git.discard_worktree(owner, wanted, key=key, keep=self._keep(owner))
        worktree = git.restore_worktree(owner, saved)
        self._orch.store.send(RecordWorktree(worktree), self._rooms.person)
        return worktree

    # --- all worktrees of ended runs

    def cleanup(
        self, *, older_than_days: float = 0.0, open_prs: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Remove the worktrees of ended runs, each saved first: `removed` (records of `delete`),
        `kept` (`slug`, `reason`), `purged` (ids whose time was over), `left_out` (a sentence for
        each repository that could not be looked at)."""
        removed, kept = [], []
        for worktree in self._orch.store.worktrees():
            if not worktree.run:
                continue
            reason = self._reason_to_keep(worktree, older_than_days, open_prs=open_prs)
            if not reason:
                try:
                    removed.append(self.delete(worktree, yes=True, dry_run=dry_run))
                except (Conflict, NotFound) as error:
                    reason = error.message
            if reason:
                kept.append({"repo": worktree.repo, "slug": worktree.name, "reason": reason})
        saved, left_out = self.trash()
        purged = self._purge(saved, dry_run=dry_run)
        return {"removed": removed, "kept": kept, "purged": purged, "left_out": left_out}

    def _reason_to_keep(self, worktree: Worktree, days: float, *, open_prs: bool) -> str:
        run = self._orch.store.run(worktree.run)
        if run is not None and run.status not in TERMINAL:
            return f"its run {run.id} is {run.status}"
        age = self._rooms.clock.now() - (run.ended_at if run else 0.0)
        if age < days * DAY_S:
            return f"its run ended {age / DAY_S:.1f} days ago"
        owner = self._orch.store.repo(worktree.repo)
        if owner is None:
            return f"its repository {worktree.repo} is not registered"
        if moved.is_gone(owner):
            return f"its repository is no longer at {owner.local_path}"
        pull = None if open_prs else self._rooms.forge.find_pr(owner, worktree.branch)
        if pull is not None and pull.state == "open":
            return f"its pull request {pull.repo}#{pull.number} is open"
        return ""

    def _purge(self, saved: Sequence[Saved], *, dry_run: bool) -> list[str]:
        before = self._rooms.clock.now() - KEPT_S
        old = [one for one in saved if one.at < before]
        if dry_run:
            return [one.id for one in old]
        return [
            one.id
            for slug in sorted({one.worktree.repo for one in old})
            for one in self._rooms.git.purge_trash(self._orch.repo(slug), older_than=before)
        ]

    # --- repositories

    def show_repo(self, slug: str) -> dict[str, Any]:
        """The repository's record with `worktrees`, `live_runs`, `trash` and `is_clone`."""
        owner = self._orch.repo(slug)
        worktrees = [w.name for w in self._orch.store.worktrees() if w.repo == owner.slug]
        live = [run.id for run in self._orch.store.live_runs() if run.repo == owner.slug]
        there = os.path.isdir(owner.common_dir)
        return {
            **records.repo_record(owner),
            "status": "active" if there else "missing",
            "worktrees": worktrees,
            "live_runs": live,
            "trash": [saved.id for saved in self._rooms.git.trash(owner)] if there else [],
            "is_clone": self._is_clone(owner),
        }

    def remove_repo(
        self, slug: str, *, delete_clone: bool, yes: bool, dry_run: bool = False
    ) -> dict[str, Any]:
        """Take a repository out of the books; its checkout stays, unless it is a clone of ours that
        is to go and has nothing of its own: `slug, local_path, status, clone_deleted`."""
        from orch.model.command import ForgetRepo

        owner = self._orch.exact_repo(slug)
        record = self.show_repo(owner.slug)
        self._refuse_repo_in_use(owner, record)
        if delete_clone:
            self._refuse_clone(owner, yes=yes or dry_run)
        if not dry_run:
            if delete_clone:
                self._rooms.git.remove_clone(owner, keep=self._keep(owner))
            self._orch.store.send(ForgetRepo(owner.slug), self._rooms.person)
        return {
            "slug": owner.slug, "local_path": owner.local_path,
            "status": "planned" if dry_run else "removed",
            "clone_deleted": delete_clone and not dry_run, "trash": record["trash"],
        }  # fmt: skip

    def _refuse_repo_in_use(self, owner: Repo, record: dict[str, Any]) -> None:
        """The same refusal as the books' own, before anything is done."""
        from orch.model.decide import repo_in_use

        refusal = repo_in_use(owner.slug, record["worktrees"], record["live_runs"])
        if refusal is not None:
            raise refusal

    def _refuse_clone(self, owner: Repo, *, yes: bool) -> None:
        if not self._is_clone(owner):
            raise UsageError(
                f"{owner.local_path} is your own checkout; orch never deletes it",
                code="not_our_clone", hint=f"orch repo remove {owner.slug}",
            )  # fmt: skip
        if not yes:
            raise Conflict(
                f"deleting the clone {owner.local_path} cannot be undone", code="needs_yes",
                hint=f"orch repo remove {owner.slug} --delete-clone --yes",
            )  # fmt: skip
        reasons = (
            self._rooms.git.only_in_clone(owner, keep=self._keep(owner))
            if os.path.isdir(owner.common_dir)
            else ()
        )
        if reasons:
            raise Conflict(
                f"the clone {owner.local_path} is kept: {reasons[0]}", code="clone_has_work",
                hint=f"git -C '{owner.local_path}' status", reasons=list(reasons),
            )  # fmt: skip

    def _is_clone(self, owner: Repo) -> bool:
        return Path(owner.local_path).parent == self._rooms.path / "repos"


def _has_work(worktree: Worktree, risk: Risk) -> Conflict:
    found = []
    for things, noun in (
        (risk.dirty, "uncommitted file"),
        (risk.ignored, "ignored file"),
        (risk.commits, "unpushed commit"),
    ):
        if things:
            more = ", …" if len(things) > 1 else ""
            plural = "" if len(things) == 1 else "s"
            found.append(f"{len(things)} {noun}{plural} ({things[0]}{more})")
    if risk.unfinished:
        found.append(f"{risk.unfinished} that is not finished")
    return Conflict(
        f"the worktree {worktree.name} has what exists nowhere else: {', '.join(found)};"
        " --yes keeps it for 14 days",
        code="worktree_has_work",
        hint=f"orch worktree delete {worktree.name} --yes",
        risk=records.plain(risk),
    )
