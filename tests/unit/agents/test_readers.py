"""Recorded outputs of the real agent programs, and what is made of them."""

from __future__ import annotations

import json
import os
import random
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from orch import plugins
from orch.agents import parsing
from orch.agents.output import Reader
from orch.config.loading import PROGRAMS

SAMPLES = Path(__file__).parents[2] / "samples" / "agents"
NOW = 1_795_230_000.0
KINDS = sorted(set(plugins.SHIPPED[plugins.AGENTS]) - {"command", "scripted"})
FUZZ = int(os.environ.get("ORCH_FUZZ", "10000"))
OK = ("needs_review", "unparseable")  # words without a result record


def reader(kind: str) -> Reader:
    found: Reader = import_module(f"orch.agents.{kind}").read
    return found


def parse(kind: str, stdout: bytes = b"", stderr: bytes = b"", code: int = 0) -> dict[str, Any]:
    found = parsing.parsed(reader(kind), stdout, stderr, code, agent=kind, now=NOW)
    json.dumps(found)
    return found


def of(name: str, code: int | None = None) -> dict[str, Any]:
    """What is made of a sample; `code` is 0 for one that went well, unless it is given."""
    raw = (SAMPLES / name).read_bytes()
    kind, wrote = name.partition("-")[0], ".stderr." not in name
    told = (raw, b"") if wrote else (b"", raw)
    return parse(kind, *told, code if code is not None else int(not wrote))


@pytest.mark.parametrize(
    ("name", "code", "status", "cls"),
    [
        ("acp-gemini-ok.jsonl", 0, *OK),
        ("acp-opencode-ok.jsonl", 0, *OK),
        ("acp-kimi-401.jsonl", 1, "failed", "auth"),
        ("acp-kimi-credit.jsonl", 0, "failed", "empty"),
        ("acp-kimi-forbidden.jsonl", 0, "needs_review", "permission_denied"),
        ("acp-kimi-ok.jsonl", 0, *OK),
        ("claude-json-401.json", 1, "failed", "auth"),
        ("claude-json-403.json", 1, "failed", "auth"),
        ("claude-json-429.json", 1, "failed", "rate_limit"),
        ("claude-json-500.json", 1, "failed", "server_error"),
        ("claude-json-max-turns.json", 1, "failed", "max_turns"),
        ("claude-json-no-key.json", 1, "failed", "auth"),
        ("claude-json-prompt-too-long.json", 1, "failed", "context_overflow"),
        ("claude-stream-json-429.jsonl", 1, "failed", "rate_limit"),
        ("claude-resume-unknown.stderr.txt", 1, "failed", "agent_error"),
        ("claude-bypass-as-root.stderr.txt", 1, "failed", "agent_error"),
        ("claude-json-resumed.json", 0, *OK),
        ("claude-p-json-ok.json", 0, *OK),
        ("claude-stream-json-ok.jsonl", 0, *OK),
        ("claude-stream-json-partial-messages.jsonl", 0, *OK),
        ("claude-stream-json-inside-bwrap.jsonl", 0, *OK),
        ("codex-exec-json-401.jsonl", 1, "failed", "auth"),
        ("codex-exec-json-403.jsonl", 1, "failed", "auth"),
        ("codex-exec-json-429.jsonl", 1, "failed", "rate_limit"),
        ("codex-exec-json-500.jsonl", 1, "failed", "server_error"),
        ("codex-exec-json-503.jsonl", 1, "failed", "server_error"),
        ("codex-exec-json-context-400.jsonl", 1, "failed", "context_overflow"),
        ("codex-exec-json-ok.jsonl", 0, *OK),
        ("codex-exec-resume.jsonl", 0, *OK),
        ("codex-exec-json-read-only.jsonl", 0, "needs_review", "permission_denied"),
        ("codex-exec-json-sandbox-denials.jsonl", 0, "needs_review", "permission_denied"),
        ("copilot-json-401.jsonl", 1, "failed", "auth"),
        ("copilot-json-429.jsonl", 1, "failed", "rate_limit"),
        ("copilot-json-500.jsonl", 1, "failed", "server_error"),
        ("copilot-json-ok.jsonl", 0, *OK),
        ("gemini-json-429.stderr.txt", 173, "failed", "rate_limit"),
        ("gemini-json-bad-key.stderr.txt", 144, "failed", "auth"),
        ("gemini-json-context.stderr.txt", 144, "failed", "context_overflow"),
        ("gemini-json-ok.json", 0, *OK),
        ("gemini-stream-json-ok.jsonl", 0, *OK),
        ("kimi-401.stderr.txt", 1, "failed", "auth"),
        ("kimi-429.stderr.txt", 1, "failed", "rate_limit"),
        ("kimi-context.stderr.txt", 1, "failed", "context_overflow"),
        ("kimi-stream-json-429.jsonl", 1, "failed", "rate_limit"),
        ("kimi-stream-json-ok.jsonl", 0, *OK),
        ("opencode-run-json-401.jsonl", 1, "failed", "auth"),
        ("opencode-run-json-429.jsonl", 1, "failed", "rate_limit"),
        ("opencode-run-json-ok.jsonl", 0, *OK),
        ("qwen-json-401.json", 1, "failed", "auth"),
        ("qwen-json-ok.json", 0, *OK),
        ("vibe-401.stderr.txt", 1, "failed", "auth"),
        ("vibe-json-ok.json", 0, *OK),
        ("aider-ok.txt", 0, *OK),
    ],
)
def test_a_real_output_ends_in_the_right_class(name: str, code: int, status: str, cls: str) -> None:
    found = of(name, code)
    assert (found["status"], found["failure"]["class"]) == (status, cls)
    assert found["failure"]["message"].startswith(("the agent ", "the output of agent "))
    assert "{" not in found["failure"]["message"], "no slice of JSON (H11)"


