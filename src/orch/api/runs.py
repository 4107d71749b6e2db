"""Runs: planned, found, taken up, stopped, answered.

Invariant: everything is checked before a run is journaled; nothing acts before it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from orch.api import records
from orch.api.issues import Issues
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.gate import GateAnswer
from orch.model.repo import Repo
from orch.model.run import TERMINAL, Owner, Run
from orch.model.step import Step

if TYPE_CHECKING:
    from orch.api.planning import RunPlan
    from orch.api.workflows import Workflows
    from orch.model.command import CreateRun


class Runs(Issues):
    """The runs of a home."""

    def plan_run(
        self, workflow: str, *, repo: str, issue: str, agent: str, params: Mapping[str, Any],
        note: Callable[[str], None] | None = None, owner: Owner | None = None,
    ) -> Run:  # fmt: skip
        """Check everything, then journal the run as planned and ours, or `owner`'s. Nothing acts
        yet. A repository that nobody had registered is. `note` is told what a person should know of
        that, and of the workflow that the name means."""
        command, plan, fresh = self._checked_run(workflow, repo, issue, agent, params, fetch=True)
        told = list(plan.found.notes)
        if fresh is not None:
            self.register(fresh)
            told.append(f"registered {fresh.slug}: {fresh.local_path}")
        if note is not None:
            for sentence in told:
                note(sentence)
        if owner is not None:
            command = msgspec.structs.replace(command, owner=owner)
        self._store.send(command, self._rooms.person)
        return self.run(command.id)

    def look_at_run(
        self, workflow: str, *, repo: str, issue: str, agent: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """All checks of `plan_run`, and the workflow played on stubs; nothing is journaled, nothing
        fetched."""
        from orch.api.rehearsing import scenarios
        from orch.model.effect import effect_names

        command, plan, fresh = self._checked_run(workflow, repo, issue, agent, params, fetch=False)
        rooms, target = self._rooms, fresh or self._store.repo(command.repo)
        played = scenarios(
            plan, command.issue, command.params,
            lambda asked: rooms.choose_agent(asked, agent, target),
            deadline_s=rooms.config(target).run.advance_deadline_s,
        )  # fmt: skip
        return {
            "workflow": command.workflow,
            "repo": command.repo,
            "issue": command.issue.id if command.issue else None,
            "agent": command.agent,
            "params": command.params,
            "effects": sorted(plan.used & effect_names()),
            "origin": plan.found.origin,
            "notes": list(plan.found.notes),
            "scenarios": played,
            "registers": fresh.local_path if fresh is not None else None,
        }

    def _checked_run(
        self, workflow: str, repo: str, issue: str, agent: str, params: Mapping[str, Any], *,
        fetch: bool,
    ) -> tuple[CreateRun, RunPlan, Repo | None]:  # fmt: skip
        """The run as it would be journaled, its plan, and the repository to be registered first."""
        rooms = self._rooms
        from orch.api.planning import RunPlan

        plan = RunPlan(workflow, self._rooms.cwd, self._named(repo, issue))
        ticket = self.issue(issue) if issue else None
        rooms.preflight.tools(tmux=bool(plan.used & {"RunAgent", "SpawnAgent", "RunCommand"}))
        fresh = None if repo or (ticket and ticket.repo) else self.newcomer()
        target = fresh or self.repo_for(repo, ticket)
        plan.needs_remote(target)
        params = plan.with_defaults(params, rooms.config(target).defaults)
        if agent:
            rooms.choose_agent(None, agent, target)

        def needed(asked: str | None) -> None:
            name = rooms.choose_agent(asked, agent, target)
            lacks = rooms.agent_lacks(name)
            if lacks:
                raise UsageError(lacks, code="agent_unusable", hint="orch doctor")

        plan.needs_agents(needed, params)
        command = plan.command(
            run=rooms.ids.run_id(), repo=target.slug, issue=ticket, agent=agent, params=params,
            owner=rooms.me,
        )  # fmt: skip
        if fresh is not None:
            self._newcomer_knows_base(fresh, params.get("base_branch"), fetch=fetch)
        else:
            self._knows_base(target, params.get("base_branch"), fetch=fetch)
        rooms.preflight.room(str(self.home), target.workspace_dir)
        return command, plan, fresh

    def _newcomer_knows_base(self, repo: Repo, asked: object, *, fetch: bool) -> None:
        """The same for a repository that has no view of its own yet: by one that is thrown away, so
        that what is refused leaves nothing behind."""
        import tempfile

        with tempfile.TemporaryDirectory(prefix="look-", dir=self.home / "run") as view:
            self._git.pin(repo.common_dir, view)
            self._knows_base(msgspec.structs.replace(repo, pinned_dir=view), asked, fetch=fetch)

    def _named(self, repo: str, issue: str) -> Workflows:
        """The workflows that have a name here. A repository that is not found is told of later."""
        from orch.api.workflows import Workflows

        try:
            ticket = self.issue(issue) if issue else None
            fresh = None if repo or (ticket and ticket.repo) else self.newcomer()
            target = fresh or self.repo_for(repo, ticket)
        except OrchError:
            return Workflows(self.home, None)
        return Workflows(self.home, target)

    def workflows(self, repo: str) -> Workflows:
        """The workflows that have a name in this repository, or where one stands."""
        return self._named(self.repo(repo).slug if repo else "", "")

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

    def same_issue(self, run: Run) -> list[str]:
        """One sentence for each other run of the same issue that is not over, or whose pull request
        is open."""
        told = []
        for other in self._store.runs():
            if run.issue is None or other.issue is None or other.id == run.id:
                continue
            if (other.repo, other.issue.id) != (run.repo, run.issue.id):
                continue
            if other.status not in TERMINAL:
                told.append(f"run {other.id} works on {run.issue.id} as well ({other.status})")
            told += [
                f"{run.issue.id} has the open pull request {pull.repo}#{pull.number} already"
                f" (run {other.id})"
                for pull in self._store.pulls(other.id)
                if pull.state == "open"
            ]
        return told

    def run(self, word: str) -> Run:
        """By id, unique prefix (hex digits), or `@` for the last one."""
        if word == "@":
            last = self._store.last_run()
            if last is None:
                raise NotFound(
                    "there is no run yet", code="unknown_run",
                    hint="orch run basic_pr --issue ISSUE-001",
                )  # fmt: skip
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
        return self.record_of(self.run(run))

    def record_of(self, run: Run) -> dict[str, Any]:
        """The run record of `run`."""
        return records.run_record(self._store, run, driven=self.is_driven(run))

    def again(self, run: Run) -> list[str]:
        """The command that starts the same once more, as words."""
        from orch.workflow.sources import BUILTIN

        entry, _, function = run.entry.rpartition(":")
        files = {source.module: source.filename for source in self._store.sources(run.id)}
        shipped = entry.startswith(BUILTIN) or entry not in files
        words = ["orch", "run", run.workflow if shipped else f"{files[entry]}:{function}"]
        words += ["--repo", run.repo]
        if run.issue is not None:
            words += ["--issue", run.issue.path if run.issue.tracker == "file" else run.issue.id]
        if run.agent:
            words += ["--agent", run.agent]
        if run.params:
            words += ["--params", msgspec.json.encode(run.params).decode()]
        return words

    def is_driven(self, run: Run) -> bool:
        """Whether a process goes on with it now: whoever drives takes up dead owners' runs too."""
        if run.status not in ("pending", "running"):
            return False
        owner = run.owner
        return bool(self._rooms.engine_pid()) or (owner is not None and self._rooms.alive(owner))

    def take_run(self, run: Run) -> Run:
        """A person resumes: this process answers for the run from now on."""
        from orch.model import command as commands

        if run.status in TERMINAL:
            raise _final(run)
        if run.status == "blocked" and run.reason and run.reason.code == "gate":
            gates = self._store.open_gates(run.id)
            if gates and all(gate.answer is None for gate in gates):
                raise WaitsAtGate(run)
        self._store.send(commands.TakeRun(run.id, self.me, resume=True), self._rooms.person)
        return self.run(run.id)

    def resumable(self) -> tuple[list[Run], list[str]]:
        """Runs whose owner died, those a person detached from, those whose gate was answered, and
        those that waited for something outside that did not answer. Then one sentence for each that
        cannot be read: it holds up none of the others."""
        found, broken = [], []
        for run in self._store.live_runs():
            try:
                if self._may_go_on(run):
                    found.append(run)
            except OrchError as error:
                if error.data.get("scope") != "row":
                    raise
                broken.append(f"run {run.id} is left alone: {error.message}")
        return found, broken

    def stopped_by_person(self) -> list[Run]:
        """Runs that a person stopped: they go on when they are named, never by the way."""
        return [
            run for run in self._store.live_runs()
            if run.status == "blocked" and run.reason is not None and run.reason.code == "stopped"
        ]  # fmt: skip

    def _may_go_on(self, run: Run) -> bool:
        steps = self._store.steps(run.id)
        if run.status != "blocked":
            return run.owner is None or not self._rooms.alive(run.owner)
        code = run.reason.code if run.reason is not None else ""
        if code == "gate":  # answered while the engine was about to wait for it
            return any(step.answer is not None and step.outcome is None for step in steps)
        return code in ("detached", "unreachable", "gate_answered")

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
        waiting = [s for s in self._store.open_gates(run.id) if s.answer is None]
        path = next((s.path for s in waiting if path and gate_name(s) == path), path)
        if not path:
            if not waiting:
                raise NotFound(
                    f"run {run.id} waits at no gate", code="unknown_gate",
                    hint=f"orch show {run.id}",
                )  # fmt: skip
            if len(waiting) > 1:
                listed = ", ".join(step.path for step in waiting)
                raise UsageError(
                    f"run {run.id} waits at several gates: {listed}", code="ambiguous",
                    hint=f"orch gate {decision} {run.id} --gate {waiting[0].path}",
                )  # fmt: skip
            path = waiting[0].path
        answer = GateAnswer(decision=decision, text=text, by=self._rooms.person.id)
        self._store.send(commands.AnswerGate(run.id, path, answer), self._rooms.person)
        step = self._store.step(run.id, path)
        assert step is not None
        return step


def gate_name(step: Step) -> str:
    """What the workflow calls a gate; empty where it does not."""
    from orch.model.effect import Gate, decode_effect

    effect = decode_effect(step.request)
    return effect.name or "" if isinstance(effect, Gate) else ""


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
