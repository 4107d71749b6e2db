"""What the records of each program's real stream say that it does; strange ones say nothing."""

from __future__ import annotations

import random
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from orch import plugins
from orch.agents import output
from orch.agents.guarded import MOST, GuardedAgent
from orch.agents.program import Program
from orch.config import AgentConfig
from orch.model.errors import OrchError
from orch.model.report import Action
from orch.plugins import Plugin
from orch.ports import Acts

SAMPLES = Path(__file__).parents[2] / "samples" / "agents"
WROTE = "printf 'hello from fake model\\n' > hello.txt && pwd"
DONE = "message Done: wrote hello.txt"
PART = "usage 1,200 in, 800 cached"
WHOLE = "usage in all 2,400 in, 1,600 cached, 68 out"
CLAUDE = [f"tool Bash {WROTE}", PART, DONE, PART, f"{WHOLE}, $0.0123"]
LIMIT = (
    "Rate limit reached for fake-1 on tokens per min (TPM): Limit 30000. Please try again in 1s."
)
URL = "http://127.0.0.1:18080"
CODEX_401 = (
    "unexpected status 401 Unauthorized: Incorrect API key provided: fake, url:"
    f" {URL}/s/401/v1/responses, request id: req_fake"
)
SLOW_DOWN = (
    "API Error: Request rejected (429) · This request would exceed your account's rate limit."
    " Please try again later."
)
GAVE_UP = (
    "Failed to get response from the AI model; retried 5 times (total retry wait time: 5.32 seconds)"
    f" Last error: 429 {LIMIT}"
)
DENIED = (
    "touch <HOME>/outside; touch <MAIN_REPO>/out; touch .git/x; touch inside; curl -sS -m 3"
    f' {URL}/ ; id -u; cat /proc/self/status | grep -E "NoNewPrivs|Seccomp:|CapEff"'
)
STREAMS = {
    "claude-stream-json-ok.jsonl": CLAUDE,
    "claude-stream-json-partial-messages.jsonl": CLAUDE,
    "claude-stream-json-429.jsonl": [
        "retry no answer (429), attempt 1",
        f"failed {SLOW_DOWN}",
    ],
    "claude-json-max-turns.json": [
        "failed Reached maximum number of turns (3)",
        "usage in all 3,600 in, 2,400 cached, 102 out, $0.0184",
    ],
    "codex-exec-json-ok.jsonl": [f"tool shell {WROTE}", DONE, WHOLE],
    "codex-exec-json-read-only.jsonl": ["tool shell touch inside; ls", DONE, WHOLE],
    "codex-exec-json-sandbox-denials.jsonl": [f"tool shell {DENIED}", DONE, WHOLE],
    "codex-exec-json-401.jsonl": [
        f"retry Reconnecting... 1/1 ({CODEX_401})", f"failed {CODEX_401}",
    ],
    "codex-exec-resume.jsonl": [DONE, "usage in all 4,800 in, 3,200 cached, 136 out"],
    "opencode-run-json-ok.jsonl": [
        f"tool bash {WROTE}", f"{PART}, 34 out, $0.0013", DONE, f"{PART}, 34 out, $0.0013",
    ],
    "opencode-run-json-429.jsonl": [f"failed {LIMIT}"],
    "gemini-stream-json-ok.jsonl": [f"tool run_shell_command {WROTE}", DONE, WHOLE],
    "qwen-json-ok.json": [
        f"tool run_shell_command {WROTE}", f"{PART}, 34 out", DONE, f"{PART}, 34 out", WHOLE,
    ],
    "kimi-stream-json-ok.jsonl": [f"tool Bash {WROTE}", DONE],
    "kimi-stream-json-429.jsonl": [f"retry attempt {n}: 429 {LIMIT}" for n in range(2, 11)],
    "copilot-json-ok.jsonl": [f"tool bash {WROTE.replace('fake', '******')}", DONE],
    "copilot-json-429.jsonl": [
        *["retry no answer (rate_limit)"] * 5,
        f"failed {GAVE_UP}",
    ],
    "acp-kimi-ok.jsonl": [
        "tool execute printf 'hello\\n' > hello.txt", "message The file is written now.",
    ],
    "acp-opencode-ok.jsonl": ["tool execute bash", "message The file is written now."],
    "acp-gemini-ok.jsonl": ["message The file is written now."],  # it tells of calls by asking
}  # fmt: skip


def program(kind: str) -> Program | None:
    return getattr(import_module(f"orch.agents.{kind}"), "PROGRAM", None)


KINDS = [name for name in sorted(plugins.SHIPPED[plugins.AGENTS]) if program(name)]


def acts_of(kind: str) -> Acts:
    found = program(kind)
    assert found is not None
    assert found.acts is not None
    return found.acts


def told(kind: str, *records: dict[str, Any]) -> list[str]:
    found = [action for record in records for action in acts_of(kind)(record)]
    return [" ".join(filter(None, (one.kind, one.tool, one.text))) for one in found]


@pytest.mark.parametrize("name", STREAMS)
def test_a_real_stream_tells_these_actions(name: str) -> None:
    records = list(output.records((SAMPLES / name).read_bytes()))
    assert told(name.partition("-")[0], *records) == STREAMS[name]


def test_who_tells_what_it_does_is_who_has_a_stream() -> None:
    for kind in KINDS:
        found = program(kind)
        assert found is not None
        assert (found.acts is not None) is found.can.stream, kind
    telling = {kind for kind in KINDS if (found := program(kind)) and found.acts}
    theirs = {"minimax"}  # Claude Code's own
    assert telling - theirs == {name.partition("-")[0] for name in STREAMS}


def tool(kind: str, name: str, given: dict[str, Any]) -> list[str]:
    part = {"type": "tool_use", "name": name, "input": given}
    return told(kind, {"type": "assistant", "message": {"content": [part]}})


