"""The service and the machine it works on: no room, a configuration that changes or breaks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import world as worlds
from tests.acceptance.test_tasks import left, serving, settled
from tests.acceptance.world import World

WAITS = ["sh", "-c", "while [ ! -e {} ]; do sleep 0.02; done; echo done > work.txt"]


@pytest.fixture
def world(person: Path) -> Iterator[World]:
    made = worlds.furnished(person)
    yield made
    made.close()


@pytest.fixture
def small_home(world: World) -> Iterator[World]:
    """The same with Orch's home on a disk of 40 MiB."""
    folder = world.root / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m,mode=700", "orch-test", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs may be mounted here: {mounted.stderr.strip()}")
    small = World(world.root, folder / "orch", world.repo, world.remote)
    try:
        small.configure({"one": worlds.WRITES})
        small.ask("repo", "add", str(small.repo))
        yield small
        small.close()
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def waits_for(world: World, word: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        record: dict[str, Any] = world.ask("task", "get", "1")
        return record if word in record["reason"] else None

    found: dict[str, Any] = world.until(look, f"a reason with {word!r}")
    return found


def test_a_disk_without_room_holds_work_back_until_there_is_room(small_home: World) -> None:
    """H32: the reason is shown, and no event is written for each look."""
    world = small_home
    service = serving(world)
    ballast = world.home.parent / "ballast"
    ballast.write_bytes(bytes(28 * 2**20))
    assert world.ask("task", "add", "Write it", "--repo", "thing")["id"] == 1
    record = waits_for(world, "free disk")
    assert record["status"] == "new"
    assert "16 MiB are needed" in record["reason"]
    assert "free disk" in world.ask("task", "list")[0]["reason"]
    assert "free disk" in world.ask("service", "status")["short"]
    assert "free disk" in world.orch("service", "status").err
    assert world.ask("task", "get", "1")["history"][-1]["to"] == "new"
    ballast.unlink()
    assert settled(world, 1)["status"] == "in_review"
    assert world.ask("service", "status")["short"] == ""
    assert left(service) == 0


def test_new_values_count_at_once_and_running_work_goes_on(world: World) -> None:
    """A floor that is set, and taken back, while a task runs."""
    go = world.root / "go"
    waiting = [word.format(go) for word in WAITS]
    world.configure({"one": waiting})
    service = serving(world)
    world.ask("task", "add", "First", "--repo", "thing")
    world.until(lambda: world.ask("task", "get", "1")["status"] == "in_progress", "the first task")
    world.configure({"one": waiting}, "[care]\nmin_free_memory_mb = 1000000\n")
    world.until(lambda: world.ask("service", "status")["short"], "the new floor")
    second = world.ask("task", "add", "Second", "--repo", "thing")
    assert "free memory" in second["reason"]
    go.touch()
    assert settled(world, 1)["status"] == "in_review"
    assert world.ask("task", "get", "2")["status"] == "new"
    world.configure({"one": worlds.WRITES})
    assert settled(world, 2)["status"] == "in_review"
    assert len(world.ask("task", "get", "1")["attempts"]) == 1
    assert left(service) == 0


def test_a_configuration_broken_while_running_changes_nothing_and_is_told(world: World) -> None:
    service = serving(world)
    world.ask("task", "add", "First", "--repo", "thing")
    file = world.home / "config.toml"
    sound = file.read_text()
    file.write_text(sound + "\n[run]\nmin_free_mb = 'much'\n")
    line = len(sound.splitlines()) + 3

    def told() -> str:
        found: str = world.ask("service", "status")["config_error"]
        return found

    assert f"{file}:{line}: run.min_free_mb" in world.until(told, "the error")
    assert f"{file}:{line}" in world.orch("service", "status").err
    assert not all(check["ok"] for check in world.ask("doctor", code=1))
    assert settled_by_books(world) == "in_review"
    log = (world.home / "log" / "service.log").read_text().splitlines()
    errors = [said for said in map(json.loads, log) if said["level"] == "error"]
    assert len(errors) == 1, errors
    file.write_text(sound)
    world.until(lambda: not told(), "the sound configuration")
    assert left(service) == 0


def settled_by_books(world: World) -> str:
    """Commands refuse a broken configuration; the service still answers."""

    def look() -> str:
        tasks: dict[str, int] = world.ask("service", "status")["tasks"]
        return next(iter(tasks)) if not {"new", "routed", "in_progress"} & set(tasks) else ""

    found: str = world.until(look, "the end of the task")
    return found


def test_a_repositorys_own_file_is_read_again_too(world: World) -> None:
    service = serving(world)
    own = world.repo / ".orch.toml"
    own.write_text("[defaults]\nmax_parallel = 99\n")
    found = world.until(lambda: world.ask("service", "status")["config_error"], "the refusal")
    assert f"{own}:2" in found
    own.unlink()
    world.until(lambda: not world.ask("service", "status")["config_error"], "its end")
    assert left(service) == 0
