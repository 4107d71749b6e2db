"""`orch logs -f`: everybody's lines as they come, those of later attempts too, until the run ends."""

from __future__ import annotations

import collections
import json
import os
import signal

from tests.acceptance.glass import Glass
from tests.acceptance.test_lifecycle import go, waiting_agent, working
from tests.acceptance.test_watch import TWO, talking
from tests.acceptance.world import World

AGAIN = """
@do
def workflow(issue):
    env = yield CreateWorktree(issue=issue)
    yield RunAgent(env=env, prompt="x", name="impl", retry=Retry(attempts=2, base_s=0.01))
"""


def test_lines_of_several_bear_their_names(world: World) -> None:
    world.configure({"one": talking(world, "echo hello; ")})
    world.start("run", world.flow(TWO), "--issue", "1")
    working(world, 2)
    following = world.start("logs", "-f", "@")
    first = {following.stdout.readline(), following.stdout.readline()}
    assert first == {"impl | hello\n", "check | hello\n"}
    go(world)
    out, err = following.communicate(timeout=60)
    assert (following.returncode, out, err) == (0, "", "")


def test_later_attempts_are_followed_too(world: World) -> None:
    shell, option, waits = waiting_agent(world)
    says = f"; echo attempt; test -e {world.root}/twice || {{ touch {world.root}/twice; exit 1; }}"
    world.configure({"one": [shell, option, waits + says]})
    world.start("run", world.flow(AGAIN), "--issue", "1")
    working(world)
    following = world.start("logs", "-f", "@", "--json")
    one = world.start("logs", "-f", "@:impl")
    go(world)
    out, _ = following.communicate(timeout=60)
    said = [json.loads(line) for line in out.splitlines()]
    assert all(set(item) == {"attempt", "stream", "text"} for item in said)
    assert [item["text"] for item in said] == ["attempt\n"] * 2
    attempts = [attempt["id"] for attempt in world.ask("show", "@")["attempts"]]
    assert [item["attempt"] for item in said] == attempts
    assert one.communicate(timeout=60)[0] == "attempt\nattempt\n"


def test_it_begins_with_the_last_lines(world: World) -> None:
    world.configure({"one": talking(world, "seq 1 50; printf half; ")})
    world.start("run", "basic_pr", "--issue", "1")
    working(world)
    following = world.start("logs", "-f", "-n", "3", "@")
    assert [following.stdout.readline() for _ in range(3)] == ["48\n", "49\n", "50\n"]
    everything = world.start("logs", "-f", "@")
    assert everything.stdout.readline() == "1\n"
    go(world)
    assert following.stdout.read() == "half\n"
    assert everything.stdout.read().endswith("\n50\nhalf\n")


def test_what_is_no_text_is_shown_and_characters_are_not_cut(world: World) -> None:
    cut = r"printf 'a\303'; sleep 0.5; printf '\251b\377\n'; "
    world.configure({"one": talking(world, cut)})
    world.start("run", "basic_pr", "--issue", "1")
    world.until(lambda: world.orch("ps", "-q").out, "the run")
    following = world.start("logs", "-f", "@")
    working(world)
    go(world)
    out, _ = following.communicate(timeout=60)
    assert out == "aéb\ufffd\n"


def test_a_terminal_gets_cleaned_text(world: World) -> None:
    world.configure(
        {"one": talking(world, r"printf '\033]0;owned\007\033[31mred\033[0m tail\n'; ")}
    )
    world.start("run", "basic_pr", "--issue", "1")
    working(world)
    glass = Glass(world)
    try:
        glass.orch("logs", "-f", "@")
        glass.shows("red tail")
        assert "\x1b[31m" not in glass.colours()
        glass.key("C-c")
        glass.type("echo code $?")
        glass.shows("code 130")
    finally:
        glass.close()
    piped = world.start("logs", "-f", "@")
    assert piped.stdout.readline() == "\x1b]0;owned\x07\x1b[31mred\x1b[0m tail\n"


def test_whoever_is_not_read_any_more_leaves(world: World) -> None:
    script = "while [ ! -e ../../../go ]; do echo line; sleep 0.05; done; echo x > f"
    shell, option, _ = waiting_agent(world)
    script = f"echo $ORCH_ATTEMPT >> {world.root}/ledger; " + script.replace(
        "../../..", str(world.root)
    )
    world.configure({"one": [shell, option, script]})
    world.start("run", "basic_pr", "--issue", "1")
    working(world)
    for words in (("logs", "-f", "@"), ("watch", "@"), ("watch", "@", "--json")):
        reader = world.start(*words)
        reader.stdout.readline()
        reader.stdout.close()
        assert reader.wait(timeout=60) == 130, words
    go(world)


def test_nobody_drives_is_said_and_a_typo_is_refused(world: World) -> None:
    world.configure({"one": talking(world)})
    driver = world.start("run", "basic_pr", "--issue", "1")
    working(world)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    following = world.start("logs", "-f", "@")
    assert "nobody drives run" in following.stderr.readline()
    os.kill(following.pid, signal.SIGINT)
    assert following.wait(timeout=60) == 130
    go(world)
    world.ask("resume", "@")
    world.refused("logs", "-f", "@:typo", code="unknown_agent", exit_code=3)
    assert world.orch("logs", "-f", "@:one").code == 0


def test_output_larger_than_what_is_kept_goes_on(world: World) -> None:
    """The middle of a very long output is dropped under the reader: it reads on."""
    shell, option, waits = waiting_agent(world)
    long = "; yes $(printf '%01000d' 0) | head -n 72000; echo the end"
    world.configure({"one": [shell, option, waits + long]})
    world.start("run", "basic_pr", "--issue", "1")
    working(world)
    following = world.start("logs", "-f", "@")
    go(world)
    seen = collections.deque(following.stdout, maxlen=1)
    assert following.wait(timeout=60) == 0
    assert list(seen) == ["the end\n"]
