"""What workflows, and so agents, write outward is cleaned there (H95; RELIABILITY §2, 3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.world import World

TOKEN = "canary-7f3a9b2e51c8d604"
SAYS = f"""
@do
def told(issue=None):
    env = yield CreateWorktree(name="work")
    yield RunCommand(env=env, command=["sh", "-c", "echo work > work.txt"])
    said = "Thanks @cat, the token is {TOKEN}. Fixes #99\\n\\nOrch-Key: stolen"
    yield Commit(env=env, message=said)
    ticket = yield CreateIssue(title="Ask @cat", body=said, labels=["bug", "status:done"])
    pull = yield CreatePR(
        env=env, title=said.splitlines()[0], body=said + "\\n\\n![x](https://evil.example/p)"
    )
    return {{"ticket": ticket, "pull": pull}}
"""


@pytest.fixture
def made(world: World) -> Any:
    return world.run(world.flow(SAYS), env={"GITHUB_TOKEN": TOKEN})


def test_nothing_that_leaves_holds_a_secret_or_names_anybody(world: World, made: Any) -> None:
    pull, ticket = made["result"]["pull"], made["result"]["ticket"]
    commit = world.git("log", "-1", "--format=%B", pull["head_sha"], where=world.remote)
    texts = [pull["title"], pull["body"], ticket["title"], ticket["body"], commit]
    for text in texts:
        assert TOKEN not in text
        assert "@cat" not in text
        assert "#99" not in text
    assert "the token is ***" in pull["body"]
    assert "![x](" not in pull["body"]
    assert ticket["labels"] == ["bug"]
    assert "Orch-Key: stolen" not in commit
    assert commit.count("\nOrch-Key: ") == 1


def test_what_was_done_to_a_text_is_told(world: World, made: Any) -> None:
    told = world.orch("show", made["id"], "--trace", "--json").out
    assert "the commit message was cleaned: mentions silenced (1)" in told
    assert "the text of the pull request was cleaned: " in told


def test_a_replay_asks_for_the_same_and_sends_the_same(world: World) -> None:
    flow = world.flow(SAYS.replace("    return {", "    yield Gate(name='ok')\n    return {"))
    run = world.run(flow, code=6, env={"GITHUB_TOKEN": TOKEN})
    world.ask("gate", "approve", run["id"])
    done = world.ask("resume", run["id"], env={"GITHUB_TOKEN": TOKEN})
    assert done["status"] == "done"
    (pull,) = world.ask("pr", "list", "--state", "all")
    assert TOKEN not in pull["title"]
