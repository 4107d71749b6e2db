"""Event hooks, notifications and rules of a service that really runs."""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import world as worlds
from tests.acceptance.test_tasks import FAILS, left, serving, settled
from tests.acceptance.world import World

ONCE = "[retry]\nmax_attempts = 1\n"
KEEPS = '#!/bin/sh\ncat >> "$ORCH_HOME/seen.jsonl"\n'


@pytest.fixture
def world(person: Path) -> Any:
    made = worlds.furnished(person)
    made.configure({"one": worlds.WRITES, "bad": FAILS}, ONCE)
    yield made
    made.close()


def put_hook(world: World, name: str, text: str = KEEPS, mode: int = 0o700) -> Path:
    folder = world.home / "hooks"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def seen(world: World) -> list[dict[str, Any]]:
    path = world.home / "seen.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def heard(world: World) -> list[str]:
    return [told["hook"] for told in seen(world)]


class Listener(http.server.ThreadingHTTPServer):
    """A real server on loopback; `status` is what it answers, `told` what it was told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.status = 200
        self.told: list[tuple[dict[str, str], dict[str, Any]]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?x=1"


class Asked(http.server.BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the screen."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.shutdown()
    made.server_close()


def test_hooks_run_at_their_events_and_get_them_as_data(world: World) -> None:
    from orch.model.occasion import HOOKS

    for name in HOOKS:
        put_hook(world, name)
    service = serving(world)
    title = "$(touch hacked) `x` '; rm -rf /"
    world.ask("task", "add", title, "--repo", "thing", "--agent", "one")
    assert settled(world, 1)["status"] == "in_review"
    world.until(lambda: "on_pr_created" in heard(world), "the pull request's hook")
    world.ask("task", "close", "1", "--done")
    world.until(lambda: "on_task_completed" in heard(world), "the task's end")
    assert left(service) == 0
    assert heard(world) == [
        "on_service_start", "on_task_created", "on_task_routed", "on_worktree_created",
        "on_task_started", "on_agent_session_start", "on_agent_session_end", "on_branch_pushed",
        "on_pr_created", "on_task_completed", "on_service_stop",
    ]  # fmt: skip
    created = seen(world)[1]
    assert created["task_title"] == title
    assert created["task"] == 1
    assert created["event"] == "task.created"
    assert not (world.home / "hacked").exists()
    numbers = [told["seq"] for told in seen(world)]
    assert numbers == sorted(set(numbers))


def test_a_failed_task_and_one_that_waits_are_told_apart(world: World) -> None:
    for name in ("on_task_failed", "on_task_blocked"):
        put_hook(world, name)
    world.ask("task", "add", "Whole", "--agent", "one")
    world.ask("task", "add", "Part", "--agent", "bad", "--parent", "1")
    service = serving(world)
    world.until(lambda: "on_task_failed" in heard(world), "the failure's hook")
    told = {one["task"]: one for one in seen(world)}
    assert (told[1]["hook"], told[2]["hook"]) == ("on_task_blocked", "on_task_failed")
    assert told[2]["reason"]
    assert left(service) == 0


def test_what_happened_while_the_service_was_away_is_told_once(world: World) -> None:
    put_hook(world, "on_task_created")
    world.ask("task", "add", "First", "--agent", "one")
    for _ in range(2):
        service = serving(world)
        world.until(lambda: heard(world) == ["on_task_created"], "the hook")
        assert left(service) == 0
    world.ask("task", "add", "Second", "--agent", "one")
    service = serving(world)
    world.until(lambda: len(heard(world)) == 2, "the second event")
    assert left(service) == 0
    assert [told["task"] for told in seen(world)] == [1, 2]


def test_bad_hooks_stop_nothing(world: World) -> None:
    """Hanging, failing, flooding and forbidden ones: the tasks go on, the others are told."""
    world.configure({"one": worlds.WRITES}, "[hooks]\ntimeout_s = 0.5\n")
    put_hook(world, "on_task_routed", "#!/bin/sh\nsleep 600 & sleep 600\n")
    put_hook(world, "on_task_started", "#!/bin/sh\nyes | head -c 50000000; exit 7\n")
    put_hook(world, "on_agent_session_start", mode=0o600)
    put_hook(world, "on_agent_session_end", mode=0o702)
    put_hook(world, "on_pr_created", "not a program\n")
    (world.home / "hooks" / "on_branch_pushed").symlink_to(put_hook(world, "real"))
    (world.home / "hooks" / "on_worktree_created").mkdir()
    put_hook(world, "on_task_completed")
    service = serving(world)
    world.ask("task", "add", "Go", "--repo", "thing", "--agent", "one")
    assert settled(world, 1)["status"] == "in_review"
    world.ask("task", "close", "1", "--done")
    world.until(lambda: "on_task_completed" in heard(world), "the only good hook")
    assert left(service) == 0
    assert heard(world) == ["on_task_completed"]
    assert not _sleepers(world)


def _sleepers(world: World) -> list[str]:
    """Programs below /proc that a hook of this home left behind."""
    mark = f"ORCH_HOME={world.home}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
            if words.startswith(b"sleep") and mark in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_people_are_told_once_with_headers_from_the_environment(
    world: World, listener: Listener
) -> None:
    """H89: one notice for one thing, whoever looks how often. H99: nobody's desktop is used."""
    secret = "s3cret-token"
    world.extra["HOOK_TOKEN"] = secret
    world.configure(
        {"one": worlds.WRITES, "bad": FAILS},
        f'{ONCE}[notify]\nlevel = "errors"\n'
        f'[[notify.hooks]]\nname = "web"\non = "task.*, run.blocked"\nurl = "{listener.url}"\n'
        'headers = { Authorization = "env:HOOK_TOKEN" }\n'
        '[[notify.hooks]]\nname = "file"\non = "task.needs_review"\n'
        f'run = ["sh", "-c", "cat >> {world.home}/seen.jsonl"]\n'
        '[[notify.hooks]]\nname = "elsewhere"\non = "*"\nrepo = "other"\n'
        f'run = ["sh", "-c", "cat >> {world.home}/wrong"]\n',
    )
    shown = world.orch("config", "list", "--json")
    assert secret not in shown.out
    service = serving(world)
    world.ask("task", "add", "Good", "--agent", "one")
    world.ask("task", "add", "Bad", "--agent", "bad")
    assert settled(world, 2)["status"] == "needs_review"
    world.until(lambda: len(listener.told) == 2 and seen(world), "the notices")
    assert left(service) == 0
    again = serving(world)
    assert left(again) == 0
    assert sorted(body["event"] for _, body in listener.told) == [
        "run.blocked",
        "task.needs_review",
    ]
    headers, body = listener.told[0]
    assert headers["Authorization"] == secret
    assert (body["task"], body["level"]) == (2, "error")
    assert [told["event"] for told in seen(world)] == ["task.needs_review"]
    assert not (world.home / "wrong").exists()