def test_the_configuration_knows_the_same_programs() -> None:
    assert set(KINDS) == PROGRAMS


def test_every_sample_is_in_the_table() -> None:
    mark = next(iter(test_a_real_output_ends_in_the_right_class.pytestmark))  # type: ignore[attr-defined]
    listed = {case[0] for case in mark.args[1]}
    trimmed = {"vibe-output-dir-export-trimmed.json"}
    assert {path.name for path in SAMPLES.iterdir()} == listed | trimmed


@pytest.mark.parametrize(
    ("name", "tokens_in", "tokens_out", "cached_in", "usd"),
    [
        ("acp-opencode-ok.jsonl", 1200, 34, 800, 0.002536),
        ("acp-kimi-ok.jsonl", None, None, None, None),
        ("claude-p-json-ok.json", 2400, 68, 1600, 0.01228),
        ("claude-stream-json-ok.jsonl", 2400, 68, 1600, 0.01228),
        ("claude-json-max-turns.json", 3600, 102, 2400, 0.01842),
        ("codex-exec-json-ok.jsonl", 4000, 68, 1600, None),
        ("opencode-run-json-ok.jsonl", 2400, 68, 1600, 0.002536),
        ("gemini-json-ok.json", 4000, 68, 1600, None),
        ("gemini-stream-json-ok.jsonl", 4000, 68, 1600, None),
        ("qwen-json-ok.json", 4000, 68, 1600, None),
        ("vibe-output-dir-export-trimmed.json", 4000, 68, 1600, 0.004136),
        ("aider-ok.txt", 594, 5, None, None),
        ("kimi-stream-json-ok.jsonl", None, None, None, None),
        ("copilot-json-ok.jsonl", None, None, None, None),
    ],
)
def test_what_was_used_is_what_the_program_says(
    name: str, tokens_in: int, tokens_out: int, cached_in: int, usd: float
) -> None:
    used = of(name, 0)["usage"]
    assert (used["tokens_in"], used["tokens_out"], used["cached_in"]) == (
        tokens_in, tokens_out, cached_in,
    )  # fmt: skip
    assert used["usd"] == (None if usd is None else pytest.approx(usd))


def test_what_the_books_hold_counts_no_token_twice() -> None:
    """A cached token is cheaper: where a program counts it as input too, it is taken out."""
    codex = reader("codex")((SAMPLES / "codex-exec-json-ok.jsonl").read_bytes(), b"").usage()
    assert (codex["input_tokens"], codex["cache_read_input_tokens"]) == (2400, 1600)
    claude = reader("claude")((SAMPLES / "claude-p-json-ok.json").read_bytes(), b"").usage()
    assert (claude["input_tokens"], claude["cache_read_input_tokens"]) == (2400, 1600)


@pytest.mark.parametrize(
    ("name", "session"),
    [
        ("claude-json-resumed.json", "11111111-2222-4333-8444-555555555555"),
        ("codex-exec-json-ok.jsonl", "01a1fbfb-80bc-7b23-88a8-582349c267a6"),
        ("opencode-run-json-ok.jsonl", "ses_e040366b1ffeAZ56Zpk3YrG2DT"),
        ("gemini-json-ok.json", "a86c9c38-2989-48a8-9558-d13f7a90822e"),
        ("kimi-stream-json-ok.jsonl", "session_7d14d35d-09cb-4066-820d-3e32282d3341"),
        ("copilot-json-ok.jsonl", "0bad210c-150b-4319-9c1b-1b9fc956b343"),
        ("acp-kimi-ok.jsonl", "session_ab81d799-fcb6-4d1b-99ee-aef587054203"),
        ("vibe-json-ok.json", "812ff93c-5860-5b3f-04b5-e735b0621470"),
    ],
)
def test_the_conversation_can_be_gone_on_with(name: str, session: str) -> None:
    assert of(name, 0)["session_id"] == session


