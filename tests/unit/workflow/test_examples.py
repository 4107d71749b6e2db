"""Made-up values fit their schema, whatever the schema."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from orch.model import effect as fx
from orch.model.attempt import AgentResult
from orch.model.pull import PullRequest
from orch.model.run import Run
from orch.model.ticket import Ticket
from orch.model.worktree import TreeState, Worktree
from orch.workflow.examples import example


class Verdict(msgspec.Struct):
    approved: bool
    comments: list[str] = []


class Tree(msgspec.Struct):
    word: Literal["yes", "no"]
    count: int
    children: list[Tree] = []
    parent: Tree | None = None


TYPES: list[Any] = [
    Verdict, Tree, AgentResult, PullRequest, Ticket, Worktree, TreeState, Run, fx.CommandResult,
    fx.GateAnswer, str, int, float, bool, None, list[int], dict[str, int], tuple[int, str],
    int | str, Worktree | None, list[Verdict],
]  # fmt: skip


@pytest.mark.parametrize("kind", TYPES, ids=str)
@pytest.mark.parametrize("yes", [True, False])
def test_every_type_of_ours_has_an_example(kind: Any, yes: bool) -> None:
    value = example(msgspec.json.schema(kind), yes=yes)
    msgspec.json.decode(msgspec.json.encode(value), type=kind)


def test_yes_and_no_are_told_apart() -> None:
    schema = msgspec.json.schema(Verdict)
    assert example(schema) == {"approved": True, "comments": []}
    assert example(schema, yes=False) == {"approved": False, "comments": ["made up"]}
    word = {"enum": ["approve", "reject"]}
    assert (example(word), example(word, yes=False)) == ("approve", "reject")


LIMITED = [
    ({"type": "integer", "minimum": 5}, 5),
    ({"type": "integer", "exclusiveMinimum": 5}, 6),
    ({"type": "integer", "maximum": -2}, -2),
    ({"type": "string", "minLength": 10}, "made up..."),
    ({"type": "string", "maxLength": 2}, "ma"),
    ({"type": ["null", "boolean"]}, True),
    ({"anyOf": [{"type": "null"}, {"const": 7}]}, 7),
    ({"type": "array", "minItems": 2, "items": {"type": "boolean"}}, [True, True]),
    ({"properties": {"a": {"type": "boolean"}}}, {"a": True}),
    ({}, "made up"),
    ({"$ref": "#/$defs/gone"}, None),
    ({"$ref": "#"}, None),
]


@pytest.mark.parametrize(("schema", "value"), LIMITED)
def test_limits_are_kept_and_odd_schemas_end(schema: dict[str, Any], value: Any) -> None:
    assert example(schema) == value
