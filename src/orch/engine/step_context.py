"""What a handler knows about the step it carries out, and how it waits.

Invariant: a handler waits only through `wait`, so that it can be interrupted while nothing is half
done; an act in flight is always finished and journaled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal

import msgspec

from orch.engine.waiting import due_of
from orch.engine.world import World
from orch.model.attempt import FINAL, Attempt
from orch.model.command import AttemptEnd, EndAttempt, Fact, NextAttempt, NoteAttempt
from orch.model.effect import encode_result
from orch.model.errors import Failure, OrchError, StepError
from orch.model.ids import attempt_id, step_key
from orch.model.naming import terminal
from orch.model.repo import Repo
from orch.model.run import Reason, Run
from orch.model.step import Outcome

Mode = Literal["cancel", "stop", "leave", "end"]
UNKNOWN_CODES = frozenset({
    "base_moved", "network", "git_timeout", "remote_missing", "repository_busy",
    "outcome_unknown", "host_unreachable", "host_limit", "host_pace", "host_reserve",
})  # fmt: skip
"""What may be well in a moment: it is looked at again, then the run waits; nothing is lost."""
MENDABLE_CODES = frozenset({
    "branch_moved", "embedded_repository", "history_replaced", "issue_broken", "needs_filter",
    "pr_broken", "repository_gone", "unreadable_file", "worktree_busy", "worktree_dirty",
    "worktree_missing",
})  # fmt: skip
"""What a person has to mend, after which the same step goes on: the run waits for them."""


class Interrupted(Exception):  # not an error: somebody wants the step no more
    """`cancel`: settle as cancelled; `stop`: end the program, keep the step; `leave`: let all be;
    `end`: end the program for good, settle as failed."""

    def __init__(self, mode: Mode, end: AttemptEnd | None = None) -> None:
        super().__init__(mode)
        self.mode = mode
        self.end = end


def may_pass(error: OrchError) -> bool:
    """Whether it may be well in a moment, or at a time that it names: a step is not over by it."""
    return error.code in UNKNOWN_CODES or bool(due_of(error))


class Unknown(Exception):
    """The outcome of an act is not known (no answer, network): look again later, not before `due`
    (seconds since the epoch) where a limit names a time."""

    def __init__(self, message: str, due: float = 0.0) -> None:
        super().__init__(message)
        self.due = due


class Mendable(Exception):
    """A person has to mend something first; `error` says what."""

    def __init__(self, error: OrchError) -> None:
        super().__init__(error.message)
        self.error = error


class GivenUp(Mendable):
    """The attempts of a queued task's step are spent, or none can help: a person has to decide."""


class PutAway(Exception):  # not an error: nothing is to be done until there is news
    """The step waits for something outside that may take days: the run is put away meanwhile."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.message)
        self.reason = reason


class Done(msgspec.Struct, frozen=True):
    """What a handler brings back: the outcome, facts it made true, how its attempt ended."""

    outcome: Outcome
    facts: tuple[Fact, ...] = ()
    end: AttemptEnd | None = None


def done(value: Any, *facts: Fact, end: AttemptEnd | None = None) -> Done:
    return Done(Outcome(msgspec.Raw(encode_result(value))), facts, end)


def failed(error: StepError, *facts: Fact, end: AttemptEnd | None = None) -> Done:
    failure = Failure(error.code, error.message, error.hint, type(error).__name__, dict(error.data))
    return Done(Outcome(failure=failure), facts, end)


class StepContext:
    """One step in flight. `key` names its effect on the world for ever."""

    def __init__(
        self, world: World, run: Run, repo: Repo, epoch: int, path: str, name: str,
        attempts: list[Attempt],
    ) -> None:  # fmt: skip
        self.world = world
        self.run = run
        self.repo = repo
        self.path = path
        self.worktree_name = name
        self.attempts = attempts
        self.key = step_key(world.store.install, run.id, path)
        self._epoch = epoch
        self._beside: dict[str, StepContext] = {}
        self._interrupt: asyncio.Future[Mode] = asyncio.get_running_loop().create_future()
        if attempts and attempts[-1].stop and attempts[-1].status not in FINAL:
            self.interrupt("end")  # asked for before anybody waited here

    def interrupt(self, mode: Mode) -> None:
        """Ask the handler to end; it answers at its next wait."""
        if not self._interrupt.done():
            self._interrupt.set_result(mode)

    @property
    def interrupted(self) -> Mode | None:
        return self._interrupt.result() if self._interrupt.done() else None

    async def wait(self, what: Coroutine[Any, Any, None]) -> None:
        """Wait for `what`, or raise `Interrupted`."""
        task = asyncio.ensure_future(what)
        both: set[asyncio.Future[Any]] = {task, self._interrupt}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
                return
            raise Interrupted(self._interrupt.result())
        finally:
            if not task.done():
                task.cancel()

    async def enter(self) -> None:
        """Wait for a place at work, if the run has none; interrupted like any other wait."""
        await self.wait(self.world.places.enter(self.run.id, self.run.repo))

    def new_attempt(self, n: int, **fields: Any) -> Attempt:
        """The n-th attempt of this step; its id and terminal follow from the path."""
        identifier = attempt_id(self.world.store.install, self.run.id, self.path, n)
        return Attempt(
            id=identifier, run=self.run.id, path=self.path, n=n, status="starting",
            terminal=terminal(identifier), directory=self.world.attempt_directory(identifier),
            started_at=self.world.clock.now(), resumed=self.run.resumed, **fields,
        )  # fmt: skip

    async def begin(self, attempt: Attempt, end: AttemptEnd | None = None) -> None:
        """Journal that `attempt` begins (in place of one that ended)."""
        await self.world.journal.send(
            NextAttempt(self.run.id, self._epoch, self.path, attempt, end)
        )
        if self.attempts and end is not None:
            self.note_end(end)
        self.attempts.append(attempt)

    def beside(self, path: str, attempts: list[Attempt]) -> StepContext:
        """Another step of the same run, to be carried on from here."""
        self._beside[path] = StepContext(
            self.world, self.run, self.repo, self._epoch, path, self.worktree_name, attempts
        )
        return self._beside[path]

    def carrying(self, path: str) -> StepContext | None:
        """The one that waits for the programs of the step at `path`: this, or one beside it."""
        return self if path == self.path else self._beside.get(path)

    async def end(self, end: AttemptEnd) -> None:
        """Journal the end of an attempt that no step is settled with. Twice is once."""
        await self.world.journal.send(EndAttempt(self.run.id, self._epoch, end))

    def note_end(self, end: AttemptEnd) -> None:
        """The books hold the end of the last attempt now; so do we."""
        self.attempts[-1] = msgspec.structs.replace(
            self.attempts[-1], status=end.status, code=end.code, message=end.message,
            ended_at=self.world.clock.now(), reset_at=end.reset_at, usage=end.usage,
        )  # fmt: skip

    async def note_over(self) -> None:
        """The step waits to be mended: is the program of its last attempt over?"""
        last = self.attempts[-1] if self.attempts else None
        if last is None or last.status in FINAL:
            return
        world = self.world
        record = await world.call("terminal.collect", world.terminals.exit_record, last.directory)
        if record is not None:
            await world.journal.send(NoteAttempt(self.run.id, self._epoch, last.id, over=True))

    async def note_running(self, attempt: Attempt) -> None:
        await self.world.journal.send(NoteAttempt(self.run.id, self._epoch, attempt.id))
