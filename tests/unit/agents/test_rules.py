"""What agents are told, and forbidden."""

from __future__ import annotations

import pytest

from orch.agents import rules
from orch.model.worktree import Worktree
from orch.ports import AgentRequest
from orch.testing.agents import asked

TREE = "/home/me/.orch/worktrees/thing/w"


def request(checkout: str, tree: str = TREE) -> AgentRequest:
    worktree = Worktree(
        repo="thing", name="w", branch="b", path=tree, base_branch="main", base_commit="0" * 40
    )
    return asked(worktree=worktree, directory="/d", checkout=checkout)


def test_the_main_checkout_is_a_persons() -> None:
    found = rules.forbidden(request("/src/thing"), ("WebFetch",))
    assert found == (
        "Bash(rm *)", "Bash(rm -*)", "Bash(cd /src/thing*)", "Read(//src/thing/**)",
        "Edit(//src/thing/**)", "WebFetch",
    )  # fmt: skip
    assert "above all /src/thing." in rules.told(request("/src/thing"))


@pytest.mark.parametrize(
    ("checkout", "tree"),
    [
        ("", TREE),
        (TREE, TREE),
        ("/home/me", TREE),  # the worktree lies in it: its own files would be forbidden
        ("/src/a (copy)/thing", TREE),  # no pattern can name it
    ],
)
def test_what_no_rule_can_say_is_left_to_the_words(checkout: str, tree: str) -> None:
    assert rules.forbidden(request(checkout, tree), ()) == rules.ALWAYS
    assert tree in rules.told(request(checkout, tree))
