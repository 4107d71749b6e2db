"""A model server that plays a script, on loopback: the real agent programs run against it without an
account.

It answers Anthropic's `/v1/messages`, OpenAI's `/v1/responses` and `/v1/chat/completions`, and
Gemini's `:generateContent` and `:streamGenerateContent`, whole or as events. The first part of the
path chooses what happens: `/s/ok` (the default) asks for a command and then says its last words; the
others are in `FAULTS`. What it does is in the prompt: `CMD<<…>>` is the shell command, `SAY<<…>>` the
last words, so that one server plays many parts at once. Every request is kept in `requests`.

Invariant: the same requests get the same answers, and nothing listens on anything but loopback.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple

_CMD = re.compile(r"CMD<<(.*?)>>", re.DOTALL)
_SAY = re.compile(r"SAY<<(.*?)>>", re.DOTALL)
_SCENARIO = re.compile(r"^/s/([\w-]+)(/.*)$")
COMMAND = "printf 'hello\\n' > hello.txt"
WORDS = json.dumps({"status": "done", "summary": "Wrote hello.txt", "files": ["hello.txt"]})
IN, OUT, CACHED = 1200, 34, 800
"""Tokens of each answer."""
_PROPERTIES = ("command", "cmd", "script")


class Fault(NamedTuple):
    """An answer that is an error: in each provider's own form."""

    status: int
    kind: str
    words: str
    headers: tuple[tuple[str, str], ...] = ()