def claude(text: Any, **more: Any) -> bytes:
    last = {"type": "result", "subtype": "success", "is_error": False, "result": text, **more}
    return json.dumps(last).encode()


def codex(*records: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in records)


RECORD = {
    "status": "completed", "summary": "Added it", "accomplished": ["flag"], "remaining": [],
    "files_changed": ["a.py"], "learnings": ["tests are slow"],
    "delegations": [{"title": "Docs", "body": "b", "labels": ["docs"]}],
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [json.dumps(RECORD), f"It is done.\n```json\n{json.dumps(RECORD, indent=1)}\n```\n", RECORD],
    ids=["bare", "fenced", "object"],
)
def test_a_result_record_is_found_in_the_last_message(text: Any) -> None:
    """H5: the envelope's result may be a text or an object."""
    found = parse("claude", claude(text))
    assert (found["status"], found["summary"], found["failure"]) == ("done", "Added it", None)
    assert (found["files"], found["learnings"]) == (["a.py"], ["tests are slow"])
    assert found["delegations"] == [{"title": "Docs", "body": "b", "labels": ["docs"]}]


def test_denials_are_only_listed_where_there_is_a_record() -> None:
    denied = [{"tool_name": "Write", "tool_use_id": "x", "tool_input": {"file_path": "/x"}}]
    found = parse("claude", claude(json.dumps(RECORD), permission_denials=denied))
    assert (found["status"], found["permission_denials"]) == ("done", denied)
    prose = parse("claude", claude("I could not write it.", permission_denials=denied))
    assert (prose["status"], prose["failure"]["class"]) == ("needs_review", "permission_denied")


def test_h4_a_flag_outranks_an_exit_code_of_zero() -> None:
    found = parse(
        "claude", claude("Credit balance is too low", is_error=True, api_error_status=400)
    )
    assert (found["status"], found["failure"]["class"]) == ("failed", "billing")


def test_a_limits_end_is_read_from_its_field() -> None:
    limit = {
        "type": "rate_limit_event",
        "rate_limit_info": {"status": "rejected", "resetsAt": 1_795_232_481},
    }
    text = "You've hit your 5-hour limit · resets 9:99am (UTC)"
    stream = json.dumps(limit).encode() + b"\n" + claude(text, is_error=True, api_error_status=429)
    failed = parse("claude", stream, code=1)["failure"]
    assert (failed["class"], failed["retry_at"]) == ("usage_limit", "2026-11-21T03:41:21Z")


def test_h13_reconnect_noise_hides_no_limit() -> None:
    limit = "You\u2019ve hit your usage limit. Upgrade to Pro or try again at 3:42 AM."
    found = parse("codex", codex(
        {"type": "error", "message": limit},
        {"type": "error", "message": "Reconnecting... 5/5 (stream disconnected)"},
        {"type": "turn.failed", "error": {"message": "the turn failed"}},
    ), code=1)  # fmt: skip
    assert found["failure"]["class"] == "usage_limit"
    assert found["failure"]["retry_at"] is not None


@pytest.mark.parametrize(
    ("message", "cls"),
    [
        ("Quota exceeded. Check your plan and billing details.", "billing"),
        ("stream disconnected before completion: stream closed", "server_error"),
        ("unexpected status 502 Bad Gateway: x", "server_error"),
        ("Missing environment variable: `KEY`.", "auth"),
        ('{"error": {"message": "Your credit balance is too low", "type": "x"}}', "billing"),
        ("unexpected status 529 <unknown status code>: Overloaded, url: x", "server_error"),
        ("The model `gpt-9` does not exist or you do not have access to it.", "model_unavailable"),
    ],
)
def test_the_errors_of_codex_are_told_apart_by_their_words(message: str, cls: str) -> None:
    told = codex({"type": "error", "message": message},
                 {"type": "turn.failed", "error": {"message": message}})  # fmt: skip
    failed = parse("codex", told, code=1)["failure"]
    assert failed["class"] == cls
    assert "{" not in failed["message"], "no slice of JSON (H11)"


