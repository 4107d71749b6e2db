"""One POST of JSON: within its time, to the address that was meant and no other.

Invariant: redirects are not followed (a header may hold a token), nothing of an answer but its status
is read, and the whole of it is over at the deadline, however slowly the other side writes.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit


def post(url: str, data: bytes, headers: Mapping[str, str], timeout_s: float) -> str:
    """One sentence on what went wrong; empty when the answer was a 2xx. Blocks."""
    parts = urlsplit(url)
    try:
        port, host = parts.port, parts.hostname
    except ValueError:
        port, host = None, None
    if parts.scheme not in ("http", "https") or not host:
        return "its address is not one of http or https"
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=timeout_s)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    given = {"Content-Type": "application/json", "User-Agent": "orch", **headers}
    late = threading.Event()
    watch = threading.Timer(timeout_s, _hang_up, (connection, late))
    watch.daemon = True
    watch.start()
    try:
        connection.request("POST", target, body=data, headers=given)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            return _too_late(host, timeout_s)
        return f"{host} cannot be told: {getattr(error, 'strerror', None) or type(error).__name__}"
    finally:
        watch.cancel()
        connection.close()
    if late.is_set():  # what had come by then may look like an answer
        return _too_late(host, timeout_s)
    return "" if 200 <= status < 300 else f"{host} answered {status}"


def _too_late(host: str, timeout_s: float) -> str:
    return f"{host} gave no answer within {timeout_s:g} s"


def _hang_up(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    line = connection.sock
    if line is not None:
        try:
            line.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is over already
