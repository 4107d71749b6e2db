"""`run_sync`: a workflow run from any Python program."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.acceptance.world import World

PROGRAM = """
from orch import *

@do
def ship(name="x", fail=False):
    env = yield CreateWorktree(name=name)
    if fail:
        yield RunCommand(env=env, command=["false"], check=True)
    if name == "gate":
        yield Gate("Ship?")
    said = yield RunCommand(env=env, command=["echo", name])
    return said.stdout

if __name__ == "__main__":
    {call}
"""


def play(world: World, call: str, *, text: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    path = world.root / "program.py"
    path.write_text(text.replace("{call}", call))
    return subprocess.run(
        [sys.executable, str(path)], cwd=world.root, env=world.environ(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_it_gives_the_result_and_leaves_a_run(world: World) -> None:
    done = play(world, 'print(run_sync(ship, params={"name": "a-b"}), end="")')
    assert (done.returncode, done.stdout) == (0, "a-b\n"), done.stderr
    [run] = world.ask("ps")
    assert (run["status"], run["workflow"]) == ("done", "program")


def test_a_failure_is_the_workflow_s_own_error(world: World) -> None:
    call = """
    try:
        run_sync(ship, params={"fail": True})
    except CommandFailed as error:
        print(error.code, error.data["exit_code"])
"""
    assert play(world, call.strip()).stdout == "command_failed 1\n"


def test_one_that_waits_says_how_to_go_on(world: World) -> None:
    call = """
    try:
        run_sync(ship, params={"name": "gate"})
    except RunBlocked as error:
        print(error.data["reason"], error.hint.partition(" ")[0])
"""
    assert play(world, call.strip()).stdout == "gate orch\n"
    assert world.orch("gate", "approve", "@").code == 0
    assert world.ask("resume", "@")["result"] == "gate\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (PROGRAM.replace('if __name__ == "__main__":', "if True:"), "below: if __name__"),
        ("import asyncio\n" + PROGRAM.replace(
            "    {call}", "    async def main():\n        run_sync(ship)\n    asyncio.run(main())"
        ), "asyncio.to_thread"),
        (PROGRAM.replace("{call}", "run_sync(do(lambda: None))"), "top level of a file"),
    ],
    ids=["unguarded", "in a loop", "no name"],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_way_out(world: World, text: str, code: str) -> None:
    done = play(world, "run_sync(ship)", text=text)
    assert done.returncode == 1
    assert code in done.stderr + str(world.ask("ps")), done.stderr


def test_a_function_of_a_file_can_be_run_by_name(world: World) -> None:
    path = world.root / "program.py"
    path.write_text(PROGRAM.replace("{call}", "pass"))
    assert world.run(f"{path}:ship")["result"] == "x\n"
    world.refused("run", f"{path}:shop", code="no_entry", exit_code=3)