@pytest.mark.parametrize(
    ("name", "given", "line"),
    [
        ("Edit", {"file_path": "/w/a.py", "old_string": "x"}, "edit Edit /w/a.py"),
        ("Write", {"file_path": "/w/a.py", "content": "x" * 9000}, "edit Write /w/a.py"),
        ("NotebookEdit", {"notebook_path": "/w/a.ipynb"}, "edit NotebookEdit /w/a.ipynb"),
        ("Read", {"file_path": "/w/a.py"}, "tool Read /w/a.py"),
        ("Grep", {"pattern": "x.*y", "path": "/w"}, "tool Grep x.*y"),
        ("Bash", {"command": "a \x1b[31mred\x1b[0m\n b \u202eevil"}, "tool Bash a red b evil"),
        ("TodoWrite", {"todos": [1]}, 'tool TodoWrite {"todos": [1]}'),
        ("", {}, "tool"),
    ],
)
def test_a_call_says_what_matters(name: str, given: dict[str, Any], line: str) -> None:
    assert tool("claude", name, given) == [line]


def result(**fields: Any) -> dict[str, Any]:
    return {"type": "user", "message": {"content": [{"type": "tool_result", **fields}]}}


def item(**fields: Any) -> dict[str, Any]:
    return {"type": "item.completed", "item": fields}


WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    ("claude", result(content="fine", is_error=False), []),
    ("claude", result(content="Exit code 1\nno such file", is_error=True),
     ["failed Exit code 1 no such file"]),
    ("claude", result(content=[{"type": "text", "text": "denied"}], is_error=True),
     ["failed denied"]),
    ("codex", item(type="command_execution", command="x", aggregated_output="not found\n",
                   exit_code=127, status="failed"), ["failed shell exit code 127: not found"]),
    ("codex", item(type="file_change", changes=[{"path": "/w/a"}, {"path": "/w/b"}],
                   status="completed"), ["edit /w/a, /w/b"]),
    ("codex", item(type="file_change", changes=[{"path": "/w/a"}], status="failed"),
     ["edit /w/a", "failed file_change failed"]),
    ("opencode", {"type": "tool_use", "part": {"tool": "bash", "state": {
        "status": "completed", "input": {"command": "x"}, "output": "no", "metadata": {"exit": 2}}}},
     ["tool bash x", "failed bash exit code 2: no"]),
    ("opencode", {"type": "tool_use", "part": {"tool": "edit", "state": {
        "status": "error", "input": {"filePath": "/w/a"}, "error": "no match"}}},
     ["edit edit /w/a", "failed edit no match"]),
    ("gemini", {"type": "tool_result", "status": "error", "error": {"message": "no"}}, ["failed no"]),
    ("gemini", {"type": "result", "status": "error", "error": {"message": "quota"}},
     ["failed quota"]),
    ("copilot", {"type": "tool.execution_complete", "data": {
        "toolName": "bash", "success": False, "error": {"message": "no"}}}, ["failed bash no"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "record", "lines"), WRONG)
def test_a_result_is_told_only_if_it_is_none(
    kind: str, record: dict[str, Any], lines: list[str]
) -> None:
    assert told(kind, record) == lines


def mutated(value: Any, dice: random.Random) -> Any:
    """The same with something else in some places."""
    if dice.random() < 0.08:
        return dice.choice([None, True, -1, 1e300, 10**30, "\ud800\x1b[2J", "", [], {}, [{}], [[]]])
    if isinstance(value, dict):
        return {key: mutated(one, dice) for key, one in value.items()}
    return [mutated(one, dice) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", STREAMS)
def test_whatever_stands_in_a_record_actions_are_lines_fit_for_a_screen(name: str) -> None:
    dice, acts = random.Random(name), acts_of(name.partition("-")[0])
    records = list(output.records((SAMPLES / name).read_bytes()))
    for _ in range(200):
        for record in records:
            spoiled = mutated(record, dice)
            for action in acts(spoiled) if isinstance(spoiled, dict) else ():
                for text in (action.text, action.tool):
                    assert text.isprintable()
                    assert len(text) <= 400


# --- plugins


class Foreign:
    name, reply, io, timeout_s = "mine", "text", "pipes", 1.0

    def __init__(self, acts: Any) -> None:
        self.acts = acts


def guarded(acts: Any) -> Acts | None:
    agent: Any = Foreign(acts)
    return GuardedAgent(
        agent, Plugin(plugins.AGENTS, "notes", "orch_notes", "orch-notes", "1.0")
    ).acts


def test_a_plugins_actions_are_made_fit_too() -> None:
    told = Action(kind="tool", text="a\x1b[2J\n" + "b" * 99_999, tool="x\n\x9b31my")
    acts = guarded(lambda record: iter([told] * 1000))
    assert acts is not None
    found = list(acts({}))
    assert len(found) == MOST
    assert (found[0].text[:4], len(found[0].text), found[0].tool) == ("a bb", 300, "x y")


@pytest.mark.parametrize(
    "acts",
    [lambda record: 1 // 0, lambda record: [None], lambda record: [Action(kind="x", text=1)]],  # type: ignore[arg-type]
)
def test_a_plugin_that_cannot_say_is_named(acts: Any) -> None:
    found = guarded(acts)
    assert found is not None
    with pytest.raises(OrchError, match=r"notes of orch-notes 1\.0 cannot say what it does"):
        list(found({}))


def test_a_plugin_without_actions_has_none() -> None:
    assert guarded(None) is None


def test_an_agent_has_what_its_program_has() -> None:
    made = import_module("orch.agents.claude").make("c", AgentConfig(kind="claude"), None)
    assert made.acts is acts_of("claude")
