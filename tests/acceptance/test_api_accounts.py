"""`orch api`: what was asked of GitHub, by whichever process, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trackers_world import Octo, at_github


@pytest.fixture
def octo(tmp_path: Path) -> Iterator[Octo]:
    with at_github(tmp_path, agents={}) as made:
        yield made


def test_what_each_process_asked_is_shown_with_what_is_left(octo: Octo) -> None:
    world = octo.world
    assert world.ask("api") == []
    assert "nothing was asked" in world.orch("api").err
    octo.issue("One")
    world.ask("tickets", "sync")
    (first,) = world.ask("api")
    host = octo.github.url.removeprefix("http://")
    assert (first["host"], first["credential"], first["reserve"]) == (host, "GITHUB_TOKEN", 500)
    assert first["spent_today"] > 0
    assert first["held_until"] is None
    left = {one["name"]: one for one in first["resources"]}
    window = octo.github.limits.window("bot", "graphql")
    assert left["graphql"]["left"] == window.limit - window.used
    assert (left["graphql"]["limit"], left["graphql"]["kept"]) == (5000, 500)
    assert left["graphql"]["resets_at"]
    world.ask("tickets", "sync")
    (second,) = world.ask("api", host)
    assert second["spent_today"] > first["spent_today"]
    assert world.orch("api", "--quiet").out == f"{host} {second['spent_today']}\n"
    shown = world.orch("api")
    assert shown.code == 0
    assert all(len(line) <= 80 for line in shown.out.splitlines())
    assert "5,000 graphql" in shown.out
    token = octo.github.token("bot")
    folder = world.home / "run" / "api"
    assert not [file for file in folder.rglob("*") if file.is_file()
                and token.encode() in file.read_bytes()]  # fmt: skip


def test_a_host_that_was_never_asked_is_refused(octo: Octo) -> None:
    octo.world.ask("tickets", "sync")
    error = octo.world.refused("api", "127.0.0.2:1", code="unknown_host", exit_code=3)
    assert error["hint"] == "orch api"