@pytest.mark.parametrize("kind", KINDS)
def test_h7_h9_what_an_agent_works_on_is_no_error(kind: str) -> None:
    """Its own words about limits, errors and denials decide nothing."""
    words = "| 429 | rate_limit | quota exceeded |\nError: 401 Unauthorized: permission denied"
    chunk = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": words}}
    told = {
        "acp": codex({"type": "session", "session_id": "s"}, {"type": "update", "update": chunk},
                     {"type": "turn", "stop_reason": "end_turn"}, {"type": "end"}),
        "claude": claude(words), "minimax": claude(words), "qwen": claude(words),
        "codex": codex({"type": "item.completed", "item": {"type": "agent_message", "text": words}},
                       {"type": "turn.completed", "usage": {}}),
        "gemini": json.dumps({"response": words, "stats": {}}).encode(),
        "kimi": codex({"role": "assistant", "content": words},
                      {"role": "meta", "type": "session.resume_hint", "session_id": "s"}),
        "copilot": codex({"type": "assistant.message", "data": {"content": words}},
                         {"type": "result", "exitCode": 0}),
        "opencode": codex({"type": "step_start", "part": {}},
                          {"type": "text", "part": {"text": words}},
                          {"type": "step_finish", "part": {"reason": "stop"}}),
        "vibe": json.dumps([{"type": "message", "role": "assistant",
                             "content": [{"type": "text", "text": words}]}]).encode(),
        "aider": b"| 429 | rate_limit |\nthe Error: 401 is handled now\nTokens: 5 sent, 6 received.",
    }[kind]  # fmt: skip
    found = parse(kind, told)
    assert (found["status"], found["failure"]["class"]) == OK


@pytest.mark.parametrize("kind", KINDS)
def test_h1_h2_nothing_and_a_piece_are_no_success(kind: str) -> None:
    assert parse(kind)["failure"]["class"] == "empty"
    made_by = "claude" if kind == "minimax" else kind
    sample = next(path for path in sorted(SAMPLES.iterdir())
                  if path.name.startswith(f"{made_by}-") and "-ok" in path.name)  # fmt: skip
    whole = sample.read_bytes().rstrip()
    for size in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        assert parse(kind, whole[:size])["status"] in ("failed", "needs_review"), size


def test_a_signal_is_told_where_the_program_says_nothing() -> None:
    assert (
        parse("claude", b'{"type":"system","subtype":"init"}', code=143)["failure"]["class"]
        == "killed"
    )
    assert parse("codex", b"", code=137)["failure"]["class"] == "killed"
    assert parse("codex", b"", code=124)["failure"]["class"] == "timeout"
    assert parse("claude", b"", code=127)["failure"]["class"] == "missing_tool"


# --- whatever bytes come -------------------------------------------------------------


def mutated(rng: random.Random, corpus: list[bytes]) -> bytes:
    raw = bytearray(rng.choice(corpus))
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at = rng.randrange(len(raw) + 1)
        act = rng.randrange(7)
        if act == 0:
            del raw[at : at + rng.randrange(1, 60)]
        elif act == 1:
            raw[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif act == 2:
            other = rng.choice(corpus)
            begin = rng.randrange(len(other) + 1)
            raw[at:at] = other[begin : begin + rng.randrange(400)]
        elif act == 3 and raw:
            raw[at % len(raw)] ^= 1 << rng.randrange(8)
        elif act == 4:
            raw = raw[:at]
        elif act == 5:
            words = [
                b"null",
                b"[]",
                b"{}",
                b"-1",
                b"1e999",
                b"true",
                b'""',
                b"{" * 300,
                b"[" * 2000,
            ]
            raw[at:at] = rng.choice(words)
        else:
            raw = raw.replace(rng.choice([b'"', b":", b",", b"\n", b"type"]), b"", 1)
    return bytes(raw)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_bytes_make_a_reader_fail_or_claim_success(kind: str) -> None:
    """`ORCH_FUZZ` is the number of inputs over all readers (10,000). No sample has a result record,
    so nothing that comes of one may be a success."""
    rng = random.Random(kind)
    corpus = [path.read_bytes() for path in sorted(SAMPLES.iterdir())]
    slowest = 0.0
    for number in range(FUZZ // len(KINDS) + 1):
        told = mutated(rng, corpus), mutated(rng, corpus) if rng.random() < 0.3 else b""
        code = rng.choice([0, 0, 1, 2, 124, 137, 143, 255])
        began = time.perf_counter()
        found = parse(kind, *told, code)
        slowest = max(slowest, time.perf_counter() - began)
        assert found["status"] in ("failed", "needs_review"), (number, told, found)
        assert found["failure"]["class"], number
    assert slowest < 5, "bounded, also on a busy machine"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "raw",
    [b"{" * 3_000_000, b"\n{" * 1_000_000, b'{"a":' * 500_000, b"[" * 3_000_000, b"Error: " * 500_000,
     b'{"type":"error","message":"' + b"x" * 5_000_000, b"\x00" * 3_000_000],
    ids=["braces", "lines", "deep", "lists", "errors", "long", "nul"],
)  # fmt: skip
def test_large_rubbish_is_read_in_bounded_time(kind: str, raw: bytes) -> None:
    began = time.perf_counter()
    assert parse(kind, raw, raw, 1)["status"] == "failed"
    assert time.perf_counter() - began < 20
