"""The runner drives one run: workflow code on one side, steps on the other, the journal between.

Invariant: strictly sequential moves. A move delivers outcomes to the workflow, then writes them with
everything the workflow asked for next in one transaction; only then does anything act. So a crash at
any point leaves either the old or the new state, and a replay arrives at the same place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from orch.engine import beside
from orch.engine.flights import Flights
from orch.engine.moves import Move, Moves
from orch.engine.step_context import Done, Mode
from orch.engine.world import World
from orch.model.attempt import Attempt
from orch.model.command import Advance, Finish
from orch.model.effect import COMPOSITE_KINDS
from orch.model.errors import Failure, NonDeterminism, OrchError, failure_of
from orch.model.heard import HELD
from orch.model.plain import plain_data
from orch.model.repo import Repo
from orch.model.run import Reason, Run, Unresolved
from orch.workflow.driver import Progress
from orch.workflow.sources import Modules

Prepare = Callable[[Run, Modules], Any]
FATAL = frozenset({"disk_full", "engine_replaced", "database_corrupt", "database_io"})


class Runner:
    """Drives one run until it ends, blocks, or is left. `epoch` proves that we are the engine;
    `prepare` makes the program of a run from its modules."""

    def __init__(self, world: World, run: Run, repo: Repo, epoch: int, prepare: Prepare) -> None:
        self._world = world
        self._run = run
        self._epoch = epoch
        self._asked_for = 0
        self._prepare = prepare
        self._moves = Moves(world, run)
        self._mail: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._flights = Flights(world, run, repo, epoch, lambda *m: self._mail.put_nowait(m))
        self._leaving: Mode | None = None
        self._aborting = run.cancel_seq > 0
        self._deadline = 0.0
        self._over = False

    def stop(self, mode: str) -> None:
        """`stop` (resumable), `abort` (final) or `leave` (somebody else goes on)."""
        self._mail.put_nowait(("ask", mode))

    def end_attempts(self, attempts: Sequence[Attempt]) -> None:
        """A person wants these to end, for good; the run goes on."""
        self._mail.put_nowait(("end", attempts))

    def look_at_gates(self) -> None:
        """An answer may have been recorded."""
        self._mail.put_nowait(("gates", None))

    async def drive(self) -> None:
        """Until the run has ended, is blocked, or was left. Faults of the journal are raised."""
        if self._aborting:
            self._set_deadline()
        try:
            move = await self._arrive()
            if move is not None:
                await self._write(move)
                await self._loop()
        finally:
            try:
                await self._flights.land()
            finally:
                await self._let_go()

    async def _arrive(self) -> Move | None:
        """Replay; None when that already ended or blocked the run."""
        store = self._world.store

        def load() -> Move:
            sources = {source.module: source for source in store.sources(self._run.id)}
            steps = store.steps(self._run.id)
            modules = Modules(sources)
            self._asked_for = len(steps)
            return self._moves.arrive(self._prepare(self._run, modules), modules, steps)

        try:
            return await self._advance(load)
        except NonDeterminism as error:
            hint = f"orch show {self._run.id}"
            await self._give_up(Reason("human", error.code, error.message, hint))
        except TimeoutError:
            await self._give_up(self._stuck())
        except Exception as error:
            if isinstance(error, OrchError) and error.data.get("scope") == "row":
                await self._give_up(Reason("human", error.code, error.message, error.hint))
                return None
            if isinstance(error, OrchError) and error.code in FATAL:
                raise
            if self._run.stop == "abort":
                await self._end_without_workflow()
            else:
                await self._end(Finish("error", error=failure_of(error)))
        return None

    async def _give_up(self, reason: Reason) -> None:
        """The workflow's code cannot go on: wait for a person, or, where one asked for the end,
        end the run without it (an abort must never depend on code that hangs)."""
        if self._aborting or self._run.stop == "abort":
            await self._end_without_workflow()
        else:
            await self._block(reason)

    async def _end_without_workflow(self) -> None:
        """End the programs of the run, then the run; what was open is listed as unresolved."""
        world, run = self._world, self._run
        await self._flights.land()
        sentence = "the workflow did not come back to settle it"
        unresolved = tuple(
            Unresolved(step.path, step.kind, sentence)
            for step in world.store.steps(run.id)
            if step.outcome is None and step.kind not in COMPOSITE_KINDS
        )
        await self._end(Finish("aborted", unresolved=unresolved))

    async def _let_go(self) -> None:
        """Close the workflow's generators; code that hangs even then is left on its thread."""
        deadline = self._world.limits.advance_deadline_s
        try:
            await asyncio.wait_for(self._world.advance(self._moves.close), deadline)
        except TimeoutError:
            return
        except asyncio.CancelledError:
            self._moves.close()  # no time is left for doing it elsewhere
            raise

    async def _loop(self) -> None:
        while not self._over:
            if not self._flights and self._leaving:
                await self._left()
                return
            if not self._flights and self._flights.gates and not self._aborting:
                answers = self._flights.answered()
                if answers:
                    await self._move(answers)
                    continue
                if self._mail.empty():
                    await self._block(self._gated())
                    return
            batch = await self._receive()
            if batch is None:
                await self._end(Finish("aborted", unresolved=self._flights.unresolved()))
                return
            await self._handle(batch)

    async def _receive(self) -> list[tuple[str, Any]] | None:
        """All mail there is; None when an aborted run's time is up."""
        try:
            if self._aborting:
                left = self._deadline - self._world.clock.monotonic()
                first = await asyncio.wait_for(self._mail.get(), max(0.0, left))
            else:
                first = await self._mail.get()
        except TimeoutError:
            return None
        batch = [first]
        while not self._mail.empty():
            batch.append(self._mail.get_nowait())
        return batch

    async def _handle(self, batch: list[tuple[str, Any]]) -> None:
        outcomes = [content for word, content in batch if word == "done"]
        for word, content in batch:
            if word == "fault":
                raise content
            if word == "gates":
                outcomes.extend(self._flights.answered())
        if outcomes or any(word == "more" for word, _ in batch):
            await self._move(outcomes)
        for word, content in batch:
            if self._over:
                return
            if word == "ask":
                await self._asked(content)
            elif word == "end" and self._leaving is None:
                for attempt in content:
                    self._flights.end(attempt)
            elif word == "away":
                await self._wait_or_end(*content)
            elif word in ("unknown", "mend", "given_up"):
                path, kind, why = content
                await self._wait_or_end(path, kind, self._reason(word, path, kind, why))

    async def _advance(self, work: Callable[[], Move]) -> Move:
        """Run the workflow's own code: off the loop, with a deadline."""
        move: Move = await asyncio.wait_for(
            self._world.advance(work), self._world.limits.advance_deadline_s
        )
        return move

    async def _move(self, outcomes: list[tuple[str, Done]], *, cancel: bool = False) -> None:
        try:
            move = await self._advance(lambda: self._moves.deliver(outcomes, cancel=cancel))
        except TimeoutError:
            await self._give_up(self._stuck())
            return
        await self._write(move)

    async def _write(self, move: Move) -> None:
        """Journal a move, then act on it."""
        starts = [] if self._leaving else move.starts
        for request in starts:
            plan = move.planned.get(request.path)
            if plan is not None:
                attempt = self._flights.first_attempt(request)
                move.planned[request.path] = msgspec.structs.replace(plan, attempt=attempt)
        finish = self._finish(move.finished) if move.finished else None
        if finish is not None:
            ending = (settle.end.id for settle in move.settled if settle.end is not None)
            await beside.end_run(self._world, self._run, self._epoch, frozenset(ending))
        at_once = sum(settle.plan is not None for settle in move.settled)
        self._asked_for += len(move.planned) + at_once
        if self._asked_for > self._world.limits.max_steps and not self._aborting and finish is None:
            await self._give_up(self._endless())
            return
        if move.settled or move.planned or move.cancel or finish:
            await self._world.journal.send(
                Advance(
                    run=self._run.id, epoch=self._epoch, settled=tuple(move.settled),
                    planned=tuple(move.planned.values()), cancel=move.cancel, finish=finish,
                )
            )  # fmt: skip
        if finish is not None:
            self._over = True
            return
        for request in starts:
            self._flights.start(request, self._moves.name_of(request.path))
        for path in move.interrupt:
            self._flights.interrupt(path, "cancel")
        if move.more:
            self._mail.put_nowait(("more", None))

    def _finish(self, progress: Progress) -> Finish:
        unresolved = self._flights.unresolved()
        if self._aborting:
            return Finish("aborted", unresolved=unresolved)
        if progress.failure is not None:
            return Finish("error", error=self._named(progress.failure), unresolved=unresolved)
        return Finish("done", result=plain_data(progress.value), unresolved=unresolved)

    def _named(self, failure: Failure) -> Failure:
        """With this run's id in its hint: `@`, the last run, will be another one some day."""
        hint = failure.hint.replace(" @:", f" {self._run.id}:")
        return msgspec.structs.replace(failure, hint=hint)

    async def _asked(self, mode: str) -> None:
        if mode == "abort" and not self._aborting:
            self._aborting, self._leaving = True, None
            self._set_deadline()
            await self._move([], cancel=True)
        elif not self._aborting and self._leaving is None and mode != "abort":
            self._leaving = "stop" if mode == "stop" else "leave"
            self._flights.interrupt_all(self._leaving)
        elif mode == "leave":
            self._leaving = "leave"
            self._over = True  # an abort under way is taken up by the next engine

    def _set_deadline(self) -> None:
        limits = self._world.limits
        self._deadline = self._world.clock.monotonic() + limits.cancel_deadline_s

    async def _left(self) -> None:
        if self._leaving == "stop":
            await beside.end_all(self._world, self._run, self._epoch, frozenset())
            run = self._world.store.run(self._run.id)
            if run is not None and run.stop_why:  # no news wakes what a person has put aside
                again = f"orch task retry {run.task}"
                await self._block(Reason("human", HELD, run.stop_why, again))
                return
            hint = f"orch resume {self._run.id}"
            await self._block(Reason("stopped", "stopped", "stopped by a person", hint))

    def _reason(self, word: str, path: str, kind: str, why: Any) -> Reason:
        """Why a step cannot go on: what is outside does not answer, or a person has to mend
        something, or to decide what becomes of a queued task."""
        again = f"orch resume {self._run.id}"
        if word == "unknown":
            message = f"step {path} ({kind}) cannot go on: {why}"
            return Reason("dependency", "unreachable", message, again)
        if word == "given_up":
            return Reason("human", why.code, why.message, why.hint)
        message = f"step {path} ({kind}) waits to be mended: {why.message}"
        return Reason("human", why.code, message, f"{why.hint.rstrip('.')}; then: {again}")

    async def _wait_or_end(self, path: str, kind: str, reason: Reason) -> None:
        """Wait for the person; a run that they end already ends, with the step as unresolved."""
        if not self._aborting:
            await self._block(reason)
            return
        left = Unresolved(path, kind, reason.message)
        await self._end(Finish("aborted", unresolved=(*self._flights.unresolved(), left)))

    async def _block(self, reason: Reason) -> None:
        await self._world.journal.send(Advance(run=self._run.id, epoch=self._epoch, blocked=reason))
        self._over = True

    async def _end(self, finish: Finish) -> None:
        await beside.end_run(self._world, self._run, self._epoch, frozenset())
        await self._world.journal.send(Advance(run=self._run.id, epoch=self._epoch, finish=finish))
        self._over = True

    def _gated(self) -> Reason:
        message = f"waits for a person: {self._flights.questions()}"
        several = len(self._flights.gates) > 1
        hint = f"orch gate list {self._run.id}" if several else f"orch gate approve {self._run.id}"
        return Reason("human", "gate", message, hint)

    def _endless(self) -> Reason:
        most = self._world.limits.max_steps
        return Reason(
            "human",
            "too_many_steps",
            f"the workflow has asked for more than {most} steps ([run] max_steps)",
            f"orch stop --abort {self._run.id}",
        )

    def _stuck(self) -> Reason:
        return Reason(
            "human",
            "workflow_stuck",
            "the workflow's own code did not come back in time; it may only ask for effects",
            f"orch stop --abort {self._run.id}",
        )
