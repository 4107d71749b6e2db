"""`Orch`: what every face can ask for and read. Synchronous; driving runs is handed in.

Invariant: every change goes through the store's commands or through a port that looks before it
acts; nothing is half done when an error is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orch.api import records
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.gate import GateAnswer
from orch.model.naming import nearest, person_branch, repo_slug
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.model.run import TERMINAL, Owner, Run
from orch.model.step import Step
from orch.model.ticket import Ticket
from orch.model.worktree import Worktree

if TYPE_CHECKING:
    from orch.api.planning import RunPlan
    from orch.api.rooms import Rooms
    from orch.model.command import CreateRun
    from orch.model.event import Event
    from orch.ports import Git, Store

EFFECTS = frozenset({
    "CreateWorktree", "RunAgent", "RunCommand", "MergeBranches", "Commit", "Push", "CreatePR", "Gate",
    "Log", "Now", "Random",
})  # fmt: skip
PERSONS_NAME = re.compile(r"\w[\w ./-]*")
"""A worktree's name as people write it: nothing that a shell, tmux or git reads as more than a
letter."""
URL = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|[^/\s@]+@[^/\s:]+:)", re.IGNORECASE)


class Orch:
    """One home, seen from one process."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._store = rooms.store

    @property
    def rooms(self) -> Rooms:
        """For `orch.compose`, which made them."""
        return self._rooms

    @property
    def _git(self) -> Git:
        return self._rooms.git

    @property
    def home(self) -> Path:
        return self._rooms.path

    @property
    def store(self) -> Store:
        return self._store

    @property
    def me(self) -> Owner:
        return self._rooms.me

    # --- repositories

    def add_repo(self, location: str, *, slug: str = "", workspace: str = "") -> Repo:
        """Register a checkout, a bare repository, or clone a URL. Again with the same is no error."""
        from orch.model import command as commands

        home = self._rooms.path
        self._rooms.preflight.tools(tmux=False)
        name = self._slug(slug, location)
        is_url = bool(URL.match(location)) and not Path(location).exists()
        path = home / "repos" / name if is_url else (self._rooms.cwd / location).resolve()
        known = self._store.repo(name)
        if is_url and not path.exists():
            if known is not None:
                raise _taken(known, location)
            self._rooms.preflight.room(str(home))
            self._git.clone(location, str(path))
        elif not path.exists():
            raise _no_repository(path)
        repo = self._inspected(name, path, workspace)
        if known is not None and known.common_dir != repo.common_dir:
            raise _taken(known, location)
        self._rooms.preflight.room(repo.workspace_dir, str(home))
        self._git.pin(repo.common_dir, repo.pinned_dir)
        self._store.send(commands.RegisterRepo(repo), self._rooms.person)
        return repo

    def look_at_repo(self, location: str, *, slug: str, workspace: str) -> dict[str, Any]:
        """What `add_repo` would register; nothing is done."""
        name = self._slug(slug, location)
        if URL.match(location) and not Path(location).exists():
            return {"slug": name, "clone": location, "into": str(self.home / "repos" / name)}
        path = (self._rooms.cwd / location).resolve()
        if not path.exists():
            raise _no_repository(path)
        return records.repo_record(self._inspected(name, path, workspace))

    def _slug(self, slug: str, location: str) -> str:
        if slug and repo_slug(slug) != slug:
            raise UsageError(
                f"{slug!r} cannot be a repository's name: lower-case letters, digits and dashes only",
                code="bad_name",
                hint=f"orch repo add {location} --slug {repo_slug(slug) or 'NAME'}",
            )
        where = location if URL.match(location) else str((self._rooms.cwd / location).resolve())
        name = slug or repo_slug(where)
        if not name:
            raise UsageError(
                f"no name can be made from {location!r}", code="bad_name",
                hint=f"orch repo add {location} --slug NAME",
            )  # fmt: skip
        return name

    def _inspected(self, name: str, path: Path, workspace: str) -> Repo:
        checkout = self._git.inspect(str(path))
        remote = "origin" if "origin" in checkout.remotes else ""
        if not remote and len(checkout.remotes) == 1:
            remote = next(iter(checkout.remotes))
        known = next((r for r in self._store.repos() if r.common_dir == checkout.common_dir), None)
        if known is not None and known.slug != name:
            raise Conflict(
                f"{path} is registered already as {known.slug!r}", code="repo_exists",
                hint=f"orch worktree list --repo {known.slug}",
            )  # fmt: skip
        folder = (
            str((self._rooms.cwd / workspace).expanduser().resolve())
            if workspace
            else known.workspace_dir
            if known is not None
            else str((self._rooms.path / "worktrees" / name).resolve())
        )
        return Repo(
            slug=name, local_path=checkout.main_path, common_dir=checkout.common_dir,
            pinned_dir=str(self._rooms.path / "pinned" / name), workspace_dir=folder,
            default_branch=checkout.default_branch, remote_name=remote,
            remote_url=checkout.remotes.get(remote, ""),
        )  # fmt: skip

    def repos(self) -> list[Repo]:
        return self._store.repos()

    def repo(self, slug: str) -> Repo:
        """By name or unique prefix."""
        found = self._store.repo(slug)
        if found is not None:
            return found
        known = self._store.repos()
        matches = [repo for repo in known if slug and repo.slug.startswith(slug)]
        if len(matches) == 1:
            return matches[0]
        names = [repo.slug for repo in known]
        if matches:
            listed = ", ".join(repo.slug for repo in matches)
            raise UsageError(f"{slug!r} could be {listed}", code="ambiguous", hint="orch repo list")
        similar = nearest(slug, names)
        meant = f"; did you mean {similar[0]!r}?" if similar else ""
        raise NotFound(
            f"there is no repository {slug!r}{meant}",
            code="unknown_repo",
            hint="orch repo list" if names else "orch repo add PATH",
        )

    def repo_for(self, asked: str, issue: Ticket | None) -> Repo:
        """`asked` > where one stands > the issue's > the only one there is."""
        if asked:
            return self.repo(asked)
        here = self._repo_here()
        if here is not None:
            return here
        if issue is not None and issue.repo:
            return self.repo(issue.repo)
        known = self._store.repos()
        if len(known) == 1:
            return known[0]
        if not known:
            raise UsageError(
                "no repository is registered yet", code="no_repo", hint="orch repo add PATH"
            )
        names = ", ".join(repo.slug for repo in known)
        raise UsageError(
            f"which repository? There are {names}", code="repo_needed",
            hint=f"--repo {known[0].slug}",
        )  # fmt: skip

    def _repo_here(self) -> Repo | None:
        cwd, known = self._rooms.cwd, self._store.repos()
        places = {Path(w.path): w.repo for w in self._store.worktrees()}
        places.update({Path(repo.local_path): repo.slug for repo in known})
        for folder in (cwd, *cwd.parents):
            if folder in places:
                return self._store.repo(places[folder])
            if (folder / ".git").exists():
                try:
                    common = self._git.inspect(str(folder)).common_dir
                except OrchError:
                    return None
                return next((repo for repo in known if repo.common_dir == common), None)
        return None

    # --- issues

    def create_issue(self, title: str, *, body: str, labels: Sequence[str], repo: str) -> Ticket:
        if not title.strip():
            raise UsageError(
                "an issue needs a title", code="empty_title", hint='orch issue create "TITLE"'
            )
        slug = self.repo(repo).slug if repo else ""
        created = records.moment(self._rooms.clock.now())
        return self._rooms.tracker.create(
            title, body=body, labels=labels, repo=slug, created=created
        )

    def issues(self) -> tuple[Sequence[Ticket], Sequence[str]]:
        return self._rooms.tracker.list()

    def issue(self, word: str) -> Ticket:
        """An id of the vault, or a file."""
        path = self._rooms.cwd / word
        if word.endswith(".md") or "/" in word:
            if not path.is_file():
                raise NotFound(
                    f"there is no issue file {word}", code="unknown_issue", hint="orch issue list"
                )
            return self._rooms.read_issue(path)
        return self._rooms.tracker.get(word)

    # --- worktrees

    def plan_worktree(
        self, repo: str, name: str, *, base: str = "", fetch: bool = False
    ) -> Worktree:
        """A person's own worktree as `create_worktree` would make it; refuses what cannot be.
        Without `fetch` nothing changes, and the base is the one that is known here."""
        owner = self.repo(repo)
        slug, branch = person_branch(name)
        if not slug or not PERSONS_NAME.fullmatch(name) or ".." in name:
            raise UsageError(
                f"{name!r} cannot name a worktree: use letters, digits and dashes",
                code="bad_name", hint=f"orch worktree create {owner.slug} fix-something",
            )  # fmt: skip
        self._rooms.preflight.tools(tmux=False)
        self._rooms.preflight.room(owner.workspace_dir, str(self.home))
        if any(w.repo == owner.slug and w.name == slug for w in self._store.worktrees()):
            raise Conflict(
                f"there is a worktree {slug!r} in {owner.slug} already",
                code="worktree_exists", hint="orch worktree list",
            )  # fmt: skip
        start = self._git.resolve_base(owner, base or None, fetch=fetch)
        return Worktree(
            repo=owner.slug, name=slug, branch=branch, path=f"{owner.workspace_dir}/{slug}",
            base_branch=start.branch, base_commit=start.commit,
        )  # fmt: skip

    def create_worktree(self, repo: str, name: str, *, base: str = "") -> Worktree:
        """A person's own worktree; see `orch.api.trees` for what else it may start from."""
        from orch.api.trees import Source, Trees

        return Trees(self).create(repo, name, Source(base=base))[0]

    def worktrees(self, repo: str = "") -> list[dict[str, Any]]:
        """Records, newest first."""
        wanted = self.repo(repo).slug if repo else ""
        found = []
        for worktree in self._store.worktrees():
            owner = self._store.repo(worktree.repo)
            if owner is None or (wanted and worktree.repo != wanted):
                continue
            try:
                state, why = self._git.state(owner, worktree), ""
            except OrchError as error:
                state, why = None, error.message
            found.append(records.worktree_record(worktree, state, why))
        return found

    # --- runs

    def plan_run(
        self, workflow: str, *, repo: str, issue: str, agent: str, params: Mapping[str, Any]
    ) -> Run:
        """Check everything, then journal the run as planned and ours. Nothing acts yet."""
        command, _ = self._checked_run(workflow, repo, issue, agent, params, fetch=True)
        self._store.send(command, self._rooms.person)
        return self.run(command.id)

    def look_at_run(
        self, workflow: str, *, repo: str, issue: str, agent: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """All checks of `plan_run`; nothing is journaled, nothing fetched."""
        command, plan = self._checked_run(workflow, repo, issue, agent, params, fetch=False)
        return {
            "workflow": command.workflow,
            "repo": command.repo,
            "issue": command.issue.id if command.issue else None,
            "agent": command.agent,
            "params": command.params,
            "effects": sorted(plan.used & EFFECTS),
        }

    def _checked_run(
        self, workflow: str, repo: str, issue: str, agent: str, params: Mapping[str, Any], *,
        fetch: bool,
    ) -> tuple[CreateRun, RunPlan]:  # fmt: skip
        rooms = self._rooms
        from orch.api.planning import RunPlan

        plan = RunPlan(workflow, self._rooms.cwd)
        ticket = self.issue(issue) if issue else None
        target = self.repo_for(repo, ticket)
        rooms.preflight.tools(tmux=bool(plan.used & {"RunAgent", "RunCommand"}))
        plan.needs_remote(target)
        if agent:
            rooms.choose_agent(None, agent, target)
        plan.needs_agents(lambda asked: rooms.choose_agent(asked, agent, target), params)
        command = plan.command(
            run=rooms.ids.run_id(), repo=target.slug, issue=ticket, agent=agent, params=params,
            owner=rooms.me,
        )  # fmt: skip
        self._knows_base(target, params.get("base_branch"), fetch=fetch)
        rooms.preflight.room(str(self.home), target.workspace_dir)
        return command, plan

    def _knows_base(self, repo: Repo, asked: object, *, fetch: bool) -> None:
        """The base is there; with `fetch` the remote is asked for one that is not known here."""
        branch = str(asked) if asked else None
        try:
            self._git.resolve_base(repo, branch, fetch=False)
        except NotFound:
            if not fetch:
                raise
            self._git.resolve_base(repo, branch, fetch=True)

    def runs(self) -> list[Run]:
        return self._store.runs()

    def run(self, word: str) -> Run:
        """By id, unique prefix (hex digits), or `@` for the last one."""
        if word == "@":
            last = self._store.last_run()
            if last is None:
                raise NotFound("there is no run yet", code="unknown_run", hint="orch run basic_pr")
            return last
        lowered = word.lower()
        if not re.fullmatch(r"[0-9a-f]{1,12}", lowered):
            raise NotFound(f"there is no run {word!r}", code="unknown_run", hint="orch ps")
        found = self._store.find_runs(lowered)
        if not found:
            raise NotFound(f"there is no run {word!r}", code="unknown_run", hint="orch ps")
        if len(found) > 1:
            listed = ", ".join(run.id for run in found)
            raise UsageError(f"{word!r} could be {listed}", code="ambiguous", hint="orch ps")
        return found[0]

    def run_record(self, run: str) -> dict[str, Any]:
        return records.run_record(self._store, self.run(run))

    def take_run(self, run: Run) -> Run:
        """A person resumes: this process answers for the run from now on."""
        from orch.model import command as commands

        if run.status in TERMINAL:
            raise _final(run)
        gates = [s for s in self._store.open_gates() if s.run == run.id and s.answer is None]
        if run.status == "blocked" and run.reason and run.reason.code == "gate" and gates:
            others = [s for s in self._store.open_gates() if s.run == run.id and s.answer]
            if not others:
                raise WaitsAtGate(run)
        self._store.send(commands.TakeRun(run.id, self.me, resume=True), self._rooms.person)
        return self.run(run.id)

    def resumable(self, alive: Callable[[Owner], bool]) -> list[Run]:
        """Runs whose owner died, those a person detached from, those whose gate was answered, and
        those that waited for something outside that did not answer."""
        found = []
        answered = {step.run for step in self._store.open_gates() if step.answer is not None}
        for run in self._store.live_runs():
            if run.status == "blocked":
                code = run.reason.code if run.reason is not None else ""
                if code in ("detached", "unreachable") or (code == "gate" and run.id in answered):
                    found.append(run)
            elif run.owner is None or not alive(run.owner):
                found.append(run)
        return found

    def request_stop(self, run: Run, *, abort: bool, dry_run: bool = False) -> None:
        """Journal the wish; the engine acts on it. Refused for an ended run (H106)."""
        from orch.model import command as commands

        if run.status in TERMINAL:
            raise _final(run)
        if dry_run:
            return
        self._store.send(commands.RequestStop(run.id, abort), self._rooms.person)

    def detach(self, run: str) -> None:
        from orch.model import command as commands

        self._store.send(commands.DetachRun(run), self._rooms.person)

    # --- gates

    def gates(self) -> list[Step]:
        return [step for step in self._store.open_gates() if step.answer is None]

    def answer_gate(self, run: Run, path: str, decision: str, text: str) -> Step:
        """Record the answer at `path`, or at the only open gate of the run."""
        from orch.model import command as commands

        if run.status in TERMINAL:
            raise _final(run)
        if decision == "answer" and not text:
            raise UsageError(
                "an answer needs a text", code="empty_answer",
                hint=f'orch gate answer {run.id} "TEXT"',
            )  # fmt: skip
        if not path:
            waiting = [step for step in self.gates() if step.run == run.id]
            if not waiting:
                raise NotFound(
                    f"run {run.id} waits at no gate", code="unknown_gate",
                    hint=f"orch show {run.id}",
                )  # fmt: skip
            if len(waiting) > 1:
                listed = ", ".join(step.path for step in waiting)
                raise UsageError(
                    f"run {run.id} waits at several gates: {listed}", code="ambiguous",
                    hint=f"--gate {waiting[0].path}",
                )  # fmt: skip
            path = waiting[0].path
        answer = GateAnswer(decision=decision, text=text, by=self._rooms.person.id)
        self._store.send(commands.AnswerGate(run.id, path, answer), self._rooms.person)
        step = self._store.step(run.id, path)
        assert step is not None
        return step

    # --- the rest

    def pulls(self) -> tuple[list[PullRequest], Sequence[str]]:
        """All pull requests, newest first, and one sentence for each record that is broken."""
        problems = getattr(self._rooms.forge, "problems", None)
        return self._store.pulls(), problems() if problems is not None else ()

    def output(self, attempt_directory: str, stream: str, tail_bytes: int) -> bytes:
        """What an attempt has written so far."""
        return self._rooms.terminals.output(attempt_directory, stream, tail_bytes=tail_bytes)

    def events(self, since: int, run: str = "") -> list[Event]:
        return self._store.events(since, run=run)


class WaitsAtGate(Conflict):
    """Resuming a run that nobody has answered."""

    exit_code = 6
    default_code = "waits_at_gate"

    def __init__(self, run: Run) -> None:
        reason = run.reason.message if run.reason else "waits for a person"
        super().__init__(f"run {run.id} {reason}", hint=f"orch gate approve {run.id}")


def _final(run: Run) -> Conflict:
    from orch.model.decide import final

    return final(run)


def _no_repository(path: Path) -> NotFound:
    return NotFound(
        f"there is no repository at {path}", code="not_a_repository", hint="orch repo add PATH"
    )


def _taken(known: Repo, location: str) -> Conflict:
    return Conflict(
        f"the name {known.slug!r} is taken by {known.local_path}",
        code="repo_exists",
        hint=f"orch repo add {location} --slug OTHER-NAME",
    )
