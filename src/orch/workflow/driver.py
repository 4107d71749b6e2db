"""The driver: runs a workflow's Python, says which effects it asks for, takes their outcomes.

Invariant: pure. Given the same program and the same outcomes in the same order it asks for the same
effects at the same paths. It knows no clock, no store, no event loop. A path names a place in the
program: `2` is the third thing the workflow asked for, `2/gather.1/0` the first thing the second
branch of a Gather asked for, `3/create_pr/1` the second sub-step of a composite or called workflow.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from orch.model.effect import Effect, canonical, encode_result, kind_of
from orch.model.errors import Cancelled, EffectMisuse, Failure
from orch.model.step import Outcome
from orch.workflow.faults import cancelled, decoded, failure_in, file_of, misuse, shown
from orch.workflow.program import Gather, Program

PATIENCE = 1000
Expand = Callable[[Effect[Any]], Program[Any]]
Check = Callable[[str, str, bytes], None]


class Request(msgspec.Struct, frozen=True):
    """An effect the workflow asks for. `raw` is its encoding, `kind` its versioned name. Composite
    ones are carried out by their sub-steps and are listed for the record only."""

    path: str
    kind: str
    effect: Effect[Any]
    raw: bytes


class Progress(msgspec.Struct):
    """What one move brought: new requests, composites that closed, requests nobody wants any more
    (to be stopped and settled as cancelled), and the end."""

    requests: list[Request] = []
    closed: list[tuple[str, Outcome]] = []
    interrupt: list[str] = []
    finished: bool = False
    value: Any = None
    failure: Failure | None = None


class _Fiber:
    """One line of execution: the root, a branch of a Gather, a called workflow, a composite."""

    __slots__ = ("cancelling", "children", "counter", "done", "index", "join", "prefix", "routine",
                 "told", "waiting")  # fmt: skip

    def __init__(self, prefix: str, join: _Join | None, index: int) -> None:
        self.prefix = prefix
        self.join = join
        self.index = index
        self.routine: Any = None
        self.counter = 0
        self.waiting: str | None = None
        self.children: _Join | None = None
        self.cancelling = False
        self.told = False
        self.done = False


class _Join:
    """Where child fibers meet: a Gather (a list) or a single call (`single`)."""

    __slots__ = ("composite", "errors", "fail_fast", "fibers", "left", "owner", "path", "single",
                 "values")  # fmt: skip

    def __init__(
        self, owner: _Fiber, path: str, size: int, *, single: bool, fail_fast: bool
    ) -> None:
        self.owner = owner
        self.path = path
        self.single = single
        self.fail_fast = fail_fast
        self.composite = False
        self.fibers: list[_Fiber] = []
        self.values: list[Any] = [None] * size
        self.errors: list[BaseException | None] = [None] * size
        self.left = size


class Driver:
    """Drives one program. `expand` turns a composite effect into the program that carries it out;
    `check` is called with path, kind and encoding of everything asked for (a replay compares)."""

    def __init__(self, program: Program[Any], expand: Expand, check: Check | None = None) -> None:
        self._program = program
        self._expand = expand
        self.check = check
        self._waiting: dict[str, tuple[_Fiber, Effect[Any]]] = {}
        self._work: deque[tuple[_Fiber, Any, BaseException | None]] = deque()
        self._progress = Progress()
        self._root = _Fiber("", None, 0)
        self._routines: set[Any] = set()
        self._files: set[str] = set()

    @property
    def waiting(self) -> list[str]:
        """Paths of the requests without an outcome, in the order they were asked for."""
        return list(self._waiting)

    def start(self) -> Progress:
        """Run to the first requests."""
        self._call(self._root, self._program)
        return self._drain()

    def settle(self, path: str, outcome: Outcome) -> Progress:
        """Deliver the outcome of a request. `KeyError` if nothing waits at `path`."""
        fiber, effect = self._waiting.pop(path)
        fiber.waiting = None
        if outcome.failure is not None:
            self._work.append((fiber, None, outcome.failure.raised()))
        else:
            self._work.append((fiber, decoded(path, effect, outcome), None))
        return self._drain()

    def cancel(self) -> Progress:
        """End the program: every line of execution gets `Cancelled` once, at the place where it
        waits or at the next thing it asks for; what it asks for after that is carried out."""
        self._cancel_fiber(self._root)
        return self._drain()

    def close(self) -> None:
        """Let go of a program that will not be driven further here (a replay makes a fresh one).
        What its `finally` blocks ask for now is not carried out."""
        for routine in self._routines:
            for _ in range(PATIENCE):
                try:
                    routine.close()
                    break
                except RuntimeError:
                    continue  # it asked for something instead of ending: ask again
                except BaseException:  # noqa: BLE001 - the workflow's own code; nobody waits for it
                    break
        self._routines.clear()

    def _drain(self) -> Progress:
        while self._work:
            self._resume(*self._work.popleft())
        progress, self._progress = self._progress, Progress()
        return progress

    def _resume(self, fiber: _Fiber, value: Any, error: BaseException | None) -> None:
        if fiber.cancelling and isinstance(error, Cancelled):
            fiber.told = True
        try:
            item = fiber.routine.send(value) if error is None else fiber.routine.throw(error)
        except StopIteration as stop:
            self._finish(fiber, stop.value, None)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # noqa: BLE001 - whatever the workflow's own code raises
            self._finish(fiber, None, raised)
        else:
            self._asked(fiber, item)

    def _asked(self, fiber: _Fiber, item: Any) -> None:
        if fiber.cancelling and not fiber.told:
            self._work.append((fiber, None, cancelled()))
            return
        path = f"{fiber.prefix}{fiber.counter}"
        fiber.counter += 1
        if isinstance(item, Effect):
            self._effect(fiber, path, item)
        elif isinstance(item, Program):
            join = _Join(fiber, path, 1, single=True, fail_fast=False)
            self._open(join, [(f"{path}/{item.name}/", item)])
        elif isinstance(item, Gather):
            join = _Join(fiber, path, len(item.branches), single=False, fail_fast=item.fail_fast)
            named = [(f"{path}/gather.{i}/", b) for i, b in enumerate(item.branches)]
            self._open(join, named)
        else:
            self._work.append((fiber, None, misuse(shown(item))))

    def _effect(self, fiber: _Fiber, path: str, effect: Effect[Any]) -> None:
        try:
            effect, raw = canonical(effect)
        except EffectMisuse as refusal:
            self._work.append((fiber, None, refusal))
            return
        kind = kind_of(effect)
        if self.check is not None:
            self.check(path, kind, raw)
        self._progress.requests.append(Request(path, kind, effect, raw))
        if type(effect).composite:
            program = self._expand(effect)
            join = _Join(fiber, path, 1, single=True, fail_fast=False)
            join.composite = True
            self._open(join, [(f"{path}/{program.name}/", program)])
        else:
            fiber.waiting = path
            self._waiting[path] = (fiber, effect)

    def _open(self, join: _Join, branches: list[tuple[str, Any]]) -> None:
        join.owner.children = join
        if not branches:
            join.owner.children = None
            self._work.append((join.owner, [], None))
        join.fibers = [_Fiber(prefix, join, i) for i, (prefix, _) in enumerate(branches)]
        for fiber, (_, branch) in zip(join.fibers, branches, strict=True):
            self._call(fiber, branch)

    def _call(self, fiber: _Fiber, branch: Any) -> None:
        """Start a fiber on a workflow call; a bare effect or Gather is a workflow of one line."""
        program = branch if isinstance(branch, Program) else Program(_one, (branch,), {})
        if program is branch and (fiber.join is None or not fiber.join.composite):
            self._files.add(file_of(program.function))
        try:
            routine = program.function(*program.args, **program.kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # noqa: BLE001 - whatever the workflow's own code raises
            self._finish(fiber, None, raised)
            return
        if isinstance(routine, (types.GeneratorType, types.CoroutineType)):
            fiber.routine = routine
            self._routines.add(routine)
            self._work.append((fiber, None, None))
        elif isinstance(routine, types.AsyncGeneratorType):
            self._finish(fiber, None, misuse("a yield inside an async def (await there instead)"))
        else:
            self._finish(fiber, routine, None)

    def _finish(self, fiber: _Fiber, value: Any, error: BaseException | None) -> None:
        fiber.done = True
        self._routines.discard(fiber.routine)
        join = fiber.join
        if join is None:
            self._progress.finished = True
            self._progress.value = value
            self._progress.failure = failure_in(error, self._files) if error is not None else None
            return
        join.values[fiber.index] = value
        join.errors[fiber.index] = error
        join.left -= 1
        if error is not None and join.fail_fast:
            for sibling in join.fibers:
                self._cancel_fiber(sibling)
        if join.left == 0:
            self._close(join)

    def _close(self, join: _Join) -> None:
        join.owner.children = None
        error = _first(join)
        value = join.values[0] if join.single else list(join.values)
        if join.composite:
            outcome = (
                Outcome(failure=failure_in(error, self._files))
                if error is not None
                else Outcome(msgspec.Raw(encode_result(value)))
            )
            self._progress.closed.append((join.path, outcome))
        self._work.append((join.owner, None if error else value, error))

    def _cancel_fiber(self, root: _Fiber) -> None:
        """`root` and everything below it, in the order written; however deep, without recursion."""
        pending = [root]
        while pending:
            fiber = pending.pop()
            if fiber.done or fiber.cancelling:
                continue
            fiber.cancelling = True
            if fiber.waiting is not None:
                self._progress.interrupt.append(fiber.waiting)
            if fiber.children is not None:
                pending.extend(reversed(fiber.children.fibers))


def _first(join: _Join) -> BaseException | None:
    """The first error by position; where one failure stopped the siblings, that failure and not
    the `Cancelled` it caused in an earlier branch."""
    errors = [error for error in join.errors if error is not None]
    if join.fail_fast and not join.owner.cancelling:
        causes = [error for error in errors if not isinstance(error, Cancelled)]
        errors = causes or errors
    return errors[0] if errors else None


def _one(branch: Any) -> Any:
    return (yield branch)
