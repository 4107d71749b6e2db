"""`@do`, `Gather` and what a workflow may yield: an effect, a `Gather`, another workflow's call.

Invariant: calling a workflow runs nothing. It makes a `Program`, which the driver starts when it is
yielded, awaited, gathered or run.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, ParamSpec, TypeVar

from orch.model.effect import Effect

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Program(Generic[T]):
    """A call of a workflow, not started yet. `yield`, `yield from` and `await` give its result."""

    __slots__ = ("args", "function", "kwargs", "name")

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.args = args
        self.kwargs = kwargs

    def __await__(self) -> Generator[Any, Any, T]:
        result: T = yield self
        return result

    __iter__ = __await__

    def __repr__(self) -> str:
        return f"<call of workflow {self.name}>"


class Workflow(Generic[P]):
    """A function decorated with `@do`."""

    def __init__(self, function: Callable[P, Any]) -> None:
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Program[Any]:
        inspect.signature(self.function).bind(*args, **kwargs)  # a wrong call fails where it stands
        return Program(self.function, args, kwargs)


def do(function: Callable[P, Any]) -> Workflow[P]:
    """Make a workflow of a generator function (`yield effect`) or an `async def` (`await effect`)."""
    return Workflow(function)


class Gather:
    """Run effects and workflow calls in parallel; gives their results in the order written.

    Waits for all, then raises the first failure by position. With `fail_fast` the first failure
    stops the siblings.
    """

    __slots__ = ("branches", "fail_fast")

    def __init__(
        self,
        *branches: Effect[Any] | Program[Any] | Gather | Iterable[Any],
        fail_fast: bool = False,
    ) -> None:
        listed: list[Any] = []
        for branch in branches:
            if isinstance(branch, (Effect, Program, Gather)):
                listed.append(branch)
            elif not isinstance(branch, (str, bytes)) and hasattr(branch, "__iter__"):
                listed.extend(branch)
            else:
                listed.append(branch)
        self.branches = tuple(listed)
        self.fail_fast = fail_fast

    def __await__(self) -> Generator[Any, Any, list[Any]]:
        result: list[Any] = yield self
        return result
