"""Figures: by `orch metrics`, and by the service for Prometheus."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import world as worlds
from tests.acceptance.test_tasks import left, serving, settled
from tests.acceptance.world import World


@pytest.fixture
def world(person: Path) -> Iterator[World]:
    made = worlds.furnished(person)
    yield made
    made.close()


def figures(world: World) -> dict[str, float]:
    return {
        " ".join([one["name"], *one["labels"].values()]): one["value"]
        for one in world.ask("metrics")
    }


def asked(
    port: int, head: dict[str, str], path: str = "/metrics", method: str = "GET"
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers=head)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def test_the_figures_are_told_without_a_service(world: World) -> None:
    world.run("basic_pr", "--issue", "ISSUE-001")
    found = figures(world)
    assert found["orch_attempts_total one work succeeded"] == 1
    assert "orch_cost_usd_total one work succeeded" not in found, "unknown is not zero"
    assert found["orch_cost_unknown_attempts_total one work succeeded"] == 1
    assert found["orch_tokens_unknown_attempts_total one work succeeded"] == 1
    assert found["orch_tasks in_review"] == 1
    assert found["orch_runs done"] == 1
    assert found["orch_unresolved_effects"] == 0
    assert found["orch_attempts_live"] == 0
    assert found["orch_events_total"] > 10
    assert "attempts_total" in world.orch("metrics").out
    text = world.orch("metrics", "--prometheus").out
    assert 'orch_attempts_total{agent="one",role="work",status="succeeded"} 1\n' in text
    assert world.orch("metrics", "--no-such").code == 2


def test_the_service_tells_them_to_whoever_has_the_token(world: World) -> None:
    """The port is opened when it is configured, on the loopback alone, and closed again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = serving(world)
    world.configure({"one": worlds.WRITES}, f"[metrics]\nport = {port}\n")
    world.until(lambda: listens(port), "the port")
    file = world.home / "run" / "metrics.token"
    assert file.stat().st_mode & 0o777 == 0o600
    known = {"Authorization": f"Bearer {file.read_text().strip()}"}
    assert asked(port, {}) == (401, "")
    assert asked(port, {"Authorization": "Bearer x"})[0] == 401
    assert asked(port, known, path="/other")[0] == 404
    assert asked(port, known, method="POST")[0] == 405
    world.ask("task", "add", "Think")
    settled(world, 1)
    status, text = asked(port, known)
    assert status == 200
    assert 'orch_tasks{state="done"} 1' in text
    assert text == world.orch("metrics", "--prometheus").out
    with socket.create_connection(("127.0.0.1", port), timeout=20) as rude:
        rude.sendall(b"x" * 20_000)
        with contextlib.suppress(ConnectionResetError):
            assert rude.recv(10) == b""
    world.configure({"one": worlds.WRITES})
    world.until(lambda: not listens(port), "the end of the port")
    assert left(service) == 0
