"""The scripted model server says the same to every kind of agent, in its own form."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from orch.testing.model_server import FAULTS, ModelServer

ASKED = "Please. CMD<<echo hi>> SAY<<all well>>"
SHAPE = {"type": "object", "properties": {"command": {"type": "string"}}}
FORMS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "anthropic": (
        "/v1/messages",
        {"tools": [{"name": "Bash", "input_schema": SHAPE}],
         "messages": [{"role": "user", "content": ASKED}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "hi"}]}]},
    ),
    "responses": (
        "/v1/responses",
        {"tools": [{"type": "function", "name": "shell", "parameters": SHAPE}],
         "input": [{"role": "user", "content": [{"type": "input_text", "text": ASKED}]}]},
        {"input": [{"type": "function_call_output", "call_id": "call_1", "output": "hi"}]},
    ),
    "chat": (
        "/v1/chat/completions",
        {"tools": [{"type": "function", "function": {"name": "bash", "parameters": SHAPE}}],
         "messages": [{"role": "user", "content": ASKED}]},
        {"messages": [{"role": "tool", "content": "hi"}]},
    ),
    "gemini": (
        "/v1beta/models/m:streamGenerateContent",
        {"tools": [{"functionDeclarations": [{"name": "run", "parameters": SHAPE}]}],
         "contents": [{"role": "user", "parts": [{"text": ASKED}]}]},
        {"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "run"}}]}]},
    ),
}  # fmt: skip


def post(url: str, body: dict[str, Any]) -> str:
    request = urllib.request.Request(url, json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("form", FORMS)
def test_it_asks_for_the_command_and_then_says_its_last_words(form: str) -> None:
    path, first, then = FORMS[form]
    later = {**first, **{key: [*first[key], *added] for key, added in then.items()}}
    with ModelServer() as server:
        asked = post(server.url() + path, {**first, "stream": True})
        ended = post(server.url() + path, {**later, "stream": True})
        assert [request.path for request in server.requests] == [path, path]
    assert "echo hi" in asked
    assert "all well" not in asked
    assert "all well" in ended


@pytest.mark.parametrize("scenario", FAULTS)
@pytest.mark.parametrize("form", FORMS)
def test_a_fault_has_its_status_and_its_words(form: str, scenario: str) -> None:
    path, first, _ = FORMS[form]
    with ModelServer() as server, pytest.raises(urllib.error.HTTPError) as refused:
        post(server.url(scenario) + path, first)
    with refused.value as answer:
        assert answer.code == FAULTS[scenario].status
        assert json.loads(answer.read())["error"]["message"] == FAULTS[scenario].words
