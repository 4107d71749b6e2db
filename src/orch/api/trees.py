"""A person's worktrees: finding, making, adopting and showing them; pushing and proposing their work.

Invariant: as for the facade: a refusal comes before anything has changed, and each act may be
repeated after a crash at any point. What takes worktrees away is in `removal`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from orch.api import records
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.naming import moment, nearest, slug, ticket_worktree
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.model.run import TERMINAL
from orch.model.worktree import TreeState, Worktree

if TYPE_CHECKING:
    from orch.api.facade import Orch


class Source:
    """What a worktree starts from; at most one of `base`, `pull` and `on`, which may go with a
    ticket."""

    def __init__(self, *, base: str = "", issue: str = "", pull: int = 0, on: str = "") -> None:
        if sum(map(bool, (base, pull, on))) > 1:
            raise UsageError(
                "a worktree starts from one thing: --from, --pr and --on exclude one another",
                code="too_many_sources", hint="orch worktree create --help",
            )  # fmt: skip
        self.base, self.issue, self.pull, self.on = base, issue, pull, on


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Two people's commands of the same name would take each other's worktree for their own."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Trees:
    """The worktrees of one home."""

    def __init__(self, orch: Orch) -> None:
        self._orch = orch
        self._rooms = orch.rooms

    # --- finding

    def find(self, word: str, repo: str = "") -> Worktree:
        """By name, branch or path, in one repository or in all."""
        wanted = self._orch.repo(repo).slug if repo else ""
        known = [w for w in self._orch.store.worktrees() if not wanted or w.repo == wanted]
        there = os.path.realpath(self._rooms.cwd / word)
        found = [w for w in known if word in (w.name, w.branch)]
        found = found or [w for w in known if w.path == there]
        if len(found) > 1:
            listed = ", ".join(f"{w.repo}/{w.name}" for w in found)
            raise UsageError(
                f"{word!r} could be {listed}", code="ambiguous", hint=f"--repo {found[0].repo}"
            )
        if found:
            return found[0]
        similar = nearest(word, [name for w in known for name in (w.name, w.branch)])
        meant = f"; did you mean {similar[0]!r}?" if similar else ""
        raise NotFound(
            f"there is no worktree {word!r}{meant}", code="unknown_worktree",
            hint="orch worktree list" if known else "orch worktree create REPO NAME",
        )  # fmt: skip

    # --- making

    def plan(self, repo: str, name: str, source: Source, *, fetch: bool = False) -> Worktree:
        """What `create` would make; nothing changes. Without `fetch` the base is what is known."""
        owner = self._orch.repo(repo)
        ticket = self._orch.issue(source.issue) if source.issue else None
        pull = self._rooms.forge.get_pr(owner, source.pull) if source.pull else None
        base = source.base
        if source.on:
            base = self.find(source.on, owner.slug).branch
        if pull is not None:
            base = pull.head
        if not name and ticket is not None:
            name = ticket_worktree(ticket.id, ticket.title, ticket.labels)
        elif not name and pull is not None:
            name = slug(pull.head, 60)
        if not name:
            raise UsageError(
                "the worktree needs a name", code="bad_name",
                hint=f"orch worktree create {owner.slug} fix-something",
            )  # fmt: skip
        planned = self._orch.plan_worktree(owner.slug, name, base=base, fetch=fetch)
        if ticket is not None:
            planned = replace(planned, issue=ticket.id)
        return self._on_pull(owner, planned, pull) if pull is not None else planned

    def _on_pull(self, owner: Repo, planned: Worktree, pull: PullRequest) -> Worktree:
        """On the very branch of the pull request, so that pushing goes on with it."""
        made = self._rooms.git.made_from(owner, pull.head)
        there = self._rooms.git.branch_exists(owner, pull.head)
        if there and not made:
            raise Conflict(
                f"the branch {pull.head} is there and was not made by orch",
                code="branch_foreign",
                hint=f"orch worktree create {owner.slug} NAME --from {pull.head}",
            )
        users = [path for path, b in self._rooms.git.worktrees(owner) if b == pull.head]
        if users:
            raise Conflict(
                f"the branch {pull.head} is checked out in {users[0]}",
                code="branch_in_use", hint=f"cd {users[0]}",
            )  # fmt: skip
        return replace(
            planned, branch=pull.head, base_branch=pull.base,
            base_commit=made if there else planned.base_commit,
        )  # fmt: skip

    def create(self, repo: str, name: str, source: Source) -> tuple[Worktree, tuple[str, ...]]:
        """Make it; also gives one sentence for each file that policy names and that was not
        brought."""
        with _one_at_a_time(self._rooms.path / "run" / "worktrees.lock"):
            return self._create(repo, name, source)

    def _create(self, repo: str, name: str, source: Source) -> tuple[Worktree, tuple[str, ...]]:
        from orch.model.command import RecordWorktree

        worktree = self.plan(repo, name, source, fetch=True)
        owner = self._orch.repo(worktree.repo)
        git = self._rooms.git
        git.add_worktree(owner, worktree, key=f"person-{owner.slug}-{worktree.name}")
        files = self._rooms.worktree_files(owner)
        carried = git.carry_ignored(owner, worktree, copy=files.copy, link=files.link)
        self._orch.store.send(RecordWorktree(worktree), self._rooms.person)
        return worktree, carried.passed_over

    # --- adopting

    def look_at(self, path: str, name: str = "") -> tuple[Repo, str, str]:
        """(repository, path, name) that `adopt` would take; refuses what it would refuse for its
        place or name."""
        there = os.path.realpath(self._rooms.cwd / os.path.expanduser(path))
        common = self._rooms.git.inspect(there).common_dir
        owner = next((r for r in self._orch.repos() if r.common_dir == common), None)
        if owner is None:
            raise NotFound(
                f"{path} belongs to a repository that is not registered", code="unknown_repo",
                hint=f"orch repo add {path}",
            )  # fmt: skip
        chosen = name or slug(os.path.basename(there), 60)
        if not chosen or slug(chosen, 60) != chosen:
            raise UsageError(
                f"{chosen or there!r} cannot name a worktree: use a-z, digits and dashes",
                code="bad_name", hint=f"orch worktree adopt {path} --name NAME",
            )  # fmt: skip
        for known in self._orch.store.worktrees():
            if known.path == there or (known.repo, known.name) == (owner.slug, chosen):
                raise Conflict(
                    f"there is a worktree {known.name!r} in {known.repo} already",
                    code="worktree_exists", hint=f"orch worktree show {known.name}",
                )  # fmt: skip
        return owner, there, chosen

    def adopt(self, path: str, name: str = "") -> Worktree:
        """Take in a worktree that was made by hand; it stays where and as it is."""
        from orch.model.command import RecordWorktree

        owner, there, chosen = self.look_at(path, name)
        worktree = self._rooms.git.adopt(owner, there, chosen)
        self._orch.store.send(RecordWorktree(worktree), self._rooms.person)
        return worktree

    # --- showing

    def show(self, worktree: Worktree) -> dict[str, Any]:
        """The record of a worktree with `risk`, `run_status`, `pr` and `trash`."""
        owner = self._orch.repo(worktree.repo)
        git = self._rooms.git
        try:
            record = records.worktree_record(worktree, git.state(owner, worktree))
        except OrchError as error:
            record = records.worktree_record(worktree, None, error)
        try:
            keep = self._rooms.worktree_files(owner).copy
            record["risk"] = records.plain(git.at_risk(owner, worktree, keep=keep))
        except OrchError as error:
            record["risk"], record["message"] = None, record["message"] or error.message
        run = self._orch.store.run(worktree.run) if worktree.run else None
        pull = self._rooms.forge.find_pr(owner, worktree.branch)
        saved = [s for s in git.trash(owner) if s.worktree.name == worktree.name]
        record["run_status"] = run.status if run else ""
        record["pr"] = records.pull_record(pull) if pull else None
        record["trash"] = [records.saved_record(item) for item in saved]
        return record

    def envs(self, run: str = "") -> list[dict[str, Any]]:
        """Records of the worktrees of runs, newest first, with `run_status` and `ended_at`."""
        wanted = self._orch.run(run).id if run else ""
        found = [r for r in self._orch.worktrees() if r["run"] and wanted in ("", r["run"])]
        for record in found:
            known = self._orch.store.run(record["run"])
            record["run_status"] = known.status if known else ""
            record["ended_at"] = moment(known.ended_at) if known else ""
        return found

    # --- proposing

    def push(self, worktree: Worktree, *, dry_run: bool = False) -> dict[str, Any]:
        """Push the branch as it stands: `branch, commit, remote, dirty`."""
        owner = self._orch.repo(worktree.repo)
        state = self._rooms.git.state(owner, worktree)
        commit = state.head if dry_run else self._rooms.git.push(owner, worktree)
        return {
            "slug": worktree.name, "branch": worktree.branch, "commit": commit,
            "remote": owner.remote_name, "dirty": list(state.dirty),
        }  # fmt: skip

    def open_pr(
        self, worktree: Worktree, *, title: str, body: str, target: str, draft: bool,
        dry_run: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Push, then the pull request of the branch, which may be there already. Nothing is
        committed for the person. The record of the pull request; with `dry_run` what it would
        say."""
        from orch.model.command import RecordPull

        owner = self._orch.repo(worktree.repo)
        self._refuse_unready(worktree, self._rooms.git.state(owner, worktree))
        ticket = self._orch.issue(worktree.issue) if worktree.issue else None
        words = title or (ticket.title if ticket else worktree.branch.rpartition("/")[2])
        if dry_run:
            return {
                "repo": owner.slug, "title": words, "head": worktree.branch,
                "base": target or worktree.base_branch, "draft": draft, "state": "planned",
            }  # fmt: skip
        tip = self._rooms.git.push(owner, worktree)
        pull = self._rooms.forge.open_pr(
            owner, head=worktree.branch, base=target or worktree.base_branch, head_sha=tip,
            title=words, body=body or (f"For {ticket.id}." if ticket else ""), draft=draft,
            labels=(), key=f"person-{owner.slug}-{worktree.name}",
        )  # fmt: skip
        self._orch.store.send(RecordPull(pull), self._rooms.person)
        return records.pull_record(pull)

    def _refuse_unready(self, worktree: Worktree, state: TreeState) -> None:
        if state.dirty:
            more = f" and {len(state.dirty) - 1} more" if len(state.dirty) > 1 else ""
            raise Conflict(
                f"{state.dirty[0]}{more} in {worktree.name} is not committed; orch does not commit"
                " for you",
                code="worktree_dirty", hint=f"cd '{worktree.path}' && git add -A && git commit",
                files=list(state.dirty),
            )  # fmt: skip
        if state.branch != worktree.branch:
            raise Conflict(
                f"the worktree {worktree.name} is not on its branch {worktree.branch}",
                code="branch_moved", hint=f"git -C '{worktree.path}' switch {worktree.branch}",
            )  # fmt: skip
        if not state.ahead:
            raise Conflict(
                f"{worktree.branch} has no commit that {worktree.base_branch} does not have",
                code="nothing_to_propose", hint=f"git -C '{worktree.path}' log -3",
            )  # fmt: skip


def is_over(orch: Orch, worktree: Worktree) -> bool:
    """Whether no run that is not over owns it."""
    run = orch.store.run(worktree.run) if worktree.run else None
    return run is None or run.status in TERMINAL
