"""What a person's words below a ticket mean for its task: the commands that the same words on the
command line would send.

Invariant: nothing is sent here, and what cannot be done is refused before anything is; the rules are
those of `orch.api.tasks`, so that both ways mean the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.api.tasks import Tasks
from orch.model import command as cmd
from orch.model.errors import Conflict
from orch.model.run import TERMINAL, Run
from orch.model.task import CLOSED, Task

if TYPE_CHECKING:
    from orch.api.facade import Orch


class SpokenWishes:
    """`orch.engine.listener.Wishes` for a home."""

    def __init__(self, orch: Orch) -> None:
        self._orch = orch
        self._tasks = Tasks(orch)

    def of(self, name: str, argument: str, task: Task, who: str) -> tuple[cmd.Command, ...]:
        """What `/NAME ARGUMENT` asks for; empty where it is so already. A refusal is raised."""
        match name:
            case "retry":
                return self._retry(task, f"tried again by {who}")
            case "unblock":
                self._tasks.refuse_unblocked(task)
                return self._retry(task, f"unblocked by {who}")
            case "review":
                return self._review(task, who)
            case "close":
                return (self._tasks.to_close(task, f"closed by {who}"),)
            case "reroute":
                return self._reroute(task, argument, who)
            case "block":
                run = self._live(task)
                why = f"put aside by {who}" + (f": {argument}" if argument else "")
                return (cmd.BlockTask(task.id, why, run.id if run is not None else ""),)
        raise ValueError(f"{name} is no wish")

    def _retry(self, task: Task, why: str) -> tuple[cmd.Command, ...]:
        wish = self._tasks.to_retry(task, why)
        return (wish,) if wish is not None else ()

    def _review(self, task: Task, who: str) -> tuple[cmd.Command, ...]:
        """Its run looks at the pull request again, with whatever its workflow does then."""
        if not self._tasks.open_pulls(task):
            raise Conflict(
                f"task {task.id} has no open pull request that could be reviewed",
                code="no_pull_request", hint=f"orch task get {task.id}",
            )  # fmt: skip
        if task.state in ("blocked", "needs_review"):  # only /unblock and /retry let it go on
            raise Conflict(
                f"task {task.id} is held: {task.reason}", code="held",
                hint=f"orch task retry {task.id}",
            )  # fmt: skip
        return self._retry(task, f"review asked for by {who}")

    def _reroute(self, task: Task, agent: str, who: str) -> tuple[cmd.Command, ...]:
        """Who it waits for is another one now; what waited for a person goes on with them."""
        agent = agent.split(" ")[0].removeprefix("@").lower()
        if agent:
            repo = self._orch.store.repo(task.repo) if task.repo else None
            self._orch.rooms.choose_agent(agent, "", repo)
        chosen = cmd.RerouteTask(task.id, agent)
        waits = task.state in ("blocked", "needs_review") and task.state not in CLOSED
        return (chosen, *(self._retry(task, f"given to another by {who}") if waits else ()))

    def _live(self, task: Task) -> Run | None:
        run = self._orch.store.run(task.run) if task.run else None
        return run if run is not None and run.status not in TERMINAL else None
