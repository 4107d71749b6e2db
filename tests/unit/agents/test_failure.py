"""Failure classes come from exit records and error channels, never from the agent's work."""

from __future__ import annotations

import json

import pytest

from orch.agents import failure
from orch.model.attempt import ExitRecord


def exit_of(code: int, stderr: bytes = b"", **more: object) -> failure.Cause | None:
    return failure.of_exit(ExitRecord(attempt="a", exit_code=code, **more), stderr)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stderr", "code"),
    [
        ("error: failed to run prompt: provider.rate_limit: 429 Rate limit reached", "rate_limit"),
        ("openai.RateLimitError: Error code: 429 - {'error': 'x'}", "rate_limit"),
        ("Attempt 3 failed: You exceeded your current quota, please check your plan", "rate_limit"),
        ("HTTP 429: API rate limit exceeded (https://host/graphql)", "rate_limit"),
        ("error: failed to run prompt: provider.auth_error: 401 Incorrect API key", "auth"),
        ("Error: Invalid API key (from env var KEY). Please check", "auth"),
        ("unexpected status 401 Unauthorized: Incorrect API key provided", "auth"),
        (
            "APIContextOverflowError: 400 maximum context length is 128000 tokens",
            "context_overflow",
        ),
        ("Error: Prompt is too long", "context_overflow"),
        ("error: EACCES: permission denied, open '/x'", "permission_denied"),
        ("Error: stdin is not a terminal", "waiting_input"),
        ("Error: spawn rg ENOENT", "missing_tool"),
        ("Error: Your credit balance is too low to use the API", "billing"),
        ("Error: 402 Payment Required: quota exceeded", "rate_limit"),
        ("HTTP 402: insufficient credits", "billing"),
        ("Error: The model `gpt-9` does not exist or you do not have access", "unknown_model"),
        ("error: unknown model claude-9", "unknown_model"),
        ("Error: model User not found", "exit_nonzero"),
        ("Error: something else entirely", "exit_nonzero"),
        ("No conversation found with session ID: 42", "exit_nonzero"),
        ("", "exit_nonzero"),
    ],
)
def test_an_error_report_gives_the_class(stderr: str, code: str) -> None:
    assert failure.classify(stderr.encode()).code == code


@pytest.mark.parametrize(
    "stderr",
    [
        "| rate_limit | 3 |\n|---|---|\n| error | quota exceeded |",
        "tests/test_quota.py::test_rate_limit_429 FAILED",
        "- handle 429, 403 and capacity errors\n+ raise QuotaExceeded",
        "    raise RateLimitError('too many requests')",
        "> docs: what to do on error: 429 Too Many Requests",
        "fixed the unauthorized access; api key not valid is shown now",
        "0 failed, 3 passed; not approved; blocked",
        'some text {"error": {"message": "rate limit"}} in a line',
    ],
)
def test_h7_h9_h18_words_without_an_error_report_are_no_class(stderr: str) -> None:
    assert failure.classify(stderr.encode()).code == "exit_nonzero"


def test_h8_an_error_field_is_found_behind_a_long_stream() -> None:
    report = json.dumps(
        {"type": "error", "error": {"data": {"statusCode": 429, "message": "slow down"}}}
    )
    noise = "x" * 100_000
    cause = failure.classify(f"{noise}\n{report}\n".encode())
    assert (cause.code, cause.words) == ("rate_limit", "slow down")


def test_h7_what_lies_before_the_tail_is_not_looked_at() -> None:
    early = "error: 429 Too Many Requests\n" + "calm\n" * 1000
    assert failure.classify(early.encode()).code == "exit_nonzero"


def test_h13_the_most_specific_class_wins_wherever_it_stands() -> None:
    noise = "error: Reconnecting... 1/5\n"
    limit = "error: exceeded retry limit, last status: 429 Too Many Requests\n"
    for stderr in (noise + limit, limit + noise):
        cause = failure.classify(stderr.encode())
        assert cause.code == "rate_limit"
        assert "429" in cause.words


def test_a_missing_tool_outranks_a_rate_limit() -> None:
    stderr = b"error: 429 Too Many Requests\nerror: gh: command not found\n"
    assert failure.classify(stderr).code == "missing_tool"


def test_h10_a_program_that_ended_well_is_not_asked() -> None:
    assert exit_of(0, b"error: 429 Too Many Requests") is None


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"timed_out": True, "signal": 15}, "timeout"),
        ({"error": "no such program"}, "missing_tool"),
        ({"lost": True, "timed_out": True}, "lost"),
        ({"stopped": True, "lost": True}, "stopped"),
    ],
)
def test_the_exit_record_outranks_words(record: dict[str, object], code: str) -> None:
    cause = exit_of(127, b"error: 429 Too Many Requests", **record)
    assert cause is not None
    assert cause.code == code


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ('{\n "error": {\n  "message": "Key is wrong"\n }\n}\n', "Key is wrong"),
        (
            '{"error": {"message": "{\\"error\\": {\\"message\\": \\"inner\\"}}"}}',
            "inner",
        ),
        ('it broke\n{"error": {"mess', "it broke"),
        ('Traceback (most recent call last):\n  File "x"\nValueError: bad\n', "ValueError: bad"),
        ("first\nlast\n    at frame (x.js:1)\n}\n", "last"),
        ("\x1b[31mError:\x1b[0m red\r\n", "Error: red"),
    ],
)
def test_h11_the_words_are_for_people_not_a_slice_of_json(stderr: str, words: str) -> None:
    assert failure.classify(stderr.encode()).words == words


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("plain", "", "plain"),
        ({"message": "m"}, "", "m"),
        ({"error": "e"}, "", "e"),
        ({"error": {"data": {"message": "d", "statusCode": 401}}}, "auth", "d"),
        ({"name": "ContextOverflowError"}, "context_overflow", "ContextOverflowError"),
        ({"status": 429, "message": "later"}, "rate_limit", "later"),
        ({"code": 400, "message": "later"}, "", "later"),
        (None, "", ""),
        ([1], "", ""),
    ],
)
def test_error_fields_of_every_known_shape(error: object, code: str, words: str) -> None:
    cause = failure.of_error(error)
    assert (cause.code, cause.words) == (code, words)


def test_h46_h14_what_a_retry_cannot_mend_is_not_retried() -> None:
    final = {"missing_tool", "waiting_input", "permission_denied", "context_overflow", "auth"}
    for code in (*final, "rate_limit", "timeout", "killed", "exit_nonzero", "lost"):
        assert failure.Cause(code).retry == (code not in final)
