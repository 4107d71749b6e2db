"""What is the same for the forges of Gitea and GitLab beside the contract, over HTTP only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orch.config.secret import Secret
from orch.config.source_tree import ForgeConfig
from orch.git.memory import MemoryGit
from orch.model.errors import Conflict, UsageError
from orch.model.pull import PullRequest
from orch.plugins import FORGES, Premises, make
from orch.ports.reviews import Reviewed
from orch.testing.forges import SteppingClock, a_repo, opened
from orch.testing.repositories import MemoryRepositories, pushed, refused

SLUGS = ("thing", "one", "two", "a", "b", "c")
KEY = "status/7.0123456789abcdef0123"


@pytest.fixture
def hands() -> MemoryRepositories:
    return MemoryRepositories()


def merged(forge: Any, number: int = 1, **words: Any) -> PullRequest:
    given = {"strategy": "merge", "expected_head": "a" * 40, "key": "run/5#1"} | words
    return forge.merge_pr(a_repo(), number, **given)


def merged_once(forge: Any, project: Any, strategy: str) -> str:
    """Merges a first PR, which names the head and says which commit did it. The message to send."""
    opened(forge, "orch/a", title="Add", body="Why.")
    assert merged(forge, strategy=strategy, trial=True).state == "open"
    done = merged(forge, strategy=strategy)
    assert (done.state, done.merged_sha) == ("merged", project.branches["main"])
    assert done.merged_at == "2025-11-21T04:00:00Z"
    assert merged(forge, key="other") == done == forge.refresh_pr(a_repo(), 1)
    with refused(Conflict, "head_moved"):
        merged(forge, expected_head="c" * 40)
    for act in (forge.close_pr, forge.reopen_pr):
        with refused(Conflict, "pr_merged"):
            act(a_repo(), 1)
    text = "Add (#1)\n\nWhy."
    if strategy == "merge":
        text = "Merge pull request thing#1 from orch/a\n\nAdd"
    return f"{text}\n\nOrch-Key: run/5#1"


def deleted_as_merged(
    forge: Any, hands: MemoryRepositories, world: Any, settle: Callable[[], object]
) -> None:
    """The branch of the first PR goes when `settle` has merged it, and if nobody has pushed since."""
    repo = hands.repository()
    worktree, head = pushed(hands.git, hands, repo)
    world.grows = head
    opened(forge, worktree.branch, repo, head_sha=head)
    with refused(Conflict, "pr_not_merged"):
        forge.delete_head(repo, 1)
    settle()
    hands.commit_remotely(repo, worktree.branch, {"b.txt": "x\n"})
    with refused(Conflict, "head_moved"):
        forge.delete_head(repo, 1)
    hands.set_remotely(repo, worktree.branch, head)
    assert forge.delete_head(repo, 1)
    assert not forge.delete_head(repo, 1)


def plugged(
    kind: str, standin: Any, token: str, owner: str, clock: SteppingClock, directory: Path
) -> None:
    """It is a plugin, for the repositories of its server only."""
    made = make(FORGES, kind, Premises(
        name="work", directory=directory, environ={}, clock=clock, git=MemoryGit(),
        settings=ForgeConfig(base_url=standin.url, token=Secret(token)),
    ))  # fmt: skip
    standin.environ("octo")
    assert isinstance(made, Reviewed)
    there = replace(a_repo(), remote_url=f"{standin.url}/{owner}/thing.git")
    assert opened(made, "orch/a", there).forge == "work"
    with refused(UsageError, "no_project"):
        made.find_pr(replace(a_repo("two"), remote_url=f"git@github.com:{owner}/two.git"), "x")
