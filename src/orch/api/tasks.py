"""Tasks: asked for, found, planned as runs, told about.

Invariant: a task is acknowledged only once it is in the books; what it waits for is said in one
sentence wherever it is shown.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from orch.api.room import Room
from orch.model.dispatching import Slots, why_waiting
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.labels import check_labels
from orch.model.naming import milestone_base, moment, nearest
from orch.model.pull import spelled
from orch.model.run import TERMINAL, Run
from orch.model.spending import spent_by
from orch.model.task import CLOSED, STATES, Task
from orch.model.ticket import Ticket

if TYPE_CHECKING:
    from orch.api.facade import Orch
    from orch.model.attempt import Attempt
    from orch.model.command import Command, CreateRun
    from orch.model.repo import Repo
    from orch.ports import Store

    AtWork = tuple[Counter[str], Slots]
ALONE = "agent_only"
"""The workflow of a task without a repository."""


class Tasks:
    """The queue of one home."""

    def __init__(self, orch: Orch) -> None:
        self._orch = orch
        self._store = orch.store
        self._rooms = orch.rooms
        self.room = Room(orch.rooms)

    # --- asking

    def add(
        self, title: str, *, body: str = "", repo: str = "", labels: tuple[str, ...] = (),
        workflow: str = "", agent: str = "", parent: int = 0, priority: int = 0, source: str = "",
        issue: str = "", dry_run: bool = False,
    ) -> Task | None:  # fmt: skip
        """Into the queue with it. Everything that can be refused is refused now: repository, agent,
        workflow, labels. With `dry_run` only that; None."""
        slug = self._orch.repo(repo).slug if repo else ""
        target = self._store.repo(slug) if slug else None
        if agent:
            self._rooms.choose_agent(agent, "", target)
        check_labels(labels, self._rooms.config(target).agents)
        task = Task(
            id=0, title=title, state="new", repo=slug, body=body, labels=labels,
            workflow=workflow, pin=agent, parent=parent,
        )  # fmt: skip
        self._looked_at(task)
        if dry_run:
            return None
        from orch.model import command as commands

        events = self._store.send(
            commands.AddTask(
                title=title, body=body, repo=slug, issue=issue, labels=labels, workflow=workflow,
                pin=agent, parent=parent, priority=priority,
                source=source or f"person:{self._rooms.person.id}",
            ),
            self._rooms.person,
        )  # fmt: skip
        return self.get(events[0].task)

    def _looked_at(self, task: Task) -> None:
        """A task that could never run is refused when it is asked for."""
        from orch.api.planning import RunPlan

        plan = RunPlan(self._workflow(task), self._orch.home, self._orch.workflows(task.repo))
        if plan.used & {"CreateWorktree", "AddWorktree"} and not task.repo:
            raise UsageError(
                f"the workflow {plan.name} works in a repository, and the task has none",
                code="repo_needed", hint="orch task add TITLE --repo SLUG",
            )  # fmt: skip
        if task.repo:
            repo = self._orch.repo(task.repo)
            plan.needs_remote(repo)

    def _workflow(self, task: Task) -> str:
        if task.workflow:
            return task.workflow
        if not task.repo:
            return ALONE
        return self._rooms.config(self._orch.repo(task.repo)).defaults.workflow

    def plan_run(self, task: Task) -> CreateRun:
        """The command that gives a waiting task its run; a refusal is raised."""
        from orch.api.planning import RunPlan

        rooms = self._rooms
        repo = self._orch.repo(task.repo) if task.repo else None
        plan = RunPlan(self._workflow(task), self._orch.home, self._orch.workflows(task.repo))
        if repo is not None:
            plan.needs_remote(repo)
        params = plan.with_defaults({}, rooms.config(repo).defaults)
        base = self._milestone_base(task, repo) if repo is not None else ""
        if base and plan.takes("base_branch"):
            params = {**params, "base_branch": base}
        return plan.command(
            run=rooms.ids.run_id(), repo=task.repo, issue=self._ticket(task), agent="",
            params=params, owner=rooms.me, task=task.id,
        )  # fmt: skip

    def _milestone_base(self, task: Task, repo: Repo) -> str:
        """The branch that its ticket's milestone stands for, where the remote has it and nothing
        else is configured; empty for the usual one."""
        known = self._store.tickets.ticket(task.issue) if task.issue else None
        if known is None or not known.ticket.milestone:
            return ""
        branch = milestone_base(known.ticket.milestone)
        if branch is None or self._rooms.config(repo).defaults.base_branch or not repo.remote_url:
            return ""
        try:
            return branch if self._rooms.git.remote_tip(repo, branch) else ""
        except OrchError:  # a remote that cannot be asked now: the run says so where it matters
            return ""

    def _ticket(self, task: Task) -> Ticket:
        """What the workflow gets as its issue: the ticket, or the task itself in its form."""
        if task.source == f"ticket:{task.issue}":  # the words that were approved, and no later ones
            return Ticket(
                id=task.issue, title=task.title, body=self._whole(task.body, task),
                labels=task.labels, repo=task.repo, created=moment(task.created_at),
                tracker="source",
            )  # fmt: skip
        if task.issue:
            found = self._orch.issue(task.issue)
            return msgspec.structs.replace(found, body=self._whole(found.body, task))
        return Ticket(
            id=f"task-{task.id}", title=task.title, body=self._whole(task.body, task),
            labels=task.labels, repo=task.repo, created=moment(task.created_at), tracker="task",
        )  # fmt: skip

    def _whole(self, body: str, task: Task) -> str:
        """The text with what became of the task's parts."""
        from orch.api import children

        return "\n\n".join(filter(None, (body, children.told(self._store, task))))

    # --- looking

    def get(self, number: int) -> Task:
        task = self._store.task(number)
        if task is None:
            raise NotFound(f"there is no task {number}", code="unknown_task", hint="orch task list")
        return task

    def find(self, word: str) -> Task:
        """By number (`12`, `#12`, `task-12`) or `@` for the newest."""
        if word == "@":
            newest = self._store.tasks(limit=1)
            if newest:
                return newest[0]
        digits = word.lower().removeprefix("task-").removeprefix("internal:").removeprefix("#")
        if digits.isascii() and digits.isdigit() and len(digits) < 16:
            return self.get(int(digits))
        raise NotFound(f"there is no task {word!r}", code="unknown_task", hint="orch task list")

    def find_all(
        self, *, state: str = "", repo: str = "", label: str = "", source: str = "",
        agent: str = "", text: str = "", limit: int = 1000, here: bool = False,
    ) -> list[Task]:  # fmt: skip
        """Newest first; with `here` only those of the repository that the caller stands in, if it is
        one of ours."""
        if state and state not in STATES:
            near = nearest(state, list(STATES))
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise UsageError(
                f"there is no state {state!r}{meant}", code="bad_state",
                hint=f"one of {', '.join(STATES)}",
            )  # fmt: skip
        slug = self._orch.repo(repo).slug if repo else self._here() if here else ""
        lowered = text.lower()
        return [
            task for task in self._store.tasks(state, limit)
            if (not slug or task.repo == slug)
            and (not label or label in task.labels)
            and (not agent or agent in (task.agent, task.pin))
            and (not source or task.source.startswith(source))
            and (not lowered or lowered in f"{task.title}\n{task.body}".lower())
        ]  # fmt: skip

    def _here(self) -> str:
        cwd = self._rooms.cwd
        for repo in self._store.repos():
            place = repo.local_path
            if place and (str(cwd) == place or str(cwd).startswith(place + "/")):
                return repo.slug
        return ""

    def tops(self) -> list[Task]:
        """Tasks without a parent (or whose parent is gone), newest first."""
        return [task for task in self._store.tasks() if not task.parent]

    def now(self) -> float:
        return self._rooms.clock.now()

    def counts(self) -> dict[str, int]:
        """How many are in each state that occurs, in the order of a task's life."""
        found = self._store.task_counts()
        return {state: found[state] for state in STATES if state in found}

    def reason(self, task: Task) -> str:
        """Why it stands where it stands; of a waiting one, what it waits for."""
        return self._why(task, self._at_work)

    def _why(self, task: Task, at_work: Callable[[], AtWork | None]) -> str:
        if task.reason or task.state != "new":
            return task.reason
        now = at_work()
        if now is None:
            return "waits for the service (orch service start)"
        return why_waiting(task, *now) or self.room.shortage()

    def _at_work(self) -> AtWork | None:
        """What is at work, and how much may be; None without a service."""
        return (self._busy(), self.slots()) if self._rooms.engine_pid() else None

    def _busy(self) -> Counter[str]:
        return Counter(run.repo for run in self._store.live_runs() if run.unattended
                       and run.status != "blocked")  # fmt: skip

    def slots(self) -> Slots:
        """How much may be at work at once, as configured now."""
        config = self._rooms.config(None)
        return Slots(
            config.service.max_parallel,
            {
                repo.slug: limit
                for repo in self._store.repos()
                if (limit := self._rooms.config(repo).defaults.max_parallel)
            },
        )

    def short(self, task: Task) -> dict[str, Any]:
        """One line of a listing."""
        return line_of(task, self.reason(task))

    def listing(self, tasks: Iterable[Task]) -> list[dict[str, Any]]:
        """A line for each; what is at work is counted once for all."""
        at_work = functools.cache(self._at_work)
        return [line_of(task, self._why(task, at_work)) for task in tasks]

    def record(self, task: Task) -> dict[str, Any]:
        """Everything about one task, as `task get --json` tells it."""
        return record_of(self._store, task, self.reason(task))

    def tree(self, task: Task) -> dict[str, Any]:
        """The task with its children below it, in order."""
        return {
            **self.short(task),
            "children": [self.tree(child) for child in self._store.children(task.id)],
        }

    # --- a person's wishes

    def retry(self, task: Task, why: str = "", *, converse: bool = False) -> Task:
        """Once more: a run that waits goes on, else the task is queued again; but not while a pull
        request of a run that is over waits to be merged. `converse`: its agent goes on with its
        conversation."""
        person = self._rooms.person
        wish = self.to_retry(task, why or f"tried again by {person.id}", converse=converse)
        if wish is not None:
            self._store.send(wish, person)
        return self.get(task.id)

    def to_retry(self, task: Task, why: str, *, converse: bool = False) -> Command | None:
        """The command behind `retry`; None where it is at work. A refusal is raised."""
        from orch.model import command as commands

        run = self._live_run(task)
        if run is not None and run.status != "blocked" and task.state == "blocked":
            stop = f"orch stop {run.id}; orch task retry {task.id}"
            cools = " cools until " in task.reason
            raise Conflict(
                f"task {task.id} goes on by itself, with its conversation: {task.reason}",
                code="goes_on", hint="orch cooldown list" if cools else f"at once: {stop}",
            )  # fmt: skip
        if converse and (run is None or run.status != "blocked"):
            over = "is at work" if run is not None else "has no run that waits: it begins anew"
            raise Conflict(
                f"task {task.id} {over}, so that there is no conversation to go on with",
                code="no_conversation",
                hint=f"orch task {'get' if run is not None else 'retry'} {task.id}",
            )  # fmt: skip
        if run is not None and run.status == "blocked":
            return commands.TakeRun(run.id, self._driver(), resume=True, converse=converse)
        return commands.QueueTask(task.id, why) if run is None else None

    def _driver(self) -> Any:
        return self._rooms.me

    def close(self, task: Task, *, why: str = "", done: bool = False) -> Task:
        """End it: its run is ended, its agents are stopped; what they wrote stays."""
        person = self._rooms.person
        self._store.send(self.to_close(task, why or f"closed by {person.id}", done=done), person)
        return self.get(task.id)

    def to_close(self, task: Task, why: str, *, done: bool = False) -> Command:
        """The command behind `close`."""
        from orch.model import command as commands

        run = self._live_run(task)
        if run is not None:
            return commands.RequestStop(run.id, abort=True)
        return commands.CloseTask(task.id, why, done)

    def _live_run(self, task: Task) -> Run | None:
        run = self._store.run(task.run) if task.run else None
        return run if run is not None and run.status not in TERMINAL else None

    def open_pulls(self, task: Task) -> list[str]:
        """The pull requests of its runs that are open, as commands take them."""
        found = self._store.pulls_of_task(task.id)
        return sorted({spelled(pull) for pull in found if pull.state == "open"})

    def open_parts(self, task: Task) -> list[int]:
        """The tasks that it was cut into that are not over."""
        return [one.id for one in self._store.children(task.id) if one.state not in CLOSED]

    def unblock(self, task: Task) -> Task:
        """Let a task go on that waits for a person or for something outside."""
        self.refuse_unblocked(task)
        return self.retry(task, f"unblocked by {self._rooms.person.id}")

    def refuse_unblocked(self, task: Task) -> None:
        """Raise where a task waits for nobody."""
        if task.state not in ("blocked", "needs_review"):
            verb = "retry" if task.state in CLOSED or task.wake_at else "get"
            merge = [f"orch pr merge {pull}" for pull in self.open_pulls(task)[:1]]
            helps = (
                merge if task.state == "in_review" and merge else [f"orch task {verb} {task.id}"]
            )
            raise UsageError(
                f"task {task.id} is {task.state}: there is nothing to unblock",
                code="not_blocked", hint=helps[0],
            )  # fmt: skip


