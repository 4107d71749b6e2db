"""Random programs: a tree of steps, written once as generators and once as `async def`.

Each leaf has a name of its own and says in the result which answer it got, so that answers which
were crossed between parallel branches are seen wherever they end up.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from orch.model.effect import CreatePR
from orch.model.errors import Cancelled, StepError
from orch.model.pull import PullRequest
from orch.model.step import Outcome
from orch.workflow.driver import Request
from orch.workflow.program import Gather, Program, do
from tests.unit.workflow.stage import TREE, answer_to, ask, fails, word_of


@dataclass
class Node:
    """`kind` is `leaf`, `composite`, `seq`, `gather`, `fast` (a Gather with fail_fast), `call`,
    `catch`, `swallow` or `finally`. `name` is unique in its tree."""

    kind: str
    children: list[Node] = field(default_factory=list)
    fails: bool = False
    name: str = ""

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()


def _leaf(kind: str, failing: bool) -> Node:
    return Node(kind, fails=failing)


def _inner(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(children, max_size=4)
    one = st.tuples(children).map(list)
    return st.one_of(
        st.builds(Node, st.sampled_from(["seq", "gather", "fast"]), several),
        st.builds(Node, st.sampled_from(["call", "catch", "swallow", "finally"]), one),
    )


def _named(root: Node) -> Node:
    numbers = itertools.count()
    return _copied(root, numbers)


def _copied(node: Node, numbers: Iterator[int]) -> Node:
    """Hypothesis may hand out one object twice; every place gets its own name."""
    name = f"{node.kind}{next(numbers)}"
    return Node(node.kind, [_copied(c, numbers) for c in node.children], node.fails, name)


ONE_IN_SIX = st.integers(0, 5).map(lambda n: n == 5)
LEAVES = st.builds(_leaf, st.sampled_from(["leaf", "leaf", "leaf", "composite"]), ONE_IN_SIX)
_PARTS = st.lists(st.recursive(LEAVES, _inner, max_leaves=12), min_size=1, max_size=4)
TREES: st.SearchStrategy[Node] = _PARTS.map(lambda parts: _named(Node("seq", parts)))


def outcome_of(root: Node, request: Request) -> Outcome:
    """What the world answers: the leaves that are to fail do."""
    failing = {node.name for node in root.walk() if node.fails}
    return fails(word_of(request)) if word_of(request) in failing else answer_to(request)


def got(node: Node, value: Any) -> dict[str, Any]:
    return {"leaf": node.name, "value": value.title if isinstance(value, PullRequest) else value}


def right_value(leaf: str) -> str:
    """What a leaf must have got, whoever answered when."""
    return leaf if leaf.startswith("composite") else f"answer of {leaf}"


def effect_of(node: Node) -> Any:
    return ask(node.name) if node.kind == "leaf" else CreatePR(env=TREE, title=node.name)


def _is_leaf(node: Node) -> bool:
    return node.kind in ("leaf", "composite")


def _gathered(node: Node, values: list[Any]) -> list[Any]:
    pairs = zip(node.children, values, strict=True)
    return [got(child, value) if _is_leaf(child) else value for child, value in pairs]


def _caught(node: Node, error: StepError) -> str:
    if isinstance(error, Cancelled) and node.kind == "catch":
        raise error
    return f"caught {error.code}"


def by_yield(node: Node) -> Any:
    """The tree as generators."""
    if _is_leaf(node):
        return got(node, (yield effect_of(node)))
    if node.kind in ("gather", "fast"):
        branches = [effect_of(c) if _is_leaf(c) else yielding(c) for c in node.children]
        return _gathered(node, (yield Gather(branches, fail_fast=node.kind == "fast")))
    if node.kind == "seq":
        values = []
        for child in node.children:
            values.append((yield from by_yield(child)))  # noqa: PERF401 - it yields
        return values
    if node.kind == "call":
        return (yield yielding(node.children[0]))
    try:
        return (yield from by_yield(node.children[0]))
    except StepError as error:
        if node.kind == "finally":
            raise
        return _caught(node, error)
    finally:
        if node.kind == "finally":
            yield ask(f"cleanup of {node.name}")


async def by_await(node: Node) -> Any:
    """The same tree as coroutines."""
    if _is_leaf(node):
        return got(node, await effect_of(node))
    if node.kind in ("gather", "fast"):
        branches = [effect_of(c) if _is_leaf(c) else awaiting(c) for c in node.children]
        return _gathered(node, await Gather(branches, fail_fast=node.kind == "fast"))
    if node.kind == "seq":
        return [await by_await(child) for child in node.children]
    if node.kind == "call":
        return await awaiting(node.children[0])
    try:
        return await by_await(node.children[0])
    except StepError as error:
        if node.kind == "finally":
            raise
        return _caught(node, error)
    finally:
        if node.kind == "finally":
            await ask(f"cleanup of {node.name}")


# The same name for both, because a called workflow's name is part of the path.
def _play_yield() -> Any:
    def play(node: Node) -> Any:
        return (yield from by_yield(node))

    return do(play)


def _play_await() -> Any:
    async def play(node: Node) -> Any:
        return await by_await(node)

    return do(play)


yielding, awaiting = _play_yield(), _play_await()
FORMS: list[Any] = [yielding, awaiting]


class Expected(Exception):
    """The reference's failure; `args[0]` is its code."""


def reference(node: Node) -> Any:
    """What the tree gives when nobody ends it and no Gather fails fast: plain recursion."""
    if _is_leaf(node):
        if node.fails:
            raise Expected(node.name)
        return got(node, right_value(node.name))
    if node.kind == "seq":
        return [reference(child) for child in node.children]
    if node.kind == "gather":
        values, errors = [], []
        for child in node.children:
            try:
                values.append(reference(child))
            except Expected as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return values
    try:
        return reference(node.children[0])
    except Expected as error:
        if node.kind in ("catch", "swallow"):
            return f"caught {error.args[0]}"
        raise


def leaves_in(value: Any) -> Iterator[tuple[str, Any]]:
    """Every (leaf, value) that a result tells of."""
    if isinstance(value, dict):
        yield value["leaf"], value["value"]
    elif isinstance(value, list):
        for item in value:
            yield from leaves_in(item)


def program(tree: Node, form: Any) -> Program[Any]:
    made: Program[Any] = form(tree)
    return made
