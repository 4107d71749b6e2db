"""What a person does with one task: run it here and now, see or change who does it, publish it.

Invariant: a task is run by whoever drives the home, once: running one that waits makes its run, of
one that has a run that run goes on. Nothing is planned before everything was checked.
"""

from __future__ import annotations

import datetime
import os
from typing import TYPE_CHECKING, Any

from orch.api.tasks import Tasks
from orch.model import command as commands, routing, standing_rules
from orch.model.attempt import FINAL
from orch.model.errors import Conflict, NotFound
from orch.model.event import TaskRouted
from orch.model.naming import moment
from orch.model.onward import Defer
from orch.model.run import TERMINAL, Run
from orch.model.task import CLOSED, Task
from orch.model.task_wishes import published

if TYPE_CHECKING:
    from orch.api.facade import Orch


def next_to_run(orch: Orch) -> Task:
    """The first that is routed, else the one that the queue would begin with."""
    routed = orch.store.tasks("routed")
    if routed:
        return routed[-1]
    waiting = orch.store.waiting_tasks(1)
    if waiting:
        return waiting[0]
    raise NotFound(
        "no task waits to be run", code="no_task", hint='orch task add "TITLE", then: orch task run'
    )


def run_for(orch: Orch, task: Task) -> Run:
    """The run that carries the task out, made or taken up; refused for a task that has nothing to
    run. A service that was faster is the answer too."""
    if task.state == "new":
        return _begun(orch, task)
    run = orch.store.run(task.run) if task.run else None
    if run is not None and run.status in ("pending", "running"):
        return run
    if run is not None and run.status == "blocked":
        return orch.take_run(run)
    if task.state == "blocked":
        raise Conflict(
            f"task {task.id} {task.reason or 'is blocked'}", code="task_waits",
            hint=f"orch task tree {task.id}",
        )  # fmt: skip
    raise Conflict(
        f"task {task.id} is {task.state}: there is nothing to run", code="task_not_waiting",
        hint=f"orch task {'get' if task.state == 'in_review' else 'retry'} {task.id}",
    )  # fmt: skip


def _begun(orch: Orch, task: Task) -> Run:
    command = Tasks(orch).plan_run(task)
    try:
        orch.store.send(command, orch.rooms.person)
    except Conflict as refusal:
        now = orch.store.task(task.id)
        if refusal.code != "task_taken" or now is None or not now.run:
            raise
        return orch.run(now.run)
    return orch.run(command.id)


def route_of(orch: Orch, task: Task) -> dict[str, Any]:
    """Who was chosen, or what the router would say if the task began now: `task, status, agent,
    model, complexity, by, reason, chosen, until, refused`. `by` is `llm` with the classifier in
    `reason` where one would be asked. `refused` says why there is nobody, `until` how long."""
    told: dict[str, Any] = {
        "task": task.id, "status": task.state, "agent": task.agent or None,
        "model": task.model or None, "complexity": task.complexity or None,
        "by": None, "reason": None, "chosen": bool(task.agent), "until": None, "refused": None,
    }  # fmt: skip
    if task.agent:
        return {**told, **_said_of_choice(orch, task)}
    answer = _routed_now(orch, task)
    if isinstance(answer, routing.Routed):
        told |= {
            "agent": answer.agent, "model": answer.model or None, "complexity": answer.complexity,
            "by": answer.how, "reason": answer.reason,
        }  # fmt: skip
    elif isinstance(answer, routing.AskLlm):
        among = ", ".join(answer.agents)
        told |= {"by": "llm", "reason": f"{answer.agent} is asked to choose among {among}"}
    elif isinstance(answer, Defer):
        told |= {"until": moment(answer.until), "refused": answer.why}
    else:
        told |= {"refused": answer.message}
    return told


def _said_of_choice(orch: Orch, task: Task) -> dict[str, Any]:
    """How the last choice was made."""
    last: dict[str, Any] = {}
    for event in orch.store.events(0, task=task.id, limit=10_000):
        if isinstance(event.data, TaskRouted):
            last = {"by": event.data.by, "reason": event.data.reason or None}
    return last


def _routed_now(orch: Orch, task: Task) -> Any:
    """The rule that the service goes by, on what it would look at."""
    repo = orch.store.repo(task.repo) if task.repo else None
    config, standings = orch.rooms.config(repo), orch.store.standings()
    now = orch.rooms.clock.now()
    held = standing_rules.cooldowns(standings, now, config.metering.keep_for_people)
    around = routing.Around(
        agents=tuple(name for name in config.agents if not orch.rooms.agent_lacks(name)),
        now=now, models=config.model_map.tiers(),
        cooldowns=held, default_agent=config.defaults.agent,
        last_agent=orch.store.last_routed(), weights=standing_rules.weighed(standings),
        zone=datetime.datetime.now().astimezone().tzinfo or datetime.UTC,
    )  # fmt: skip
    asked = routing.ToRoute(id=str(task.id), labels=task.labels, pin=task.pin)
    return routing.route(asked, config.router, around)