def line_of(task: Task, reason: str) -> dict[str, Any]:
    """One line of a listing."""
    return {
        "id": task.id, "title": task.title, "status": task.state,
        "reason": reason, "repo": task.repo or None, "agent": task.agent or task.pin,
        "labels": list(task.labels), "parent": task.parent or None, "run": task.run or None,
        "source": task.source, "created_at": moment(task.created_at),
        "updated_at": moment(task.updated_at),
    }  # fmt: skip


def record_of(store: Store, task: Task, reason: str) -> dict[str, Any]:
    """Everything about one task, as `task get --json` tells it."""
    runs = store.runs_of_task(task.id)
    attempts = [attempt for run in runs for attempt in store.attempts(run.id)]
    worktree = next((a for a in reversed(attempts) if a.role == "work" and a.worktree), None)
    return {
        **line_of(task, reason),
        "hint": task.hint,
        "body": task.body,
        "issue": task.issue or None,
        "workflow": task.workflow or None,
        "pin": task.pin or None,
        "agent": task.agent or task.pin or None,
        "model": task.model or None,
        "complexity": task.complexity or None,
        "priority": task.priority,
        "wake_at": moment(task.wake_at) or None,
        "attempts": [_attempt(attempt) for attempt in attempts],
        "runs": [_run(run) for run in runs],
        "branch": worktree.branch if worktree else None,
        "worktree": worktree.worktree if worktree else None,
        "prs": [
            {
                "repo": pull.repo, "number": pull.number, "url": pull.url,
                "state": pull.state, "head": pull.head,
            }
            for pull in store.pulls_of_task(task.id)
        ],
        "notes": task.notes,
        "children": [child.id for child in store.children(task.id)],
        "cost": cost_of(attempts),
        "history": history_of(store, task),
    }  # fmt: skip


