"""The whole of it, as a person has it: a service, three repositories, agents of every kind, a job, a
parent with children; everything ends in the right state with the right reason while nobody watches.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orch.model import command as cmd
from orch.model.event import Actor
from orch.model.job import Job
from orch.store.sqlite import SqliteStore
from tests.acceptance import world as worlds
from tests.acceptance.world import World

RULES = """
[service]
max_parallel = 4
[retry]
base_s = 0.2
max_s = 0.4
max_attempts = 3
[run]
stop_grace_s = 1
"""
WORK = 'echo "work of $ORCH_ATTEMPT" > work.txt'
TWICE = (
    'n=$(cat "$HOME/count.{name}" 2>/dev/null || echo 0); echo $((n+1)) > "$HOME/count.{name}";'
    ' [ "$n" -ge {times} ] && {{ ' + WORK + "; exit 0; }}; {fails}"
)
SAYS = """printf '%s' '{record}' > "$ORCH_RESULT_FILE" """
USED = (
    '{"status": "done", "summary": "Slow and good",'
    ' "usage": {"input_tokens": 1200, "output_tokens": 34}, "cost_usd": 0.5}'
)
AGENTS: dict[str, tuple[str, str]] = {
    "fast": (WORK, ""),
    "slow": (f"sleep 2; {WORK}; {SAYS.format(record=USED)}", ""),
    "twice": (
        TWICE.format(name="twice", times=2, fails='echo "error: bad luck $n$n" >&2; exit 3'),
        "",
    ),
    "hangs": ("sleep 600", "timeout_s = 0.5"),
    "floods": (f"head -c 100000000 /dev/zero | tr '\\0' 'x'; {WORK}", ""),
    "garbage": (f"head -c 1000000 /dev/urandom; head -c 5000 /dev/urandom >&2; {WORK}", ""),
    "asks": (SAYS.format(record='{"status": "needs_review", "summary": "Which colour?"}'), ""),
    "limited": (
        TWICE.format(name="limited", times=1, fails='echo "error: 429 rate limit" >&2; exit 1'),
        "",
    ),
    "daemon": (f"(setsid sh -c 'exec >/dev/null 2>&1 </dev/null; sleep 307' &); {WORK}", ""),
    "lies": (SAYS.format(record='{"status": "done", "summary": "All is done!"}'), ""),
    "idle": ("echo 'nothing to do here'", ""),
    "left": ("echo left > README.md", ""),
    "right": ("echo right > README.md", ""),
}
CALM = ("done", "in_review", "needs_review", "cancelled")

ENDS: dict[str, tuple[str, str, str]] = {
    "fast": ("in_review", "pull request", "succeeded"),
    "slow": ("in_review", "pull request", "succeeded"),
    "twice": ("in_review", "pull request", "failed failed succeeded"),
    "hangs": ("needs_review", "ran out of time", "failed failed failed"),
    "floods": ("in_review", "pull request", "succeeded"),
    "garbage": ("in_review", "pull request", "succeeded"),
    "asks": ("needs_review", "Which colour?", "failed"),
    "limited": ("in_review", "pull request", "failed succeeded"),
    "daemon": ("in_review", "pull request", "succeeded"),
    "lies": ("needs_review", "changed nothing: All is done!", "failed"),
    "idle": ("needs_review", "changed nothing: nothing to do here", "failed"),
    "left": ("in_review", "pull request", "succeeded"),
    "right": ("in_review", "pull request", "succeeded"),
}
"""State, a part of the reason, and how the attempts ended."""


@pytest.fixture
def world(person: Path) -> Iterator[World]:
    made = worlds.make(person)
    made.configure(
        {
            name: f"command = {json.dumps(['sh', '-c', script])}\npass_env = ['HOME']\n{more}"
            for name, (script, more) in AGENTS.items()
        },
        RULES,
    )
    yield made
    made.orch("service", "stop")
    made.close()


def three_repositories(world: World) -> None:
    """`thing`, and two copies of it with remotes of their own."""
    world.ask("repo", "add", str(world.repo))
    for name in ("second", "third"):
        remote = world.root / f"{name}.git"
        world.git("clone", "--quiet", "--bare", str(world.remote), str(remote), where=world.root)
        world.git("clone", "--quiet", str(remote), str(world.root / name), where=world.root)
        world.ask("repo", "add", str(world.root / name))


def due_job(world: World) -> None:
    """A job that was added an hour ago, before somebody switched the machine off."""
    books = SqliteStore(world.home / "orch.db", now=lambda: time.time() - 3600, install="i")
    now = time.gmtime(time.time() - 120)
    job = Job(
        id="", title="Nightly", schedule=f"{now.tm_min} {now.tm_hour} * * *", repo="third",
        agent="fast",
    )  # fmt: skip
    books.send(cmd.AddJob(job), Actor("person", "pat"))
    books.close()


def test_a_day_of_the_service_while_nobody_watches(world: World) -> None:
    three_repositories(world)
    due_job(world)
    parent = world.ask("task", "add", "Whole", "--repo", "second", "--agent", "fast")["id"]
    children = [
        world.ask("task", "add", f"Part {n}", "--parent", str(parent), "--agent", "fast")["id"]
        for n in (1, 2)
    ]  # asked for before anybody could begin with the whole
    started = world.ask("service", "start")
    repos = {"slow": "second", "twice": "third", "floods": "second", "daemon": "third"}
    numbers = {
        name: world.ask("task", "add", f"Task of {name}", "--agent", name, "--repo",
                        repos.get(name, "thing"))["id"]
        for name in AGENTS
    }  # fmt: skip

    def calm() -> list[dict[str, Any]] | None:
        listed: list[dict[str, Any]] = world.ask("task", "list", "--global")
        return listed if all(one["status"] in CALM for one in listed) else None

    world.until(calm, "the end of all tasks", 50)
    tasks = {name: world.ask("task", "get", str(number)) for name, number in numbers.items()}
    for name, (status, reason, attempts) in ENDS.items():
        task = tasks[name]
        assert task["status"] == status, (name, task)
        assert reason in task["reason"], (name, task["reason"])
        assert [one["status"] for one in task["attempts"]] == attempts.split(), (name, task)
        assert bool(task["prs"]) == (status == "in_review"), (name, task["prs"])
        assert (status != "needs_review") or task["hint"].startswith("orch "), (name, task["hint"])
        assert [step["to"] for step in task["history"]][:2] == ["new", "routed"]
    assert "blocked" in {step["to"] for step in tasks["limited"]["history"]}
    assert any("rate limit" in step["why"] for step in tasks["limited"]["history"])
    _family(world, parent, children)
    _job(world)
    _conflict(world, tasks)
    _nothing_is_left(world, started["pid"])
    _told(world, len(AGENTS) + 4)
    _cost(world, tasks["slow"]["id"])


def _cost(world: World, slow: int) -> None:
    """What one agent told of its use is all that is known, of its task and of them all."""
    for words in (("cost",), ("cost", str(slow))):
        total = world.ask(*words)["total"]
        assert (total["tokens_in"], total["tokens_out"], total["usd"]) == (1200, 34, 0.5), total
    by_agent = {row["agent"]: row for row in world.ask("cost", "--by", "agent")["rows"]}
    assert set(by_agent) == set(AGENTS)
    assert by_agent["hangs"]["attempts"] == 3
    told = world.ask("task", "get", str(slow))["cost"]
    assert (told["tokens_in"], told["tokens_out"], told["usd"]) == (1200, 34, 0.5)


def _family(world: World, parent: int, children: list[int]) -> None:
    """The parent went on when its children were done, and the tree shows it."""
    tree = world.ask("task", "tree", str(parent))
    assert [(one["id"], one["status"]) for one in tree["children"]] == [
        (number, "done") for number in children
    ]
    assert tree["status"] == "in_review"
    whys = [step["why"] for step in world.ask("task", "get", str(parent))["history"]]
    assert "all its children are done" in whys
    [attempt] = world.ask("task", "get", str(parent))["attempts"]
    for child in children:
        [before] = world.ask("task", "get", str(child))["attempts"]
        assert before["ended_at"] <= attempt["started_at"]


def _job(world: World) -> None:
    """The slot that was missed made one task, and the next one is told."""
    [run] = world.ask("job", "runs", "nightly")
    task = world.ask("task", "get", str(run["task"]))
    assert (run["outcome"], task["status"], task["source"]) == (
        "fired", "in_review", "job:nightly",
    )  # fmt: skip
    [coming] = world.ask("service", "status")["next_jobs"]
    assert (coming["name"], coming["at"] > run["slot"]) == ("nightly", True)


def _conflict(world: World, tasks: dict[str, Any]) -> None:
    """Both changed the same line: the first lands, the second is refused and keeps its branch."""
    [left], [right] = tasks["left"]["prs"], tasks["right"]["prs"]
    merged = world.ask("pr", "merge", f"thing#{left['number']}", "--yes")
    assert merged["state"] == "merged"
    answer = world.orch("pr", "merge", f"thing#{right['number']}", "--yes", "--json")
    assert answer.error["code"] == "merge_conflict", answer
    assert "README.md" in answer.error["message"], answer
    assert world.git("show", "main:README.md", where=world.remote) == "left"
    assert world.git("show", f"{right['head']}:README.md", where=world.remote) == "right"


def _nothing_is_left(world: World, service: int) -> None:
    """No terminal, no process of an agent, no growth by what an agent has printed."""
    assert world.terminals() == []
    mark = f"ORCH_HOME={world.home}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == service:
            continue
        try:
            ours = mark in (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes()
        except OSError:  # it is gone already, or somebody else's
            continue
        assert not (ours and command), command
    status = Path(f"/proc/{service}/status").read_text("utf-8")
    [resident] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    assert int(resident) < 150_000, "KiB, after an agent printed 100 MB"


def _told(world: World, count: int) -> None:
    """The events alone tell the story, and the service counts the same."""
    status = world.ask("service", "status")
    assert (status["running"], status["attempts_live"]) == (True, 0)
    assert sum(status["tasks"].values()) == count
    lines = world.orch("events", "--json").out.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    made = {event["task"] for event in events if event["kind"] == "TaskCreated"}
    assert len(made) == count
    last = {
        event["data"]["id"]: event["data"]["state"]
        for event in events if event["kind"] == "TaskMoved"
    }  # fmt: skip
    listed = {one["id"]: one["status"] for one in world.ask("task", "list", "--global")}
    assert last == listed
    ended = [event["data"] for event in events if event["kind"] == "AttemptEnded"]
    known = sum(len(words.split()) for _, _, words in ENDS.values()) + 4
    assert len({one["id"] for one in ended}) == known, "each attempt ended, and is told of"
