"""The service's operations over its socket: synchronous and light.

Invariant: a call gives what it would give in process, or raises the same error. A socket that nobody
answers on is no service, not an error; a service that breaks off is `Unreachable`, and nothing may be
concluded about what it was asked to do. For one thread.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from orch._version import __version__
from orch.model.errors import Unreachable
from orch.wire import frames
from orch.wire.hello import METHOD, PROTOCOL, Hello, mismatch
from orch.wire.places import has_place, service_socket

CONNECT_S = 1.0
ANSWER_S = 120.0
"""An operation may ask git; one that takes longer is a job for a run."""
_BLOCK = 256 * 1024


class Client:
    """One connection. `about` is what the service said of itself: `protocol, version, pid, …`."""

    def __init__(self, connection: socket.socket, *, protocol: int = PROTOCOL) -> None:
        self._socket = connection
        self._rest = bytearray()
        self._looked = 0
        self._last = 0
        self._told: list[frames.Answer] = []
        mine = Hello(protocol, __version__)
        self.about: dict[str, Any] = self._ask(
            METHOD, {"protocol": mine.protocol, "version": mine.version}
        )
        theirs = Hello(int(self.about["protocol"]), str(self.about["version"]))
        wrong = mismatch(theirs, mine)
        if wrong is not None:
            raise wrong
        self._socket.settimeout(ANSWER_S)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def call(self, name: str, params: Mapping[str, Any] | None = None) -> Any:
        """See `orch.api.operations.Caller`."""
        return self._ask(name, dict(params or {}))

    def subscribe(
        self, name: str, params: Mapping[str, Any], *, quiet_s: float | None = None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """(`event`, `output`, `resync` or `end`; its parameters) as they come, for ever. With
        `quiet_s` an empty `("quiet", {})` whenever nothing came for so long."""
        number = self._ask(name, dict(params))["subscription"]
        return self._followed(number, quiet_s)

    def _followed(self, number: int, quiet_s: float | None) -> Iterator[tuple[str, dict[str, Any]]]:
        self._socket.settimeout(quiet_s)
        while True:
            try:
                told = self._told.pop(0) if self._told else self._read()
            except TimeoutError:
                yield "quiet", {}
                continue
            except OSError as error:
                raise _broken(error.strerror or "the connection broke") from error
            if told.method and told.params.get("subscription") == number:
                yield told.method, told.params
                if told.method == "end":
                    return

    def _ask(self, name: str, params: dict[str, Any]) -> Any:
        self._last += 1
        try:
            self._socket.sendall(frames.call(self._last, name, params))
            while True:
                answer = self._read()
                if answer.method:
                    self._told.append(answer)
                elif answer.id == self._last or answer.error is not None:
                    break
        except TimeoutError as error:
            raise Unreachable(
                f"the service did not answer {name} in time", code="service_silent",
                hint="orch service status",
            ) from error  # fmt: skip
        except OSError as error:
            raise _broken(error.strerror or "the connection broke") from error
        if answer.error is not None:
            raise frames.raised(answer.error)
        return answer.result

    def _read(self) -> frames.Answer:
        """The next frame. A timeout leaves what has come of it for the next call."""
        while True:
            end = self._rest.find(b"\n", self._looked)
            if end >= 0:
                line = bytes(self._rest[: end + 1])
                del self._rest[: end + 1]
                self._looked = 0
                return self._understood(line)
            self._looked = len(self._rest)
            if self._looked > frames.ANSWER_LIMIT:
                raise _broken("it sent a frame without an end")
            data = self._socket.recv(_BLOCK)
            if not data:
                raise _broken("it ended")
            self._rest += data

    def _understood(self, line: bytes) -> frames.Answer:
        try:
            return frames.answer(line)
        except frames.Refused as refused:
            raise _broken(refused.message) from refused


def _broken(why: str) -> Unreachable:
    return Unreachable(
        f"the service broke off: {why}", code="service_lost", hint="orch service status"
    )


def connect(home: Path, *, limit_s: float = CONNECT_S) -> Client | None:
    """The service of `home` (a real path); None when none lives. A service that is there and does
    not answer, or speaks another protocol, is an error."""
    path = service_socket(home)
    if not has_place(path):
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(limit_s)
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise Unreachable(
            f"the service's socket {path} cannot be reached: {error.strerror or 'no answer'}",
            code="service_silent", hint="orch service status",
        ) from error  # fmt: skip
    try:
        return Client(connection)
    except BaseException as error:
        connection.close()
        if isinstance(error, Unreachable) and error.code == "service_lost":
            return None  # it was just ending: its socket was there, and is no more
        raise
