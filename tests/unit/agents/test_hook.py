"""The hook of Claude Code and Codex, as they call it: a new process, JSON on standard input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from orch.agents import claude, output
from orch.agents.inside import asking, hook


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("attempt", "tree"):
        (tmp_path / name).mkdir()
    return tmp_path


def command(place: Path, *modes: str) -> list[str]:
    words = [hook.__file__, str(place / "attempt"), str(place / "tree"), *modes]
    return [sys.executable, "-I", "-S", *words]


def called(place: Path, told: Any, *modes: str) -> subprocess.CompletedProcess[str]:
    given = told if isinstance(told, str) else json.dumps(told)
    return subprocess.run(
        command(place, *modes), input=given, capture_output=True, text=True, timeout=60, check=False
    )


def use(tool: str, **given: Any) -> dict[str, Any]:
    return {"hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": given,
            "tool_use_id": "toolu_1", "session_id": "s"}  # fmt: skip


def answering(place: Path, decision: str, text: str = "") -> threading.Thread:
    """Answers the first question that comes, as `orch inbox` does."""

    def answer() -> None:
        folder = place / "attempt"
        while not (asked := list(folder.glob("ask-*.json"))):
            os.sched_yield()
        name = asked[0].name.replace("ask-", "answer-")
        whole = folder / "whole"
        whole.write_text(json.dumps({"decision": decision, "text": text}))
        whole.rename(folder / name)
        pipe = folder / asked[0].name.replace("ask-", "wake-").replace(".json", "")
        with pipe.open("wb", buffering=0) as wake:
            wake.write(b"!")

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


@pytest.mark.parametrize(("decision", "permission"), [("approve", "allow"), ("deny", "deny")])
def test_a_person_decides(place: Path, decision: str, permission: str) -> None:
    thread = answering(place, decision, "mind the gap")
    done = called(place, use("Bash", command="rm -rf build"), "ask")
    thread.join()
    said = json.loads(done.stdout)["hookSpecificOutput"]
    assert said["hookEventName"] == "PreToolUse"
    assert said["permissionDecision"] == permission
    assert said["permissionDecisionReason"].endswith("mind the gap")
    [question] = (place / "attempt").glob("ask-*.json")
    record = json.loads(question.read_text())
    assert (record["tool"], record["text"]) == ("Bash", "Bash: rm -rf build")
    assert record["input"] == {"command": "rm -rf build"}
    assert question.stat().st_mode & 0o777 == 0o600


def test_whoever_asks_the_same_again_gets_the_answer_that_was_given(place: Path) -> None:
    thread = answering(place, "approve")
    first = called(place, use("Bash", command="x"), "ask")
    thread.join()
    again = called(place, use("Bash", command="x"), "ask")  # nobody answers now
    assert again.stdout == first.stdout


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        (use("Read", file_path="/etc/passwd"), False),
        (use("Edit", file_path="{tree}/a.py"), False),
        (use("Write", file_path="a.py"), False),
        (use("Write", file_path="{tree}/../other"), True),
        (use("Write", file_path="{tree}/.git/hooks/pre-commit"), True),
        (use("NotebookEdit", notebook_path="/elsewhere.ipynb"), True),
        (use("Bash", command="true"), True),
        (use("mcp__db__drop", table="x"), True),
        (use("WebFetch", url="https://x"), True),
        (use("apply_patch", patch="x"), False),
        (use("Edit"), True),
        (use("SomethingNew"), True),
    ],
)
def test_what_is_asked_about(place: Path, told: dict[str, Any], asked: bool) -> None:
    text = json.dumps(told).replace("{tree}", str(place / "tree"))
    assert hook.asks(json.loads(text), str(place / "tree")) is asked


def test_a_link_out_of_the_worktree_is_out_of_it(place: Path) -> None:
    (place / "tree" / "way").symlink_to("/etc")
    assert hook.asks(use("Write", file_path="way/passwd"), str(place / "tree"))


def test_what_cannot_be_understood_is_forbidden(place: Path) -> None:
    done = called(place, "no JSON", "ask")
    assert done.returncode == hook.FORBID
    assert done.stderr


def told_of(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "attempt" / "stdout").read_text().splitlines()]


def test_it_tells_of_the_conversation_once_and_of_the_turns_end(place: Path) -> None:
    transcript = place / "transcript.jsonl"
    used = {"input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": 5}
    words = [{"type": "text", "text": "Done."}]
    answer = {"id": "m1", "role": "assistant", "content": words, "usage": used}
    lines = [{"type": "mode"}, {"type": "assistant", "message": answer, "sessionId": "s"}] * 2
    text = "".join(json.dumps(line) + "\n" for line in lines)
    transcript.write_text(text + '{"type": "assist')
    base = {"transcript_path": str(transcript), "session_id": "s"}
    os.mkfifo(place / "attempt" / "turn")
    pipe = os.open(place / "attempt" / "turn", os.O_RDWR | os.O_NONBLOCK)
    called(place, {**base, "hook_event_name": "UserPromptSubmit", "prompt": "go"}, "tell")
    called(place, {**base, "hook_event_name": "PostToolUse"}, "tell")
    end = {"hook_event_name": "Stop", "last_assistant_message": "Done."}
    called(place, {**base, **end}, "tell")
    assert os.read(pipe, 10) == b"bo"
    os.close(pipe)
    told = told_of(place)
    assert [one["type"] for one in told] == ["assistant", "assistant", "prompt", "result"]
    report = claude.read((place / "attempt" / "stdout").read_bytes(), b"")
    assert (report.text, report.session, report.closed) == ("Done.", "s", True)
    assert (report.tokens_in, report.tokens_out, report.cached_in) == (10, 2, 5)
    assert output.took((place / "attempt" / "stdout").read_bytes(), "go\n")
    assert not output.took((place / "attempt" / "stdout").read_bytes(), "stay")


def test_last_words_that_come_late_are_waited_for(place: Path) -> None:
    """Their tokens are told nowhere else."""
    transcript = place / "transcript.jsonl"
    transcript.touch()
    used = {"input_tokens": 7, "output_tokens": 1}
    message = {"id": "m", "content": [{"type": "text", "text": "Done."}], "usage": used}
    line = json.dumps({"type": "assistant", "message": message}) + "\n"
    told = {"hook_event_name": "Stop", "last_assistant_message": "Done.", "session_id": "s",
            "transcript_path": str(transcript)}  # fmt: skip
    process = subprocess.Popen(command(place, "tell"), stdin=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(told))
    process.stdin.close()
    while not (place / "attempt" / "told").exists():  # it has begun to look
        os.sched_yield()
    transcript.write_text(line)
    assert process.wait(timeout=60) == 0
    report = claude.read((place / "attempt" / "stdout").read_bytes(), b"")
    assert (report.tokens_in, report.tokens_out) == (7, 1)


def test_a_turn_that_failed_says_why(place: Path) -> None:
    told = {"hook_event_name": "StopFailure", "error": "rate_limit", "session_id": "s",
            "last_assistant_message": "API Error: 429"}  # fmt: skip
    called(place, told, "tell")  # nobody listens at the pipe
    report = claude.read((place / "attempt" / "stdout").read_bytes(), b"")
    assert report.failure is not None
    assert report.failure.code == "rate_limit"


def test_a_transcript_that_is_not_there_keeps_nobody_from_telling(place: Path) -> None:
    told = {"hook_event_name": "UserPromptSubmit", "prompt": "go", "transcript_path": "/none"}
    assert called(place, told, "tell").returncode == 0
    assert [one["type"] for one in told_of(place)] == ["prompt"]


def test_it_costs_little(place: Path) -> None:
    """It is run for each tool call: nothing of the package is imported, and little of Python."""
    code = (
        "import sys; sys.argv = ['hook.py', '/nonexistent', '/nonexistent'];"
        f"import runpy; runpy.run_path({hook.__file__!r}, run_name='hook');"
        "print('asyncio' in sys.modules, 'subprocess' in sys.modules, 'msgspec' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False", "False"]


def test_a_question_is_whole_before_it_can_be_seen(place: Path) -> None:
    folder = str(place / "attempt")
    asking._put(f"{folder}/ask-1.json", {"text": "first"})
    asking._put(f"{folder}/ask-1.json", {"text": "second"})
    assert json.loads(Path(folder, "ask-1.json").read_text()) == {"text": "first"}
    assert [path.name for path in Path(folder).iterdir()] == ["ask-1.json"]