def reroute(orch: Orch, task: Task, agent: str) -> Task:
    """This agent and no other; empty: whoever is chosen anew."""
    if agent:
        orch.rooms.choose_agent(agent, "", orch.store.repo(task.repo) if task.repo else None)
    orch.store.send(commands.RerouteTask(task.id, agent), orch.rooms.person)
    return Tasks(orch).get(task.id)


def live_attempts(orch: Orch) -> list[dict[str, Any]]:
    """What is at work now, oldest first: `attempt, task, title, run, repo, agent, role, terminal,
    status, since, seconds`."""
    now, found = orch.rooms.clock.now(), []
    for attempt in orch.store.live_attempts():
        run = orch.store.run(attempt.run)
        task = orch.store.task(run.task) if run is not None else None
        found.append({
            "attempt": attempt.id, "task": task.id if task else None,
            "title": task.title if task else "", "run": attempt.run,
            "repo": run.repo if run is not None else "", "agent": attempt.agent or attempt.name,
            "role": attempt.role, "terminal": attempt.terminal, "status": attempt.status,
            "since": moment(attempt.started_at),
            "seconds": round(max(0.0, now - attempt.started_at), 3),
        })  # fmt: skip
    return found


def at_work(orch: Orch, task: Task) -> Run:
    """The run of a task that has an attempt at work."""
    run = orch.store.run(task.run) if task.run else None
    live = [one for one in orch.store.attempts(run.id) if one.status not in FINAL] if run else []
    if run is None or run.status in TERMINAL or not live:
        raise Conflict(
            f"nothing is at work for task {task.id}: it is {task.state}", code="no_live_attempt",
            hint=f"orch task get {task.id}",
        )  # fmt: skip
    return run


def publish(orch: Orch, task: Task, labels: tuple[str, ...], source: str = "") -> Task:
    """Make a ticket of an internal task in the vault or at a `source`, and bind them. Once, however
    often it is asked for: the ticket is looked for by its key before it is made."""
    if task.issue:
        raise published(task)
    if task.state in CLOSED:
        raise Conflict(
            f"task {task.id} is {task.state}: a ticket would ask for what is over",
            code="task_closed", hint=f"orch task retry {task.id}",
        )  # fmt: skip
    rooms, words = orch.rooms, list(dict.fromkeys((*task.labels, *labels)))
    if source:
        issue = _published_at(orch, task, words, source)
    else:
        issue = rooms.tracker.create(
            task.title, body=task.body, labels=words, repo=task.repo,
            created=moment(rooms.clock.now()), key=f"{orch.store.install}/task/{task.id}",
        ).id  # fmt: skip
    orch.store.send(commands.LinkTask(task.id, issue), rooms.person)
    return Tasks(orch).get(task.id)


def _published_at(orch: Orch, task: Task, labels: list[str], source: str) -> str:
    """The id of its ticket at a source. An agent may have written the words: they are cleaned."""
    from orch.api.ticket_sources import find
    from orch.config.held_values import held_values
    from orch.model import outward
    from orch.model.ticket_books import Known

    rooms, config = orch.rooms, find(orch, source)
    if config.repo != task.repo:
        raise Conflict(
            f"the source {source} is for {config.repo}, and task {task.id} for"
            f" {task.repo or 'no repository'}", code="other_repo", hint="orch repo sources list",
        )  # fmt: skip
    around = outward.Bounds(known=held_values(rooms.config(None), os.environ))
    made = rooms.sources.open(source).create(
        outward.title(task.title, around).text, body=outward.body(task.body, around).text,
        labels=outward.labels(labels, around), key=rooms.mark(source, f"published-{task.id}"),
    )  # fmt: skip
    orch.store.tickets.put([Known(ticket=made, synced_at=rooms.clock.now())])
    return str(made.id)


def keep(orch: Orch, task: Task, key: str, value: Any) -> Task:
    """Keep a JSON value with the task; None takes it away."""
    orch.store.send(commands.SetTaskNote(task.id, key, value), orch.rooms.person)
    return Tasks(orch).get(task.id)


def kept(task: Task, key: str) -> Any:
    """One note of the task."""
    if key not in task.notes:
        known = ", ".join(task.notes) or "none"
        raise NotFound(
            f"task {task.id} has no note {key!r} (there are: {known})", code="unknown_note",
            hint=f"orch task sidecar set {task.id} {key} VALUE",
        )  # fmt: skip
    return task.notes[key]


def place(orch: Orch, task: Task, parent: int) -> Task:
    """Below another task, or (0) to the top."""
    orch.store.send(commands.MoveTask(task.id, parent), orch.rooms.person)
    return Tasks(orch).get(task.id)