def history_of(store: Store, task: Task) -> list[dict[str, Any]]:
    """Its states in order: `at`, `from`, `to`, `why`."""
    from orch.model import event as ev

    found: list[dict[str, Any]] = []
    before: str | None = None
    since = 0
    while events := store.events(since, task=task.id):
        for event in events:
            data = event.data
            if isinstance(data, ev.TaskCreated):
                to, why = "new", data.source
            elif isinstance(data, ev.TaskMoved) and data.id == task.id:
                to, why = data.state, data.why
                if to == before and not why:
                    continue
            else:
                continue
            found.append({"at": moment(event.at), "from": before, "to": to, "why": why})
            before = to
        since = events[-1].seq
    return found


def cost_of(attempts: list[Attempt]) -> dict[str, Any]:
    """What attempts have used, as far as they told: tokens, and US dollars (None: not known)."""
    spent = spent_by("", [one for one in attempts if one.agent], 0.0)
    return {
        "tokens_in": spent.tokens_in or 0, "tokens_out": spent.tokens_out or 0,
        "usd": round(spent.usd, 6) if spent.usd is not None else None,
        "usd_unknown": spent.usd_unknown, "tokens_unknown": spent.tokens_unknown,
    }  # fmt: skip


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.id, "run": attempt.run, "step": attempt.path, "n": attempt.n,
        "role": attempt.role, "agent": attempt.agent, "status": attempt.status,
        "code": attempt.code, "message": attempt.message, "exit_code": attempt.exit_code,
        "model": attempt.model or None,
        "started_at": moment(attempt.started_at), "ended_at": moment(attempt.ended_at),
        "usage": attempt.usage,
    }  # fmt: skip


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.id, "workflow": run.workflow, "status": run.status,
        "reason": run.reason.message if run.reason else run.error.message if run.error else "",
    }  # fmt: skip
