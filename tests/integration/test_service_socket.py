"""The service's socket: what is answered, what is refused, and who may not be held up by whom."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orch import client
from orch.api.operations import Operation, Operations, Params
from orch.model.command import RegisterRepo
from orch.model.errors import Conflict, NotFound, Unreachable, UsageError
from orch.service.peers import may_enter, peer_uid
from orch.wire import frames
from orch.wire.places import service_socket
from tests.records import PERSON, RUN, a_repo, create_run
from tests.servicerooms import Service, a_service


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "orch"


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    with a_service(home) as found:
        yield found


def test_a_home_without_a_service_has_no_client(home: Path) -> None:
    assert client.connect(home) is None
    (home / "run").mkdir(parents=True)
    assert client.connect(home) is None


def test_a_dead_socket_is_no_service_and_is_replaced(home: Path) -> None:
    (home / "run").mkdir(parents=True, mode=0o700)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(service_socket(home)))
    dead.close()
    assert client.connect(home) is None
    with a_service(home) as service, service.client() as found:
        assert found.call("version")["version"]
        path = service_socket(home)
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists(), "a service that ends takes its socket away"


def test_somebody_elses_socket_is_left(home: Path) -> None:
    with a_service(home):
        service_socket(home).unlink()
        service_socket(home).write_text("not ours any more")
    assert service_socket(home).read_text() == "not ours any more"


def test_only_the_owner_may_enter() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_uid(ours) == os.geteuid()
        assert peer_uid(ours, "plan9") == -1
    assert may_enter(1000, 1000)
    assert not may_enter(1001, 1000)
    assert not may_enter(0, 1000), "root has homes of its own"
    assert not may_enter(-1, -1), "nobody is not let in as nobody"


def test_who_is_not_the_owner_is_cut_off(service: Service) -> None:
    assert service.front is not None
    service.front._server._uid += 1
    found = service.raw(greet=False)
    try:
        found.say(frames.call(0, "hello", {"protocol": 1, "version": "x"}))
        assert found.hear() is None
    except ConnectionError:
        pass  # cut off before it could speak
    finally:
        found.close()


# --- what is said


def test_a_client_of_another_protocol_is_told_which_side_is_older(home: Path) -> None:
    with a_service(home, protocol=2):
        with pytest.raises(Conflict) as caught:
            client.connect(home)
        assert (caught.value.code, caught.value.exit_code) == ("upgrade_client", 5)
        assert "upgrade this side" in caught.value.message
    with a_service(home, protocol=0), pytest.raises(Conflict) as caught:
        client.connect(home)
    assert caught.value.code == "upgrade_service"


def test_nothing_is_answered_before_the_greeting(service: Service) -> None:
    for said in (frames.call(1, "ps", {}), b"garbage\n", b"\n", b'{"jsonrpc":"2.0","id":1}\n'):
        raw = service.raw(greet=False)
        raw.say(said)
        assert "error" in raw.hear()
        assert raw.hear() is None
        raw.close()


def test_garbage_is_refused_and_the_connection_goes_on(service: Service) -> None:
    raw = service.raw()
    deep = b'{"jsonrpc":"2.0","id":5,"method":"ps","params":{"a":%s}}\n'
    for said, code in (
        (b"\x00\xff\n", frames.NOT_JSON),
        (b"\n", frames.NOT_JSON),
        (b"[]\n", frames.NO_REQUEST),
        (deep % (b"[" * 5000 + b"]" * 5000), frames.NO_REQUEST),
        (frames.call(5, "no.such", {}), frames.NO_METHOD),
        (frames.call(5, "show", {"run": 7}), frames.BAD_PARAMS),
        (frames.call(5, "show", {}), frames.BAD_PARAMS),
        (frames.call(5, "ps", {"surprise": 1}), frames.BAD_PARAMS),
    ):
        raw.say(said)
        assert raw.hear()["error"]["code"] == code, said[:50]
    assert raw.ask("repo.list")["result"] == []
    raw.close()


def test_a_frame_without_an_end_is_refused(service: Service) -> None:
    raw = service.raw()
    with contextlib.suppress(ConnectionError):  # the rest need not be taken
        raw.say(b'"' + b"x" * (frames.REQUEST_LIMIT + 1024 * 1024))
    heard = _heard(raw)
    assert heard is None or heard["error"]["code"] == frames.NO_REQUEST
    raw.close()
    with service.client() as other:
        assert other.call("ps") == []


def test_half_a_frame_and_no_more(service: Service) -> None:
    raw = service.raw()
    raw.say(frames.call(1, "ps", {})[:-9])
    raw.close()
    raw = service.raw()
    whole = frames.call(1, "ps", {})
    raw.say(whole[:10])
    raw.say(whole[10:] + whole[:5])
    assert raw.hear() == {"jsonrpc": "2.0", "id": 1, "result": []}
    raw.say(whole[5:])
    assert raw.hear()["result"] == []
    raw.close()


def test_a_client_that_is_done_talking_still_hears_the_answers(service: Service) -> None:
    raw = service.raw()
    for number in range(40):
        raw.say(frames.call(number, "version", {}))
    raw.socket.shutdown(socket.SHUT_WR)
    assert {raw.hear()["id"] for _ in range(40)} == set(range(40))
    assert raw.hear() is None
    raw.close()


def test_a_notification_is_carried_out_and_not_answered(service: Service) -> None:
    raw = service.raw()
    raw.say(b'{"jsonrpc":"2.0","method":"ps"}\n')
    assert raw.ask("version")["id"] == 1
    raw.close()


# --- one contract


def seeded(service: Service) -> str:
    """A run in the books."""
    service.orch.store.send(RegisterRepo(a_repo()), PERSON)
    service.orch.store.send(create_run(), PERSON)
    return RUN


def test_every_operation_answers_the_same_in_process_and_over_the_socket(service: Service) -> None:
    run = seeded(service)
    inside = Operations(service.orch)
    asked: dict[str, list[dict[str, Any]]] = {
        "version": [{}],
        "status": [{}],
        "ps": [{}],
        "show": [{"run": run}, {"run": run[:4]}, {"run": "@"}, {"run": "fff"}, {}, {"run": 3}],
        "repo.list": [{}, {"x": 1}],
        "events": [{}, {"since": 1}, {"since": 10**6}, {"run": run, "limit": 1}, {"limit": 0},
                   {"task": 99}, {"run": "nobody"}],
        "metrics": [{}, {"x": 1}],
        "stop": [{"run": "fff"}],
        "gate.answer": [{"run": run, "decision": "approve"}, {"run": run, "decision": "maybe"}],
    }  # fmt: skip
    assert set(asked) == set(inside.names()), "an operation without an example"
    with service.client() as outside:
        for name, examples in asked.items():
            for params in examples:
                assert _answer(outside, name, params) == _answer(inside, name, params), name
        assert json.loads(_answer(outside, "events", {}))["events"][0]["seq"] == 1
        stopped = outside.call("stop", {"run": run, "abort": True})
        assert stopped == inside.call("show", {"run": run})


def _answer(caller: Any, name: str, params: dict[str, Any]) -> bytes:
    """The very bytes that `--json` would print of it, or of its error."""
    try:
        found = caller.call(name, params)
    except (UsageError, NotFound, Conflict) as error:
        found = {"error": error.as_dict(), "exit": error.exit_code, "class": str(type(error))}
    return json.dumps(found).encode()


# --- who is not held up


class _Slow(Params, frozen=True):
    key: str = ""


def test_a_slow_operation_holds_up_nobody(service: Service) -> None:
    assert service.front is not None
    going, go = threading.Semaphore(0), threading.Event()

    def slow(orch: Any, params: _Slow) -> str:
        going.release()
        assert go.wait(20)
        return params.key

    service.front._operations._table["slow"] = Operation(_Slow, slow)
    raw = service.raw()
    for number in range(8):
        raw.say(frames.call(number, "slow", {"key": str(number)}))
    for _ in range(8):
        assert going.acquire(timeout=20)
    began = time.perf_counter()
    assert raw.ask("ps")["result"] == [], "the same connection"
    with service.client() as other:
        assert other.call("ps") == []
    assert time.perf_counter() - began < 15
    go.set()
    assert sorted(raw.hear()["result"] for _ in range(8)) == [str(n) for n in range(8)]
    raw.close()


def test_a_fault_is_answered_and_the_service_lives(service: Service) -> None:
    assert service.front is not None

    def fault(orch: Any, params: _Slow) -> None:
        raise ZeroDivisionError("never mind")

    service.front._operations._table["fault"] = Operation(_Slow, fault)
    raw = service.raw()
    answer = raw.ask("fault")
    assert answer["error"]["code"] == frames.INTERNAL
    assert answer["error"]["data"]["code"] == "internal"
    assert raw.ask("ps")["result"] == []
    raw.close()


def _until_closed(found: client.Client) -> None:
    while True:
        found.call("ps")


def test_what_is_in_flight_is_answered_when_the_service_ends(home: Path) -> None:
    going, go = threading.Event(), threading.Event()

    def slow(orch: Any, params: _Slow) -> str:
        going.set()
        assert go.wait(20)
        return "done"

    with ThreadPoolExecutor(1) as pool, a_service(home) as service:
        assert service.front is not None
        service.front._operations._table["slow"] = Operation(_Slow, slow)
        found = service.client()
        answer = pool.submit(found.call, "slow")
        assert going.wait(20)
        assert service.loop is not None
        service.loop.call_soon_threadsafe(service._leave.set)
        go.set()
        assert answer.result(20) == "done"
        with pytest.raises(Unreachable) as caught:
            _until_closed(found)
        assert (caught.value.code, caught.value.exit_code) == ("service_lost", 8)
        found.close()


def test_the_service_says_how_it_is_and_is_asked_to_stop(service: Service) -> None:
    with service.client() as found:
        status = found.call("service.status")
        assert set(status) >= {
            "running", "pid", "version", "uptime_s", "tasks", "attempts_live", "next_jobs"
        }  # fmt: skip
        assert (status["running"], status["pid"]) == (True, os.getpid())
        assert found.call("service.stop")["stopping"] is True
    deadline = time.monotonic() + 60
    while not service.stopped and time.monotonic() < deadline:
        time.sleep(0.01)
    assert service.stopped == 1


def _heard(raw: Any) -> Any:
    try:
        return raw.hear()
    except ConnectionError:
        return None