RESETS_AT = 4_102_444_800
"""When the usage window of `window` is over: seconds since the epoch."""
FAULTS: dict[str, Fault] = {
    "429": Fault(429, "rate_limit_error", "Rate limit reached. Please try again in 1s.",
                 (("retry-after", "1"),)),
    "529": Fault(529, "overloaded_error", "Overloaded"),
    "500": Fault(500, "api_error", "Internal server error"),
    "503": Fault(503, "api_error", "The server is overloaded"),
    "401": Fault(401, "authentication_error", "Incorrect API key provided"),
    "403": Fault(403, "permission_error", "Your organization does not have access"),
    "credit": Fault(400, "invalid_request_error", "Your credit balance is too low"),
    "quota": Fault(429, "insufficient_quota", "You exceeded your current quota, please check your"
                   " plan and billing details."),
    "usage": Fault(429, "usage_limit_reached", "The usage limit has been reached"),
    "window": Fault(429, "rate_limit_error", "This request would exceed your account's rate limit.",
                    (("anthropic-ratelimit-unified-status", "rejected"),
                     ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
                     ("anthropic-ratelimit-unified-reset", str(RESETS_AT)))),
    "ctx": Fault(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    "model": Fault(404, "not_found_error", "model: no-such-model was not found"),
}  # fmt: skip


class Request(NamedTuple):
    """One request: its path without the scenario, the scenario, its JSON body, and the key that it
    came with."""

    path: str
    scenario: str
    body: dict[str, Any]
    key: str = ""


class Step(NamedTuple):
    """What the model does next: a tool call, or words that end its turn."""

    tool: str = ""
    arguments: Mapping[str, Any] = MappingProxyType({})
    words: str = ""
    turn: int = 1
    """Of the conversation: each call in it has an id of its own."""


class ModelServer:
    """`with ModelServer() as server:` gives one that serves until the block ends. `url` is where."""

    def __init__(self, *, pause_s: float = 0.0) -> None:
        self.requests: list[Request] = []
        self.pause_s = pause_s
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.model = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    def url(self, scenario: str = "ok") -> str:
        return f"http://127.0.0.1:{self._server.server_port}/s/{scenario}"

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def step(body: dict[str, Any]) -> Step:
    """What follows in the conversation of a request of any of the kinds."""
    turn = len(body.get("messages") or body.get("input") or body.get("contents") or [])
    told = _texts(body)
    said = _SAY.findall(told)
    tool = None if _after_a_tool(body) else _command_tool(body)
    if tool is None:
        return Step(words=said[-1] if said else WORDS, turn=turn)
    commands = _CMD.findall(told)
    name, key, many = tool
    command = commands[-1] if commands else COMMAND
    value: Any = ["bash", "-c", command] if many else command
    return Step(tool=name, arguments={key: value}, turn=turn)


def _texts(value: Any, depth: int = 0) -> str:
    """All texts of a request's messages, in order."""
    if depth == 0:
        names = ("messages", "input", "contents")
        value = [value[name] for name in names if name in value]
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        named = [value[name] for name in ("content", "parts", "text") if name in value]
        return "\n".join(_texts(one, depth + 1) for one in named)
    if isinstance(value, list):
        return "\n".join(_texts(one, depth + 1) for one in value)
    return ""


def _after_a_tool(body: dict[str, Any]) -> bool:
    """Whether the newest message that is not the program's own is what a tool gave."""
    for message in reversed(
        body.get("messages") or body.get("input") or body.get("contents") or []
    ):
        if not isinstance(message, dict) or message.get("role") in ("system", "developer"):
            continue
        if message.get("role") == "tool" or message.get("type") in (
            "function_call_output", "custom_tool_call_output",
        ):  # fmt: skip
            return True
        inside = message.get("content") or message.get("parts") or []
        return isinstance(inside, list) and any(
            isinstance(one, dict)
            and (one.get("type") == "tool_result" or "functionResponse" in one)
            for one in inside
        )
    return False


def _command_tool(body: dict[str, Any]) -> tuple[str, str, bool] | None:
    """(name, property, whether it wants a list) of the tool that runs a command."""
    for tool in _tools(body):
        shape = (
            tool.get("input_schema") or tool.get("parameters") or tool.get("parametersJsonSchema")
        )
        properties = shape.get("properties") if isinstance(shape, dict) else None
        for key in _PROPERTIES:
            if isinstance(properties, dict) and key in properties:
                return tool["name"], key, properties[key].get("type") == "array"
    return None


def _tools(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for tool in body.get("tools") or []:
        if "functionDeclarations" in tool:
            yield from tool["functionDeclarations"]
        elif isinstance(tool.get("function"), dict):
            yield tool["function"]
        elif "name" in tool:
            yield tool


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what was asked is in `requests`."""

    def do_GET(self) -> None:
        self._reply(200, {"object": "list", "data": [{"id": "fake-1", "object": "model"}]})

    def do_HEAD(self) -> None:
        self._reply(200, {})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        match = _SCENARIO.match(self.path.partition("?")[0])
        scenario, path = (match[1], match[2]) if match else ("ok", self.path.partition("?")[0])
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        model: ModelServer = self.server.model  # type: ignore[attr-defined]
        bearer = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        key = bearer or self.headers.get("x-api-key") or self.headers.get("x-goog-api-key") or ""
        model.requests.append(Request(path, scenario, body, key))
        if scenario in FAULTS:
            self._fault(path, FAULTS[scenario])
        elif path.endswith("/count_tokens"):
            self._reply(200, {"input_tokens": IN})
        else:
            if scenario == "slow" or model.pause_s:
                time.sleep(model.pause_s or 2.0)
            self._answer(path, body, step(body), cut=scenario == "cut")

    def _answer(self, path: str, body: dict[str, Any], next_step: Step, *, cut: bool) -> None:
        if path.endswith("/messages"):
            events = _anthropic(body, next_step)
        elif path.endswith("/responses"):
            events = _responses(next_step)
        elif path.endswith("/chat/completions"):
            events = _chat(body, next_step)
        elif "generateContent" in path or "GenerateContent" in path:
            events = _gemini(next_step)
            if ":generateContent" in path:
                self._reply(200, json.loads(next(events)[6:]))
                return
        else:
            self._reply(404, {"error": {"message": f"no such path: {path}"}})
            return
        if path.endswith("/messages") and not body.get("stream"):
            self._reply(200, _whole(body, next_step))
        elif path.endswith("/chat/completions") and not body.get("stream"):
            self._reply(200, _chat_whole(body, next_step))
        else:
            self._stream(events, cut=cut)

    def _stream(self, events: Iterator[str], *, cut: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for number, event in enumerate(events):
            if cut and number == 2:
                return
            self.wfile.write(f"{event}\n\n".encode())
        self.wfile.flush()

    def _fault(self, path: str, fault: Fault) -> None:
        if path.endswith("/messages"):
            error: dict[str, Any] = {"type": fault.kind, "message": fault.words}
            self._reply(fault.status, {"type": "error", "error": error}, fault.headers)
        elif "enerateContent" in path:
            error = {"code": fault.status, "message": fault.words, "status": fault.kind.upper()}
            self._reply(fault.status, {"error": error}, fault.headers)
        else:
            error = {"message": fault.words, "type": fault.kind, "param": None, "code": fault.kind}
            self._reply(fault.status, {"error": error}, fault.headers)

    def _reply(
        self, status: int, value: dict[str, Any], headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        raw = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (*headers, ("content-type", "application/json"), ("request-id", "req_1")):
            self.send_header(name, text)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)


def _event(value: dict[str, Any]) -> str:
    return f"event: {value['type']}\ndata: {json.dumps(value)}"


_USAGE = {"input_tokens": IN, "output_tokens": OUT, "cache_read_input_tokens": CACHED,
          "cache_creation_input_tokens": 0}  # fmt: skip


def _block(next_step: Step) -> dict[str, Any]:
    if next_step.tool:
        return {"type": "tool_use", "id": f"toolu_{next_step.turn}", "name": next_step.tool,
                "input": dict(next_step.arguments)}  # fmt: skip
    return {"type": "text", "text": next_step.words}


def _whole(body: dict[str, Any], next_step: Step) -> dict[str, Any]:
    return {
        "id": f"msg_{next_step.turn}", "type": "message", "role": "assistant",
        "model": body.get("model", ""),
        "content": [_block(next_step)], "usage": _USAGE, "stop_sequence": None,
        "stop_reason": "tool_use" if next_step.tool else "end_turn",
    }  # fmt: skip


def _anthropic(body: dict[str, Any], next_step: Step) -> Iterator[str]:
    whole = _whole(body, next_step)
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**_USAGE, "output_tokens": 1}}
    yield _event({"type": "message_start", "message": begun})
    nothing: dict[str, Any] = {"input": {}} if next_step.tool else {"text": ""}
    empty = {**_block(next_step), **nothing}
    yield _event({"type": "content_block_start", "index": 0, "content_block": empty})
    piece = (
        {"type": "input_json_delta", "partial_json": json.dumps(dict(next_step.arguments))}
        if next_step.tool else {"type": "text_delta", "text": next_step.words}
    )  # fmt: skip
    yield _event({"type": "content_block_delta", "index": 0, "delta": piece})
    yield _event({"type": "content_block_stop", "index": 0})
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": end, "usage": {"output_tokens": OUT}})
    yield _event({"type": "message_stop"})


def _responses(next_step: Step) -> Iterator[str]:
    item: dict[str, Any] = {
        "type": "message", "id": f"msg_{next_step.turn}", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": next_step.words, "annotations": []}],
    }  # fmt: skip
    if next_step.tool:
        item = {
            "type": "function_call", "id": f"fc_{next_step.turn}",
            "call_id": f"call_{next_step.turn}", "name": next_step.tool,
            "arguments": json.dumps(dict(next_step.arguments)), "status": "completed",
        }  # fmt: skip
    usage = {
        "input_tokens": IN + CACHED, "input_tokens_details": {"cached_tokens": CACHED},
        "output_tokens": OUT, "output_tokens_details": {"reasoning_tokens": 8},
        "total_tokens": IN + CACHED + OUT,
    }  # fmt: skip
    made = {"id": "resp_1", "object": "response", "status": "completed", "output": [item],
            "usage": usage}  # fmt: skip
    yield _event({"type": "response.created", "response": {**made, "status": "in_progress"}})
    yield _event({"type": "response.output_item.done", "output_index": 0, "item": item})
    yield _event({"type": "response.completed", "response": made})


_CHAT_USAGE = {
    "prompt_tokens": IN + CACHED, "completion_tokens": OUT, "total_tokens": IN + CACHED + OUT,
    "prompt_tokens_details": {"cached_tokens": CACHED},
}  # fmt: skip


def _said(next_step: Step) -> tuple[dict[str, Any], str]:
    if not next_step.tool:
        return {"role": "assistant", "content": next_step.words}, "stop"
    call = {"name": next_step.tool, "arguments": json.dumps(dict(next_step.arguments))}
    calls = [{"index": 0, "id": f"call_{next_step.turn}", "type": "function", "function": call}]
    return {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"


def _chat_whole(body: dict[str, Any], next_step: Step) -> dict[str, Any]:
    message, reason = _said(next_step)
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1,
            "model": body.get("model", ""), "choices": [choice], "usage": _CHAT_USAGE}  # fmt: skip


def _chat(body: dict[str, Any], next_step: Step) -> Iterator[str]:
    delta, reason = _said(next_step)
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
             "model": body.get("model", "")}  # fmt: skip
    choices: list[dict[str, Any]] = [
        {"delta": delta, "finish_reason": None}, {"delta": {}, "finish_reason": reason},
    ]  # fmt: skip
    for choice in choices:
        yield "data: " + json.dumps({**chunk, "choices": [{"index": 0, **choice}]})
    yield "data: " + json.dumps({**chunk, "choices": [], "usage": _CHAT_USAGE})
    yield "data: [DONE]"


def _gemini(next_step: Step) -> Iterator[str]:
    part: dict[str, Any] = {"text": next_step.words}
    if next_step.tool:
        part = {"functionCall": {"name": next_step.tool, "args": dict(next_step.arguments)}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": IN + CACHED, "candidatesTokenCount": OUT,
             "totalTokenCount": IN + CACHED + OUT, "cachedContentTokenCount": CACHED}  # fmt: skip
    yield "data: " + json.dumps({"candidates": [candidate], "usageMetadata": usage})
