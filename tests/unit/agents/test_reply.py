"""Verdicts beyond the contract's truth table: values, notes, envelopes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from orch.agents import failure, reply
from orch.model.attempt import AgentResult, ReplyMode, Verdict
from orch.ports import AttemptFacts
from orch.testing.agents import ended, seen


def judged(mode: ReplyMode, **facts: Any) -> Verdict:
    return reply.judge(mode, seen(**facts), agent="x")


def test_text_is_what_a_shell_would_substitute() -> None:
    assert judged("text", stdout=b"  a\nb\0 \xff\r\n\n").value == "  a\nb \ufffd"


def test_a_large_text_is_cut_and_says_so() -> None:
    verdict = judged("text", stdout="ä".encode() * 2**20)
    assert verdict.value == "ä" * 2**19
    assert "last 1 MiB" in verdict.message


def test_a_text_whose_beginning_is_gone_already_says_so() -> None:
    assert "last 1 MiB" in judged("text", stdout=b"x", exit=ended(0, stdout_bytes=2**22)).message


def test_diff_gives_the_summary_of_the_result_file() -> None:
    text = '{"status": "done", "summary": "Added it", "input_tokens": 7}'
    verdict = judged("diff", changed=True, stdout=b"noise", result_text=text)
    assert verdict.value == "Added it"
    assert verdict.usage == {"input_tokens": 7}


def test_diff_without_one_gives_the_tail_of_the_output_without_escapes() -> None:
    stdout = b"x" * 100_000 + b"\n\x1b[32mDone\x1b[0m\n"
    verdict = judged("diff", changed=True, stdout=stdout)
    assert isinstance(verdict.value, str)
    assert verdict.value.endswith("x\nDone")
    assert len(verdict.value) <= 64 * 1024


def test_result_gives_the_record() -> None:
    verdict = judged("result", result_text='{"status": "done", "decision": "approve"}')
    assert isinstance(verdict.value, AgentResult)
    assert verdict.value["decision"] == "approve"


def test_h20_a_repair_is_told() -> None:
    verdict = judged("result", result_text='{"status": "done",}')
    assert (verdict.ok, verdict.message) == (True, "the result file was repaired: trailing comma")


def test_a_broken_result_file_beside_a_changed_tree_is_told_and_no_failure() -> None:
    verdict = judged("diff", changed=True, result_text="{broken")
    assert verdict.ok
    assert "not a JSON record" in verdict.message


def test_no_change_quotes_what_the_agent_said_last() -> None:
    verdict = judged("diff", stdout=b"thinking\nThere is nothing to do.\n")
    assert verdict.message.endswith("changed nothing: There is nothing to do.")


def test_a_failed_exit_is_explained_by_the_result_file() -> None:
    verdict = judged(
        "diff", exit=ended(1), stderr=b"error: boring", result_text='{"error": "disk is gone"}'
    )
    assert (verdict.code, verdict.retry) == ("exit_nonzero", True)
    assert verdict.message == "the agent x failed (exit code 1): disk is gone"


def test_what_the_agent_asks_a_person_is_not_retried() -> None:
    for status, retry in (("failed", True), ("blocked", False), ("needs_review", False)):
        assert judged("text", result_text=json.dumps({"status": status})).retry == retry


ENVELOPE = {
    "type": "result", "subtype": "success", "is_error": True, "api_error_status": 429,
    "terminal_reason": "api_error", "usage": {"input_tokens": 0},
    "result": "API Error: Request rejected (429) · Please try again later.",
}  # fmt: skip


@pytest.mark.parametrize("mode", ["diff", "text", "result"])
@pytest.mark.parametrize("code", [0, 1])
def test_h3_h4_the_flag_of_an_envelope_outranks_a_good_exit(mode: ReplyMode, code: int) -> None:
    done = '{"status": "done"}'
    stdout = json.dumps(ENVELOPE).encode()
    verdict = judged(mode, exit=ended(code), stdout=stdout, changed=True, result_text=done)
    assert (verdict.ok, verdict.code, verdict.retry) == (False, "rate_limit", True)
    assert "Please try again later." in verdict.message
    assert "{" not in verdict.message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"api_error_status": 401, "result": "Invalid API key"}, "auth"),
        ({"api_error_status": 400, "terminal_reason": "prompt_too_long"}, "context_overflow"),
        ({"api_error_status": 500, "result": "Internal server error"}, "reported_failure"),
        (
            {"api_error_status": None, "result": None, "errors": ["Reached 3 turns"]},
            "reported_failure",
        ),
        ({"api_error_status": None, "result": {"message": "Not logged in"}}, "auth"),
    ],
)
def test_h4_h5_envelopes_are_classed_by_their_fields(change: dict[str, Any], code: str) -> None:
    stdout = json.dumps({**ENVELOPE, **change}).encode()
    assert judged("text", stdout=stdout).code == code


@pytest.mark.parametrize(
    "stdout",
    [
        json.dumps({**ENVELOPE, "is_error": False}),
        "I wrote " + json.dumps(ENVELOPE),
        json.dumps([ENVELOPE]),
        '{"is_error": "true"}',
    ],
)
def test_h7_an_envelope_in_the_agents_work_is_no_envelope(stdout: str) -> None:
    assert judged("text", stdout=stdout.encode()).ok


def test_an_adapter_for_structured_output_is_a_few_lines_over_this_room() -> None:
    """The shape of the adapters to come: read the last event, then judge what it says."""

    def judge(mode: ReplyMode, facts: AttemptFacts) -> Verdict:
        events = [json.loads(line) for line in facts.stdout.splitlines()]
        errors = [event["message"] for event in events if event["type"] == "error"]
        texts = [event["text"] for event in events if event["type"] == "message"]
        if events[-1]["type"] != "completed":
            return reply.failed(failure.by_words(errors), facts.exit, agent="lines")
        return reply.judge(mode, replace(facts, stdout=texts[-1].encode()), agent="lines")

    def lines(*events: dict[str, str]) -> AttemptFacts:
        return seen(stdout=b"\n".join(json.dumps(event).encode() for event in events))

    retrying = {
        "type": "error",
        "message": "Reconnecting... 1/1 (last status: 429 Too Many Requests)",
    }
    good = judge("text", lines(retrying, {"type": "message", "text": "Hi"}, {"type": "completed"}))
    assert (good.ok, good.value) == (True, "Hi")  # H10: a completed terminal event wins
    bad = judge("text", lines(retrying, {"type": "error", "message": "stream disconnected"}))
    assert (bad.ok, bad.code) == (False, "rate_limit")  # H13
