"""How long an agent of a person's own run may take, and how long it may be silent."""

from __future__ import annotations

import pytest

from tests.acceptance.world import World

QUIET = 'kind = "scripted"\nscript = [{ say = "begun" }, { hang = true }]\n'
LOUD = 'command = ["sh", "-c", "for n in $(seq 14); do echo $n; sleep 0.5; done; echo > x"]\n'


@pytest.mark.linux
def test_an_agent_without_a_sign_of_life_is_ended(world: World) -> None:
    world.configure({"one": QUIET + "idle_s = 1"})
    record = world.run("basic_pr", "--issue", "1", code=1)
    [attempt] = record["attempts"]
    assert (attempt["status"], attempt["code"]) == ("failed", "stuck")
    assert "no sign of life" in record["error"]["message"]
    assert not world.terminals()


@pytest.mark.linux
def test_one_that_goes_on_talking_is_left_alone(world: World) -> None:
    """H28: it idles, and says something now and then."""
    world.configure({"one": LOUD + "idle_s = 5"})
    assert world.run("basic_pr", "--issue", "1")["status"] == "done"


def test_an_agent_that_takes_too_long_is_ended(world: World) -> None:
    world.configure({"one": QUIET + "timeout_s = 1"})
    record = world.run("basic_pr", "--issue", "1", code=124)
    [attempt] = record["attempts"]
    assert attempt["code"] == "timeout"