def test_whoever_cannot_be_told_is_tried_again(world: World, listener: Listener) -> None:
    listener.status = 500
    world.configure(
        {"one": worlds.WRITES}, f'[[notify.hooks]]\non = "task.created"\nurl = "{listener.url}"\n'
    )
    service = serving(world)
    world.ask("task", "add", "X", "--agent", "one")
    world.until(lambda: listener.told, "the first try")
    listener.status = 204
    world.until(lambda: len(listener.told) == 2, "the second try")
    assert left(service) == 0
    assert listener.told[0][1] == listener.told[1][1]


def test_a_rule_asks_for_a_task_once_and_never_goes_round(world: World) -> None:
    world.configure(
        {"one": worlds.WRITES},
        '[[rules]]\non = "task.created"\nwhen = { label = "bug*" }\ndo = "plan"\n'
        'title = "Look into {{task_title}}"\nagent = "one"\nlabels = ["bug-hunt"]\n'
        '[[rules]]\non = "task.created"\nwhen = { repo = "nowhere" }\ndo = "task"\n',
    )
    service = serving(world)
    world.ask("task", "add", "the {{text}} of it", "--agent", "one", "--labels", "bug")
    world.ask("task", "add", "Other", "--agent", "one")
    world.until(lambda: len(world.ask("task", "list")) == 3, "the rule's task")
    for number in (1, 2, 3):
        assert settled(world, number)["status"] == "done"
    assert left(service) == 0
    again = serving(world)
    assert left(again) == 0
    tasks = world.ask("task", "list")
    assert len(tasks) == 3
    made = next(task for task in tasks if task["source"].startswith("rule:1@task.created:"))
    assert made["title"] == "Look into the {{text}} of it"
    assert made["labels"] == ["bug-hunt", "plan"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[notify.hooks]]\non = "task.dne"\ndesktop = true\n', "task.done"),
        ('[[notify.hooks]]\non = "task.done"\n', "exactly one of"),
        ('[[notify.hooks]]\non = "task.done"\nurl = "ftp://x/"\n', "http"),
        ('[[notify.hooks]]\non = "task.done"\nrum = ["x"]\n', "run"),
        ('[[rules]]\ndo = "task"\n', "needs on"),
        ('[[rules]]\non = "task.done"\nwhen = { lable = "x" }\n', "lable"),
        ('[[rules]]\non = "task.done"\ndo = "delete"\n', "delete"),
        ("rules = 1\n", "in a row"),
        ("[hooks]\ntimeout_s = 0\n", "seconds"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(world: World, text: str, told: str) -> None:
    world.configure({"one": worlds.WRITES}, text)
    answer = world.orch("task", "list")
    assert answer.code == 2, answer
    assert told in answer.err, answer
    assert "config.toml:" in answer.err


def test_a_repository_cannot_say_who_is_told_or_what_follows(world: World) -> None:
    """What an agent can write never decides what runs on the person's machine."""
    for text in (
        '[[rules]]\non = "task.created"\ndo = "task"\n',
        '[[notify.hooks]]\non = "*"\nrun = ["sh"]\n', "[hooks]\ntimeout_s = 9\n",
    ):  # fmt: skip
        (world.repo / ".orch.toml").write_text(text, encoding="utf-8")
        os.chmod(world.repo / ".orch.toml", 0o600)
        world.refused("task", "add", "X", "--repo", "thing", code="config_forbidden", exit_code=2)
