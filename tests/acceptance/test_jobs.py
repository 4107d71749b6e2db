"""Jobs as a person has them: added, fired, looked back at, switched off."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from orch.model import command as cmd
from orch.model.event import Actor
from orch.model.job import Job
from orch.store.sqlite import SqliteStore
from tests.acceptance.world import World

RECORD = {
    "id", "title", "schedule", "zone", "kind", "body", "labels", "repo", "agent", "workflow",
    "command", "precheck", "timeout_s", "enabled", "reason", "created_at", "next", "next_local",
    "last",
}  # fmt: skip
RUN = {"job", "slot", "at", "outcome", "task", "reason", "exit_code", "output", "ended_at"}


def earlier(world: World, title: str, **fields: Any) -> None:
    """A job that was added an hour ago, and nobody has looked since."""
    wanted: dict[str, Any] = {"id": "", "title": title, "schedule": "* * * * *"} | fields
    world.home.mkdir(mode=0o700, exist_ok=True)
    books = SqliteStore(world.home / "orch.db", now=lambda: time.time() - 3600, install="i")
    books.send(cmd.AddJob(Job(**wanted)), Actor("person", "pat"))
    books.close()


def tick(world: World) -> dict[str, dict[str, Any]]:
    return {said["job"]: said for said in world.ask("job", "tick")}


def test_a_job_from_its_beginning_to_its_end(world: World) -> None:
    world.ask("repo", "add", str(world.repo))
    made = world.ask(
        "job", "add", "30 9 * * mon-fri", "Triage new issues", "--repo", "thing", "--body", "Look.",
        "--labels", "a, b", "--tz", "Europe/Berlin", "--precheck", "sh -c 'test -e x'",
    )  # fmt: skip
    assert set(made) == RECORD
    assert (made["id"], made["kind"], made["enabled"]) == ("triage-new-issues", "task", True)
    assert (made["labels"], made["precheck"]) == (["a", "b"], ["sh", "-c", "test -e x"])
    assert made["next_local"][10:19] == "T09:30:00"
    assert made["next_local"][19:] in ("+01:00", "+02:00")
    assert made["last"] == {"slot": "", "at": "", "outcome": "", "task": None}
    assert world.ask("job", "list") == [made]
    listed = world.orch("job", "list")
    assert "triage-new-issues  task  30 9 * *" in listed.out, listed
    off = world.ask("job", "disable", "triage-new-issues")
    assert (off["enabled"], off["next"], off["reason"]) == (False, "", "disabled by a person")
    assert "disabled" in world.orch("job", "list").out
    assert world.ask("job", "tick") == []
    on = world.ask("job", "enable", "triage-new-issues")
    assert (on["enabled"], on["reason"], on["next"]) == (True, "", made["next"])
    assert world.ask("job", "remove", "triage-new-issues") == {
        "id": "triage-new-issues", "removed": True,
    }  # fmt: skip
    assert world.ask("job", "list") == world.ask("job", "runs") == []


def test_tick_fires_what_is_due_once_and_says_why_not(world: World) -> None:
    earlier(world, "Due")
    earlier(world, "Asks", precheck=("sh", "-c", "exit 7"))
    earlier(world, "Not yet", schedule=f"0 0 {'1' if time.gmtime().tm_mday > 14 else '20'} 2 *")
    world.ask("job", "add", "@yearly", "New", "--tz", "UTC")
    dry = {said["job"]: said["outcome"] for said in world.ask("job", "tick", "--dry-run")}
    assert dry == {"due": "due", "asks": "due", "not-yet": "not_due", "new": "not_due"}
    told = tick(world)
    assert (told["due"]["outcome"], told["due"]["task"]) == ("fired", 1)
    assert told["asks"]["outcome"] == "skipped"
    assert told["asks"]["reason"] == "its pre-check said no: it ended with 7"
    assert (told["new"]["outcome"], told["new"]["reason"]) == ("not_due", "no slot is due")
    assert told["new"]["next"]
    runs = world.ask("job", "runs", "due")
    assert [set(each) for each in runs] == [RUN]
    assert (runs[0]["outcome"], runs[0]["task"]) == ("fired", 1), "an hour was missed: once"
    assert {each["job"] for each in world.ask("job", "runs")} == {"due", "asks"}
    table = world.orch("job", "runs")
    assert all(len(line) <= 80 for line in table.out.splitlines())


def test_a_command_runs_in_its_repository_without_our_variables(world: World) -> None:
    world.ask("repo", "add", str(world.repo))
    script = 'pwd; echo "[$SECRET_TOKEN]"; echo done > done.txt; exit 3'
    earlier(world, "There", kind="command", argv=("sh", "-c", script), repo="thing")
    earlier(world, "Home", kind="command", argv=("pwd",))
    told = {said["job"]: said for said in world.ask("job", "tick", env={"SECRET_TOKEN": "hush"})}
    assert (told["there"]["outcome"], told["there"]["exit_code"]) == ("failed", 3)
    assert told["there"]["output"] == f"{os.path.realpath(world.repo)}\n[]\n"
    assert (world.repo / "done.txt").exists()
    assert told["home"]["output"] == f"{os.path.realpath(world.root)}\n"
    assert world.ask("job", "runs", "there")[0]["output"] == told["there"]["output"]


def test_a_command_whose_directory_is_gone_disables_its_job(world: World) -> None:
    world.ask("repo", "add", str(world.repo))
    earlier(world, "There", kind="command", argv=("pwd",), repo="thing")
    world.repo.rename(Path(f"{world.repo}.moved"))
    told = tick(world)["there"]
    assert told["outcome"] == "skipped"
    assert "is not there" in told["reason"]
    assert "disabled" in told["reason"]
    [job] = world.ask("job", "list")
    assert (job["enabled"], "is not there" in job["reason"]) == (False, True)


def test_h35_a_job_whose_zone_is_gone_does_not_hold_up_the_others(world: World) -> None:
    earlier(world, "A broken one")
    earlier(world, "Well", kind="command", argv=("true",))
    import sqlite3

    with sqlite3.connect(world.home / "orch.db") as books:
        books.execute(
            'update jobs set body = replace(body, \'"zone":"UTC"\', \'"zone":"Gone"\')'
            " where id = 'a-broken-one'"
        )
    books.close()
    assert "no time zone" in world.ask("job", "list")[0]["reason"]
    assert {job: said["outcome"] for job, said in tick(world).items()} == {"well": "done"}
    broken = world.ask("job", "list")[0]
    assert (broken["enabled"], broken["reason"]) == (False, "there is no time zone 'Gone'")


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("add", "* * *", "X"), "bad_schedule", 2),
        (("add", "*/0 * * * *", "X"), "bad_schedule", 2),
        (("add", "@daily", "X", "--tz", "Nowhere"), "unknown_zone", 2),
        (("add", "@daily", "…"), "bad_title", 2),
        (("add", "@daily", "X", "--repo", "nope"), "unknown_repo", 3),
        (("add", "@daily", "X", "--agent", "nope"), "unknown_agent", 3),
        (("add", "@daily", "X", "--workflow", "nope"), "unknown_workflow", 3),
        (("add", "@daily", "X", "--command"), "bad_job", 2),
        (("add", "@daily", "X", "--precheck", "'"), "usage", 2),
        (("add", "@daily", "X", "--timeout", "0"), "bad_job", 2),
        (("add", "@daily", "X", "--", "ls"), "usage", 2),
        (("add", "@daily", "Taken"), "job_exists", 5),
        (("add", "@daily", "Taken", "--dry-run"), "job_exists", 5),
        (("remove", "nope"), "unknown_job", 3),
        (("enable", "nope"), "unknown_job", 3),
        (("disable", "nope", "--dry-run"), "unknown_job", 3),
        (("runs", "nope"), "unknown_job", 3),
    ],
)
def test_what_cannot_be_is_refused(
    world: World, words: tuple[str, ...], code: str, exit_code: int
) -> None:
    world.ask("job", "add", "@daily", "Taken")
    world.refused("job", *words, code=code, exit_code=exit_code)


def test_dry_runs_change_nothing(world: World) -> None:
    earlier(world, "Here")
    before = world.ask("job", "list")
    for words in (
        ("add", "@daily", "X"), ("remove", "here"), ("disable", "here"), ("enable", "here"),
        ("tick",),
    ):  # fmt: skip
        assert world.orch("job", *words, "--dry-run").code == 0
    assert world.ask("job", "list") == before
    assert world.ask("job", "runs") == []


def test_the_service_fires_jobs_and_takes_their_tasks_up(world: World) -> None:
    world.ask("repo", "add", str(world.repo))
    earlier(world, "Write it", repo="thing", body="Please.", labels=("weekly",))
    service = world.start("serve")
    try:
        deadline = time.monotonic() + 40
        tasks: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            tasks = world.ask("task", "list")
            if tasks and tasks[0]["status"] not in ("new", "routed", "in_progress"):
                break
            time.sleep(0.2)
        task = world.ask("task", "get", str(tasks[0]["id"]))
        assert (task["title"], task["status"]) == ("Write it", "in_review"), task
        assert world.ask("job", "runs")[-1]["task"] == task["id"]
    finally:
        service.terminate()
        service.communicate(timeout=60)
