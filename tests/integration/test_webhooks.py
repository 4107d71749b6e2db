"""The intake on a real port: what is let in is on the disk, what is not costs little and breaks
nothing."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orch.model.deliveries import Delivery, Hint
from orch.model.errors import Conflict, ToolFailed, UsageError
from orch.service import intake
from orch.service.webhooks import address_of, listen, place
from orch.store.memory import MemoryStore
from orch.store.sqlite import SqliteStore
from tests import webhook_requests as requests
from tests.webhook_requests import NOW, OLD, SECRET, sent
from tests.webhook_server import IntakeServer, an_intake, source


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IntakeServer]:
    with an_intake(tmp_path) as made:
        yield made


def waiting(server: IntakeServer, name: str = "hub") -> list[str]:
    return [row.id for row in server.books.waiting(name)]


@pytest.mark.parametrize("kind", requests.KINDS)
def test_a_delivery_is_answered_when_it_is_on_the_disk(kind: str, tmp_path: Path) -> None:
    request = sent(kind, delivery="d-1")
    with an_intake(tmp_path, {"hub": source(request.kind)}) as server:
        assert server.send(request) == (202, {"delivery": "d-1", "state": "taken"})
        other = SqliteStore(tmp_path / "orch.db", now=lambda: NOW, install="i")
        row = other.deliveries.one("hub", "d-1")
        other.close()
        assert server.arrived == 1
    assert row is not None
    assert (row.state, row.received_at) == ("new", NOW)
    assert row.hints[0].kind == "ticket"
    assert zlib.decompress(row.body) == request.body


def test_the_same_delivery_again_is_known_and_one_row(server: IntakeServer) -> None:
    """RELIABILITY §2 row 4 and §3 "Webhook duplicated"."""
    assert server.send(sent("github", delivery="a"))[0] == 202
    again = {"delivery": "a", "state": "known"}
    assert [server.send(sent("github", delivery="a")) for _ in range(3)] == [(200, again)] * 3
    assert waiting(server) == ["a"]
    assert server.arrived == 1


def test_a_ping_is_answered_and_wakes_nobody(server: IntakeServer) -> None:
    assert server.send(sent("github", {"zen": "x"}, event="ping", delivery="p"))[0] == 202
    assert waiting(server) == []
    row = server.books.one("hub", "p")
    assert row is not None
    assert (row.state, row.hints) == ("done", (Hint("ping"),))
    assert server.books.last_at("hub") == NOW


def test_what_is_forged_is_refused_with_a_reason_and_counted(server: IntakeServer) -> None:
    """RELIABILITY §2 row 4."""
    forged = sent("github", secret=b"a guess")
    status, told = server.send(forged)
    assert status == 401
    assert told["error"]["code"] == "bad_signature"
    assert SECRET.decode() not in json.dumps(told)
    assert server.send(sent("github").without("x-hub-signature-256"))[0] == 401
    assert server.refused() == {"bad_signature": 1, "unsigned": 1}
    assert waiting(server) == []


def test_a_source_without_a_secret_takes_nothing_in(tmp_path: Path) -> None:
    bare = source()
    bare = type(bare)(kind="github", repo="thing")
    with an_intake(tmp_path, {"hub": bare}) as server:
        assert server.send(sent("github", secret=b""))[0] == 403
        assert server.refused() == {"no_secret": 1}


def test_a_secret_that_cannot_be_had_refuses(tmp_path: Path) -> None:
    gone = source("github", f"file:{tmp_path}/nowhere")
    with an_intake(tmp_path, {"hub": gone}) as server:
        assert server.send(sent("github"))[0] == 403
        (tmp_path / "nowhere").write_bytes(SECRET)
        assert server.send(sent("github"))[0] == 202


def test_a_secret_is_exchanged_without_a_pause(tmp_path: Path) -> None:
    """Both hold while both are configured; a file that changed is read again by itself."""
    file = tmp_path / "secret"
    file.write_bytes(OLD)
    with an_intake(tmp_path, {"hub": source("github", f"file:{file}")}) as server:
        assert server.send(sent("github", secret=OLD, delivery="1"))[0] == 202
        server.sources["hub"] = source("github", SECRET.decode(), f"file:{file}")
        assert server.send(sent("github", secret=OLD, delivery="2"))[0] == 202
        assert server.send(sent("github", delivery="3"))[0] == 202
        server.sources["hub"] = source("github", f"file:{file}")
        assert server.send(sent("github", secret=OLD, delivery="4"))[0] == 202
        file.write_bytes(SECRET)
        _until(lambda: server.send(sent("github", delivery="5"))[0] in (200, 202))
        assert server.send(sent("github", secret=OLD, delivery="6"))[0] == 401


def test_there_is_one_route_and_no_other(server: IntakeServer) -> None:
    good = sent("github")
    for path in ("/", "/webhooks", "/webhooks/", "/webhooks/hub/", "/webhooks/hub/x", "/webhooks/..",
                 "/metrics", "/webhooks/%2e%2e", "/webhooks/hub%00", "//webhooks/hub"):  # fmt: skip
        assert server.ask(path, dict(good.headers), good.body)[0] == 404, path
    assert server.ask("/webhooks/nobody", dict(good.headers), good.body)[0] == 404
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        if method != "HEAD":
            status, headers, _ = server.ask("/webhooks/hub", method=method)
            assert (status, headers["allow"]) == (405, "POST")
    assert waiting(server) == []
    assert server.ask("/webhooks/hub?token=x", dict(good.headers), good.body)[0] == 202


def test_an_answer_names_no_program(server: IntakeServer) -> None:
    _, headers, _ = server.ask("/")
    assert set(headers) == {"content-type", "content-length", "connection"}


@pytest.mark.parametrize(("name", "value", "status"), [
    ("content-type", "text/plain", 415), ("content-type", "", 415),
    ("content-type", "application/x-www-form-urlencoded", 415),
    ("content-type", "application/json; charset=utf-8", 202),
    ("content-encoding", "gzip", 415), ("origin", "http://evil.example", 403),
])  # fmt: skip
def test_what_is_no_delivery_is_refused_unread(
    server: IntakeServer, name: str, value: str, status: int
) -> None:
    assert server.send(sent("github").with_(name, value))[0] == status


def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(
    server: IntakeServer,
) -> None:
    with server.raw() as talk:
        talk.sendall(_head(intake.BODY_LIMIT + 1, b"Expect: 100-continue\r\n"))
        assert talk.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_body_without_a_length_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BODY_LIMIT", 100_000)
    with an_intake(tmp_path) as server, server.raw() as talk:
        talk.sendall(
            b"POST /webhooks/hub HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        answer = b""
        for _ in range(20):
            try:
                talk.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            except OSError:
                break
        while part := _received(talk):
            answer += part
        assert answer.startswith(b"HTTP/1.1 413")
        assert server.refused() == {"too_large": 1}
        assert server.intake._held == 0


def test_a_large_delivery_is_taken_in_and_its_body_not_kept(server: IntakeServer) -> None:
    import random

    noise = "".join(random.Random(1).choices("0123456789abcdef", k=2_000_000))
    request = sent("github", {**requests.GITHUB, "noise": noise}, delivery="large")
    assert server.send(request)[0] == 202
    row = server.books.one("hub", "large")
    assert row is not None
    assert row.body == b""
    assert row.digest


def test_a_connection_is_kept_for_many_deliveries(server: IntakeServer) -> None:
    import http.client

    talk = http.client.HTTPConnection("127.0.0.1", server.port, 20)
    sockets = set()
    for number in range(5):
        request = sent("github", delivery=f"k{number}")
        talk.request("POST", "/webhooks/hub", request.body, dict(request.headers))
        sockets.add(talk.sock)
        assert talk.getresponse().read()
    talk.close()
    assert len(sockets) == 1
    assert waiting(server) == [f"k{number}" for number in range(5)]


def test_many_at_once_share_commits_and_each_has_its_answer(tmp_path: Path) -> None:
    store = MemoryStore(now=lambda: NOW)
    commits: list[int] = []
    gate = threading.Event()

    class Slow:
        def take_in(self, rows: list[Delivery]) -> list[bool]:
            commits.append(len(rows))
            gate.wait(20)
            return store.deliveries.take_in(rows)

        def __getattr__(self, name: str) -> object:
            return getattr(store.deliveries, name)

    server = IntakeServer(Slow(), {"hub": source()})  # type: ignore[arg-type]
    try:
        answers: list[int] = []
        threads = [
            threading.Thread(
                target=lambda n=n: answers.append(server.send(sent("github", delivery=f"{n}"))[0])
            )
            for n in range(20)
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        _until(lambda: sum(commits) + len(server.group._waiting) == 20)
        assert answers == []
        gate.set()
        for thread in threads:
            thread.join(20)
    finally:
        server.end()
    assert answers == [202] * 20
    assert commits[0] + commits[1] == 20
    assert len(commits) == 2


def test_a_full_disk_is_told_to_the_sender_who_sends_it_again(tmp_path: Path) -> None:
    store = MemoryStore(now=lambda: NOW)
    full = [True]

    class Books:
        def take_in(self, rows: list[Delivery]) -> list[bool]:
            if full[0]:
                raise ToolFailed("the disk is full", code="disk_full")
            return store.deliveries.take_in(rows)

    server = IntakeServer(Books(), {"hub": source()})  # type: ignore[arg-type]
    try:
        request = sent("github")
        status, headers, told = server.ask("/webhooks/hub", dict(request.headers), request.body)
        assert (status, headers["retry-after"], told["error"]["code"]) == (503, "5", "unavailable")
        full[0] = False
        assert server.send(request)[0] == 202
    finally:
        server.end()


def test_a_fault_of_ours_is_told_in_the_log_and_ends_one_request_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty:
        def take_in(self, rows: list[Delivery]) -> list[bool]:
            raise ZeroDivisionError("a fault")

    server = IntakeServer(Faulty(), {"hub": source()})  # type: ignore[arg-type]
    try:
        with server.raw() as talk:
            request = sent("github")
            talk.sendall(_head(len(request.body), *_lines(request)) + request.body)
            assert talk.recv(4096).startswith(b"HTTP/1.1 500")
        assert server.send(sent("github", secret=b"a guess"))[0] == 401
    finally:
        server.end()
    assert "a fault" in caplog.text


# --- those who mean harm


@pytest.mark.parametrize("begun", [b"", b"POST /webhooks/hub HT", b"POST / HTTP/1.1\r\nA: b\r\n"])
def test_a_head_that_does_not_end_is_cut_off(tmp_path: Path, begun: bytes) -> None:
    with an_intake(tmp_path, head_s=1.0) as server, server.raw() as talk:
        talk.sendall(begun)
        assert _ended(talk)
        assert server.send(sent("github"))[0] == 202


def test_a_head_that_dribbles_is_cut_off_on_a_kept_connection_too(tmp_path: Path) -> None:
    """Slowloris: a byte now and then is no reason to wait longer."""
    request = sent("github")
    with an_intake(tmp_path, head_s=1.0) as server, server.raw() as talk:
        talk.sendall(_head(len(request.body), *_lines(request)) + request.body)
        assert talk.recv(4096).startswith(b"HTTP/1.1 202")
        began = time.monotonic()
        try:
            while time.monotonic() - began < 30:
                talk.sendall(b"P" if began == 0 else b"x")
                time.sleep(0.05)
        except OSError:
            pass  # cut off, as it should be
        assert time.monotonic() - began < 15


def test_a_head_without_bound_is_cut_off(tmp_path: Path) -> None:
    with an_intake(tmp_path, head_s=60.0) as server, server.raw() as talk:
        talk.sendall(b"POST /webhooks/hub HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            for number in range(200):
                talk.sendall(b"X-%d: " % number + b"y" * 4000 + b"\r\n")
        began = time.monotonic()
        assert _ended(talk)
        assert time.monotonic() - began < 30  # for its size, and not for its time


def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    with an_intake(tmp_path, body_s=0.3) as server, server.raw() as talk:
        talk.sendall(_head(1000) + b"{")
        assert talk.recv(4096).startswith(b"HTTP/1.1 408")
        assert server.refused() == {"slow": 1}
        assert server.intake._held == 0


def test_a_sender_that_hangs_up_leaves_nothing(server: IntakeServer) -> None:
    with server.raw() as talk:
        talk.sendall(_head(1000) + b"{")
        _until(lambda: server.intake._held == 1)
    _until(lambda: server.refused() == {"hung_up": 1})
    assert server.intake._held == 0


def test_connections_are_bounded_and_come_free_again(tmp_path: Path) -> None:
    with an_intake(tmp_path, most=8) as server:
        idle = [server.raw() for _ in range(8)]
        _until(lambda: _refuses(server))
        for one in idle:
            one.close()
        _until(lambda: not _refuses(server))
        assert server.send(sent("github"))[0] in (200, 202)


def test_more_than_fits_into_memory_is_put_off(
    server: IntakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "HELD_LIMIT", 10)
    assert server.send(sent("github"))[0] == 503
    assert server.intake._held == 0


@pytest.mark.parametrize("noise", [
    b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    b"POST /webhooks/hub HTTP/9.9\r\n\r\n", b"POST /webhooks/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /webhooks/hub HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /webhooks/hub HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST /webhooks/hub HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    b"POST /webhooks/hub HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\nzz\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /webhooks/hub HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"CONNECT evil:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"POST http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
])  # fmt: skip
def test_malformed_requests_end_themselves_and_nothing_else(
    server: IntakeServer, noise: bytes
) -> None:
    with server.raw() as talk:
        talk.sendall(noise)
        talk.shutdown(socket.SHUT_WR)
        answer = _received(talk)
        assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert server.send(sent("github"))[0] == 202


# --- where it listens


@pytest.mark.parametrize(("address", "expected"), [
    ("127.0.0.1:8080", ("127.0.0.1", 8080)), ("9000", ("127.0.0.1", 9000)),
    ("localhost", ("localhost", 8080)), (":9000", ("127.0.0.1", 9000)), ("[::1]:1", ("::1", 1)),
    ("[::1]", ("::1", 8080)), ("0.0.0.0:80", ("0.0.0.0", 80)),
])  # fmt: skip
def test_addresses_are_read_and_loopback_is_meant_where_none_is_spelled_out(
    address: str, expected: tuple[str, int]
) -> None:
    assert place(address) == expected


@pytest.mark.parametrize("address", [
    "host:x", "host:99999", "a\0:1", "host:-1", "no.such.host.invalid:1",
])  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        listen(address)
    assert caught.value.code == "bad_address"


def test_a_port_that_is_taken_is_told_before_anything_begins() -> None:
    with listen("127.0.0.1:0") as first:
        with pytest.raises(Conflict) as caught:
            listen(address_of(first).removeprefix("http://"))
        assert caught.value.code == "address_taken"


@pytest.mark.parametrize("missing", ["uvicorn", "httptools"])
def test_the_extra_that_is_missing_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ToolFailed) as caught:
        listen("127.0.0.1:0")
    assert (caught.value.code, caught.value.hint) == (
        "web_missing", 'pip install "orch-conductor[web]"',
    )  # fmt: skip


def _head(length: int, *more: bytes) -> bytes:
    typed = (
        b""
        if any(b"content-type" in line for line in more)
        else (b"Content-Type: application/json\r\n")
    )
    first = b"POST /webhooks/hub HTTP/1.1\r\nHost: x\r\n"
    return first + typed + b"Content-Length: %d\r\n" % length + b"".join(more) + b"\r\n"


def _lines(request: requests.Sent) -> list[bytes]:
    return [f"{name}: {value}\r\n".encode() for name, value in request.headers]


def _received(talk: socket.socket) -> bytes:
    try:
        return talk.recv(65536)
    except ConnectionError:
        return b""


def _ended(talk: socket.socket) -> bool:
    while part := _received(talk):
        assert b"HTTP/1.1 2" not in part
    return True


def _refuses(server: IntakeServer) -> bool:
    request = sent("github")
    try:
        return server.send(request)[0] == 503
    except (OSError, ValueError):
        return True
    except Exception as error:  # http.client's own, for an answer that was cut off
        if type(error).__module__ != "http.client":
            raise
        return True


def _until(wanted: Callable[[], bool], limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    while not wanted():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)
