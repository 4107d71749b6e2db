"""Frames on the service's socket: one JSON-RPC 2.0 message a line, and what is refused unread.

Why lines: encoded JSON holds no line break, so that the end of a frame needs no length, a half frame
is seen by what it lacks, and a person can talk to the socket with any tool that connects to one.

Invariant: pure. Whatever bytes come in, the answer is a request or one of JSON-RPC's refusals, in
linear time and without deep recursion.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from orch.model import typed
from orch.model.errors import (
    Conflict,
    Interrupted,
    LimitReached,
    NotFound,
    OrchError,
    SignInNeeded,
    StepTimeout,
    ToolFailed,
    Unreachable,
    UsageError,
    WaitsForHuman,
)

REQUEST_LIMIT = 4 * 1024 * 1024
"""Bytes of a request with its line break: a task's text is data, not a disk image."""
ANSWER_LIMIT = 64 * 1024 * 1024
DEPTH_LIMIT = 100
"""Nested arrays and objects; decoders recurse."""
NOT_JSON, NO_REQUEST, NO_METHOD, BAD_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
"""Codes of JSON-RPC 2.0. An `OrchError` has its exit code instead, and itself as `data`."""

Id = int | str | None
_CODES = {"unknown_method": NO_METHOD, "bad_params": BAD_PARAMS, "internal": INTERNAL}
_CLASSES: dict[int, type[OrchError]] = {
    cls.exit_code: cls
    for cls in (
        OrchError, UsageError, NotFound, SignInNeeded, Conflict, WaitsForHuman, LimitReached,
        Unreachable, ToolFailed, Interrupted, StepTimeout,
    )
}  # fmt: skip
# Strings first: brackets inside them nest nothing. One that is not closed swallows the rest.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\(?:.|\Z))*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Refused(Exception):
    """A frame that is no request: `code` as JSON-RPC has it, and the `id` if one could be read."""

    def __init__(self, code: int, message: str, identifier: Id = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.identifier = identifier


class Request(msgspec.Struct, frozen=True):
    """Without an id (`msgspec.UNSET`) it is a notification: nobody waits for an answer."""

    method: str
    jsonrpc: str = ""
    params: dict[str, Any] = {}
    id: int | str | msgspec.UnsetType | None = msgspec.UNSET

    @property
    def answered(self) -> bool:
        return self.id is not msgspec.UNSET

    @property
    def identifier(self) -> Id:
        return None if isinstance(self.id, msgspec.UnsetType) else self.id


class Answer(msgspec.Struct, frozen=True):
    """What comes back: `result` or `error`; or a notification, which has a `method`."""

    jsonrpc: str = ""
    id: int | str | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    method: str = ""
    params: dict[str, Any] = {}


class _Named(msgspec.Struct):
    id: int | str | None = None


_request = typed.decoder(Request)
_answer = typed.decoder(Answer)
_named = typed.decoder(_Named)


def depth(data: bytes) -> int:
    """How deep arrays and objects nest, or more where the text is no JSON. Linear."""
    if data.count(b"[") + data.count(b"{") <= DEPTH_LIMIT:
        return 0
    deepest = now = 0
    for found in _TOKEN.finditer(data):
        token = found[0]
        if token in (b"[", b"{"):
            now += 1
            deepest = max(deepest, now)
        elif token in (b"]", b"}"):
            now -= 1
    return deepest


def request(line: bytes) -> Request:
    """The request in a frame; else `Refused`."""
    _shallow(line)
    try:
        found = _request.decode(line)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Refused(NO_REQUEST, f"no request: {error}", _id_of(line)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(NOT_JSON, f"no JSON: {error}") from error
    if found.jsonrpc != "2.0":
        raise Refused(NO_REQUEST, "no request of JSON-RPC 2.0", found.identifier)
    return found


def answer(line: bytes) -> Answer:
    """An answer or a notification; else `Refused`."""
    _shallow(line)
    try:
        return _answer.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(NOT_JSON, f"no answer: {error}") from error


def _shallow(line: bytes) -> None:
    if depth(line) > DEPTH_LIMIT:
        raise Refused(NO_REQUEST, f"nested deeper than {DEPTH_LIMIT}")


def _id_of(line: bytes) -> Id:
    try:
        return _named.decode(line).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def frame(message: Any) -> bytes:
    return _encode(message) + b"\n"


def call(identifier: Id, method: str, params: dict[str, Any]) -> bytes:
    return frame({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})


def result(identifier: Id, value: Any) -> bytes:
    """The answer to a request; an error in its place when it is too long to be sent."""
    made = frame({"jsonrpc": "2.0", "id": identifier, "result": value})
    if len(made) <= ANSWER_LIMIT:
        return made
    large = LimitReached(
        f"the answer has {len(made)} bytes, {ANSWER_LIMIT} at most", code="answer_too_large",
        hint="ask for less at once",
    )  # fmt: skip
    return failure(identifier, large)


def failure(identifier: Id, error: OrchError) -> bytes:
    """An error of ours, whole: the other side raises it again."""
    code = _CODES.get(error.code, error.exit_code)
    data = {**error.as_dict(), "exit_code": error.exit_code}
    body = {"code": code, "message": error.message, "data": data}
    return frame({"jsonrpc": "2.0", "id": identifier, "error": body})


def refusal(refused: Refused) -> bytes:
    body = {"code": refused.code, "message": refused.message}
    return frame({"jsonrpc": "2.0", "id": refused.identifier, "error": body})


def notification(method: str, params: dict[str, Any]) -> bytes:
    return frame({"jsonrpc": "2.0", "method": method, "params": params})


def told(method: str, subscription: int, name: str, body: bytes) -> bytes:
    """A notification to one of many subscribers of the same thing: `body`, encoded once for all,
    is the member `name` beside the subscription's number."""
    return (
        b'{"jsonrpc":"2.0","method":"%s","params":{"subscription":%d,"%s":%s}}\n'
        % (method.encode(), subscription, name.encode(), body)
    )  # fmt: skip


def raised(error: dict[str, Any]) -> OrchError:
    """The error that the other side was told, as one of ours."""
    data = error.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("message"), str):
        return Unreachable(
            f"the service refused a frame: {error.get('message', 'no reason given')}",
            code="refused_frame", hint="orch service restart",
        )  # fmt: skip
    exit_code = data.get("exit_code")
    cls = _CLASSES.get(exit_code if isinstance(exit_code, int) else 1, OrchError)
    more = data.get("data")
    details = {str(key): value for key, value in more.items()} if isinstance(more, dict) else {}
    for taken in ("message", "code", "hint"):
        details.pop(taken, None)
    return cls(
        data["message"], code=str(data.get("code", "")), hint=str(data.get("hint", "")), **details
    )
