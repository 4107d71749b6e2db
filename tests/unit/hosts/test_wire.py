"""HTTP on loopback: whether a request may have arrived, how large and how slow an answer may be."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orch.hosts.wire import NoAnswer, NotSent, Wire


@contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that hands each connection to `handle`, one after another."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    handle(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@contextmanager
def wire(origin: str, **options: float) -> Iterator[Wire]:
    made = Wire(origin, {}, **options)  # type: ignore[arg-type]
    yield made
    made.close()


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return handle


def test_no_connection_is_known_not_to_have_arrived() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with wire(f"http://127.0.0.1:{port}") as one, pytest.raises(NotSent, match="refused"):
        one.send("POST", "/", {}, b"{}")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
    ],
)
def test_an_answer_that_is_not_whole_is_no_answer(answer: bytes) -> None:
    with listening(answering(answer)) as origin, wire(origin) as one:
        with pytest.raises(NoAnswer) as caught:
            one.send("POST", "/", {}, b"{}")
        assert "object at" not in str(caught.value)


def test_an_answer_has_a_largest_size() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n" + b"x" * 2_000_000
    big = listening(answering(answer))
    with big as origin, wire(origin, largest=1_048_576) as one, pytest.raises(NoAnswer) as caught:
        one.send("GET", "/", {})
    assert "more than 1 MiB" in str(caught.value)


def test_an_answer_that_trickles_has_a_deadline() -> None:
    ended = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        try:
            while not ended.wait(0.05):
                connection.sendall(b"x")
        except OSError:
            return  # the client has gone, as it should

    with listening(trickle) as origin, wire(origin, answer_s=0.4) as one:
        with pytest.raises(NoAnswer, match="took more than"):
            one.send("GET", "/", {})
        ended.set()


def test_a_certificate_that_nobody_vouches_for_ends_it_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(tz=UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
        .public_key(key.public_key()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = tmp_path / "server.pem"
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, pkcs8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    heard = []

    def handle(connection: socket.socket) -> None:
        try:
            heard.append(context.wrap_socket(connection, server_side=True).recv(9))
        except OSError:
            return  # the client does not go on, as it should

    with (
        listening(handle) as origin,
        wire(origin.replace("http:", "https:")) as one,
        pytest.raises(NotSent) as caught,
    ):
        one.send("POST", "/", {"authorization": "Bearer x"}, b"{}")
    assert "not trusted" in str(caught.value)
    assert b"".join(heard) == b""


def test_a_redirection_is_an_answer_and_is_not_followed() -> None:
    answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"
    with listening(answering(answer)) as origin, wire(origin) as one:
        assert one.send("GET", "/", {}).status == 302


def test_a_connection_is_kept() -> None:
    connections = []

    def handle(connection: socket.socket) -> None:
        connections.append(connection)
        for _ in range(3):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    with listening(handle) as origin, wire(origin) as one:
        assert [one.send("GET", "/", {}).body for _ in range(3)] == [b"ok"] * 3
    assert len(connections) == 1
