"""A service is started in the background once, asked to stop, and found dead when it was killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orch.client import connect
from orch.compose import open_orch
from orch.engine.lock import EngineLock
from orch.model.errors import Conflict, ToolFailed, Unreachable
from orch.service.starting import started, stopped
from orch.terminals.process import identity, wait
from orch.wire.places import service_socket

ROOT = Path(__file__).resolve().parents[2]
SMALL = [sys.executable, "-m", "tests.small_service"]


class Place:
    """A home, and how services of it are started; none is left."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {
            "ORCH_HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT),
            "HOME": str(home.parent),
        }  # fmt: skip
        open_orch(self.environ, home.parent, person="ada").close()

    def start(self, argv: list[str] = SMALL, **more: str) -> int:
        about = started(self.home, argv, self.environ | more)
        pid: int = about["pid"]
        return pid

    def kill(self, pid: int) -> None:
        began = identity(pid).started
        os.kill(pid, signal.SIGKILL)
        assert wait({pid: began}, 20)

    def close(self) -> None:
        driver = EngineLock(self.home / "run" / "engine.lock").driver()
        if driver:
            self.kill(driver)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path.resolve() / "orch")
    yield found
    found.close()


def test_a_service_is_started_and_stopped(place: Place) -> None:
    pid = place.start()
    assert os.getsid(pid) == pid, "it has a session of its own"
    with pytest.raises(Conflict) as caught:
        place.start()
    assert (caught.value.code, str(pid) in caught.value.message) == ("service_running", True)
    client = connect(place.home)
    assert client is not None
    with client:
        said = stopped(client, limit_s=20)
    assert (said["stopping"], said["pid"]) == (True, pid)
    assert connect(place.home) is None
    assert EngineLock(place.home / "run" / "engine.lock").driver() == 0
    assert place.start() != pid


def test_a_killed_service_is_no_service_and_another_one_follows(place: Place) -> None:
    first = place.start()
    place.kill(first)
    assert connect(place.home) is None, "its socket is still there, and is no error"
    assert service_socket(place.home).exists()
    second = place.start()
    client = connect(place.home)
    assert client is not None
    with client:
        assert client.call("service.status")["pid"] == second != first


def test_of_20_services_started_at_once_one_lives(place: Place) -> None:
    def start(_: int) -> int | Conflict:
        try:
            return place.start()
        except Conflict as refused:
            return refused

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(start, range(20)))
    [pid] = [one for one in answers if isinstance(one, int)]
    refused = [one for one in answers if isinstance(one, Conflict)]
    assert len(refused) == 19
    assert {one.code for one in refused} == {"service_running"}
    assert all(str(pid) in one.message for one in refused), "it is said who it is"


def test_a_service_that_cannot_start_says_why(place: Place) -> None:
    program = "import sys; sys.stderr.write('noise\\nerror: the disk is full [disk_full]\\n')"
    with pytest.raises(ToolFailed) as caught:
        place.start([sys.executable, "-c", f"{program}; sys.exit(9)"])
    assert caught.value.code == "service_not_started"
    assert "the disk is full [disk_full]" in caught.value.message
    with pytest.raises(ToolFailed, match="it said nothing"):
        place.start([sys.executable, "-c", "raise SystemExit(1)"])


def test_a_lock_held_by_a_run_in_the_foreground_is_told(place: Place) -> None:
    lock = EngineLock(place.home / "run" / "engine.lock")
    assert lock.take()
    try:
        with pytest.raises(Conflict, match=f"process {os.getpid()} drives this home"):
            place.start()
    finally:
        lock.release()


def test_a_service_that_takes_its_time_is_left_alone(place: Place) -> None:
    pid = place.start(SLOW_STOP="1")
    client = connect(place.home)
    assert client is not None
    began = time.monotonic()
    with client, pytest.raises(Unreachable) as caught:
        stopped(client, limit_s=0.2)
    assert caught.value.code == "service_slow"
    assert wait({pid: identity(pid).started}, 20), "it ends by itself"
    assert time.monotonic() - began > 0.5
