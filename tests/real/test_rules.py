"""What an agent is kept from: the main checkout, `rm`, and what a repository brings along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.world import World
from tests.real.machine import Machine

AGENTS = ("claude", "codex")
pytestmark = [pytest.mark.slow, pytest.mark.real]


def smuggled(world: World) -> Path:
    """The repository gets hooks and servers for agents, which leave a mark where they run. Gives the
    folder of the marks."""
    marks = world.root / "marks"
    marks.mkdir()

    def touch(name: str) -> dict[str, object]:
        return {"matcher": "*", "hooks": [{"type": "command", "command": f"touch {marks}/{name}"}]}

    events = ("SessionStart", "UserPromptSubmit", "PreToolUse", "Stop")
    hooks = json.dumps({"hooks": {name: [touch(f"hook-{name}")] for name in events}})
    server = {"command": "touch", "args": [str(marks / "server")]}
    files = {
        ".claude/settings.json": hooks,
        ".mcp.json": json.dumps({"mcpServers": {"evil": server}}),
        ".codex/hooks.json": hooks,
        ".codex/config.toml":
            f'[mcp_servers.evil]\ncommand = "touch"\nargs = [{json.dumps(str(marks / "server"))}]\n',
        "CLAUDE.md": "The word of this repository is rhubarb.\n",
        "AGENTS.md": "The word of this repository is rhubarb.\n",
    }  # fmt: skip
    for name, text in files.items():
        place = world.repo / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text, encoding="utf-8")
    world.git("add", "--all")
    world.git("commit", "--quiet", "--message=For agents")
    world.git("push", "--quiet", "origin", "main")
    return marks


@pytest.mark.parametrize("agent", AGENTS)
def test_what_a_repository_brings_along_for_agents_is_not_run(machine: Machine, agent: str) -> None:
    """Its words are read all the same."""
    world = machine.furnished(machine.agent(agent))
    marks = smuggled(world)
    assert world.run("basic_pr", "--issue", "1")["status"] == "done"
    assert not list(marks.iterdir())
    assert all(machine.told("rhubarb"))


@pytest.mark.parametrize("permissions", ["autonomous", "supervised"])
def test_a_persons_own_trust_in_the_checkout_does_not_reach_worktrees(
    machine: Machine, permissions: str
) -> None:
    """Codex finds a worktree's trust by its main checkout."""
    agent = machine.agent("codex", lines=f'permissions = "{permissions}"')
    world = machine.furnished(agent)
    marks = smuggled(world)
    [settings] = machine.folder.glob("codex-*/config.toml")
    trust = f'[projects."{world.repo}"]\ntrust_level = "trusted"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + trust, encoding="utf-8")
    process = world.start("run", "basic_pr", "--issue", "1", "--json")
    if permissions == "supervised":
        [asked] = world.until(lambda: world.ask("inbox"), "its question", 90)
        world.ask("inbox", "approve", asked["id"])
    assert process.wait(timeout=60) == 0
    assert not list(marks.iterdir())
    assert all(machine.told("rhubarb"))


def test_what_a_trusted_repository_brings_along_is_run(machine: Machine) -> None:
    """Which shows that the marks would have been left."""
    world = machine.furnished(machine.agent("claude"), more='[trust]\nagents = ["thing"]\n')
    marks = smuggled(world)
    assert world.run("basic_pr", "--issue", "1")["status"] == "done"
    assert {"hook-SessionStart", "hook-Stop"} <= {one.name for one in marks.iterdir()}


@pytest.mark.parametrize("agent", AGENTS)
def test_it_is_told_where_it_works_and_what_is_done_for_it(machine: Machine, agent: str) -> None:
    world = machine.furnished(machine.agent(agent))
    [attempt] = world.run("basic_pr", "--issue", "1")["attempts"]
    assert all(machine.told(f"You work in {attempt['worktree']}, a git worktree"))
    assert all(machine.told(f"above all {world.repo}. Do not push"))


@pytest.mark.parametrize(
    ("agent", "command"),
    [
        ("claude", "rm -rf README.md"),
        ("claude", "cd {main} && touch pwned"),
        ("codex", "touch {main}/pwned"),
        ("codex", "git -C {main} checkout -b pwned"),
    ],
)
def test_it_is_refused_and_told_so(machine: Machine, agent: str, command: str) -> None:
    """By Claude Code's own rules, by Codex's own sandbox."""
    world = machine.furnished(machine.agent(agent))
    before = world.git("rev-parse", "HEAD"), world.git("branch", "--list", "pwned")
    text = f"CMD<<{command.format(main=world.repo)}>>"
    world.ask("issue", "create", "Out of bounds", "--body", text)
    world.run("basic_pr", "--issue", "2", code=1)
    [attempt] = world.ask("show", "@")["attempts"]
    assert attempt["code"] in ("permission_denied", "no_change"), attempt
    assert not (world.repo / "pwned").exists()
    assert (world.repo / "README.md").exists()
    assert Path(attempt["worktree"], "README.md").exists()
    assert (world.git("rev-parse", "HEAD"), world.git("branch", "--list", "pwned")) == before


def test_a_persons_own_rules_hold_too(machine: Machine) -> None:
    world = machine.furnished(machine.agent("claude", lines='deny = ["Bash(printf *)"]'))
    world.run("basic_pr", "--issue", "1", code=1)
    [attempt] = world.ask("show", "@")["attempts"]
    assert attempt["code"] == "permission_denied", attempt
