"""The command lines, variables and files by which the agent programs are started."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from orch.agents import gemini, opencode, qwen, rules
from orch.agents.registry import Registry
from orch.config import load
from orch.model.attempt import AgentRequest, Launch
from orch.model.worktree import Worktree

TREE = Worktree(
    repo="r", name="t", branch="b", path="/w/t", base_branch="main", base_commit="0" * 40
)
ENVIRON = {"PATH": "/bin", "ANTHROPIC_API_KEY": "ours", "MINIMAX_API_KEY": "theirs"}


def launch(tmp_path: Path, kind: str, more: str = "", **asked: Any) -> Launch:
    (tmp_path / "config.toml").write_text(f"[agents.it]\nkind = '{kind}'\n{more}")
    request = AgentRequest(worktree=TREE, prompt="Do it", directory="/a", checkout="/m", **asked)
    return Registry(load(tmp_path, None, {}, ENVIRON)).get("it").launch(request, ENVIRON)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Bash(rm *)", ("Bash", "rm *")),
        ("Bash(npm run:*)", ("Bash", "npm run*")),
        ("Edit(//m/**)", ("Edit", "/m/**")),
        ("Read(./.env)", ("Read", ".env")),
        ("Read(/.env)", ("Read", ".env")),
        ("WebFetch", ("WebFetch", "")),
        ("Bash(a (b))", ("Bash", "a (b)")),
    ],
)
def test_a_rule_has_a_tool_and_a_pattern(written: str, read: tuple[str, str]) -> None:
    assert tuple(rules.read(written)) == read


@pytest.mark.parametrize("kind", ["gemini", "kimi", "opencode", "qwen", "minimax"])
def test_options_and_sessions_become_words(tmp_path: Path, kind: str) -> None:
    options = "options = { model = 'm-1', args = ['--more'] }"
    words = launch(tmp_path, kind, options, session="s-1").argv
    assert words[-1] == "--more"
    assert "m-1" in words
    assert kind == "minimax" or "s-1" in words  # Claude Code's line is Claude Code's


def test_copilot_is_forbidden_whole_words_and_no_more(tmp_path: Path) -> None:
    """As the real one holds them: `shell(npm publish:*)` leaves `npm run` alone."""
    deny = [
        "Bash(npm publish*)", "Bash(git push --force:*)", "Bash(git clean -*)", "Bash(make)",
        "Bash(echo * > x)", "WebFetch",
    ]  # fmt: skip
    words = launch(tmp_path, "copilot", f"deny = {deny}").argv
    denied = [words[at + 1] for at, word in enumerate(words) if word == "--deny-tool"]
    assert denied == [
        "shell(rm:*)", "shell(npm publish:*)", "shell(git push --force:*)", "shell(git clean:*)",
        "shell(make:*)",
    ]  # fmt: skip
    assert launch(tmp_path, "copilot", "deny = ['Bash']").argv.count("shell") == 1


def test_opencodes_rules_stand_behind_a_persons_own(tmp_path: Path) -> None:
    made = launch(tmp_path, "opencode", "deny = ['WebFetch(domain:x.org)', 'WebSearch']")
    permission = json.loads(made.env["OPENCODE_PERMISSION"])
    assert permission["bash*"] == {"rm *": "deny", "rm -*": "deny", "cd /m*": "deny"}
    assert permission["external_directory*"] == {"/m/**": "deny"}
    assert permission["webfetch*"] == {"*x.org*": "deny"}
    assert permission["websearch*"] == {"*": "deny"}
    assert made.env["OPENCODE_DISABLE_PROJECT_CONFIG"] == "1"
    assert "OPENCODE_DISABLE_PROJECT_CONFIG" not in launch(tmp_path, "opencode", trusted=True).env


@pytest.mark.parametrize(
    ("rule", "tool", "given", "fits"),
    [
        ("Bash(rm *)", "run_shell_command", {"command": "rm -rf x"}, True),
        ("Bash(rm *)", "run_shell_command", {"command": "firm x"}, False),
        ("Bash(npm publish)", "run_shell_command", {"command": "npm publish"}, True),
        ("Bash(npm publish)", "run_shell_command", {"command": "npm publish-x"}, False),
        ('Bash(echo "a*)', "run_shell_command", {"command": 'echo "abc"'}, True),
        ("Bash(git * --force)", "run_shell_command", {"command": "git push --force"}, True),
        ("Edit(//m/**)", "write_file", {"file_path": "/m/a/b", "content": ""}, True),
        ("Edit(//m/**)", "write_file", {"file_path": "/w/m/a", "content": ""}, False),
        ("Read(.env)", "read_file", {"file_path": "/w/t/.env"}, True),
        ("Read(.env)", "read_file", {"file_path": "/w/t/a.env"}, False),
        ("WebFetch(domain:x.org)", "web_fetch", {"prompt": "see https://x.org/a"}, True),
        ("WebFetch(domain:x.org)", "web_fetch", {"prompt": "see https://xxorg/a"}, False),
    ],
)
def test_geminis_policy_matches_the_arguments_that_a_rule_means(
    rule: str, tool: str, given: dict[str, str], fits: bool
) -> None:
    [written] = tomllib.loads(gemini._policy((rule,), allow=False))["rule"]
    assert (written["decision"], tool in written["toolName"]) == ("deny", True)
    text = json.dumps(given, separators=(",", ":"))
    assert (re.search(written["argsPattern"], text) is not None) is fits


def test_gemini_and_qwen_trust_no_folder_unless_told(tmp_path: Path) -> None:
    made = launch(tmp_path, "gemini")
    assert made.env["GEMINI_CLI_TRUST_WORKSPACE"] == "false"
    assert tomllib.loads(made.files["policy.toml"])["rule"][0]["decision"] == "allow"
    made = launch(tmp_path, "gemini", trusted=True)
    assert made.env["GEMINI_CLI_TRUST_WORKSPACE"] == "true"
    assert {rule["decision"] for rule in tomllib.loads(made.files["policy.toml"])["rule"]} == {
        "deny"
    }
    made = launch(tmp_path, "qwen")
    assert made.env["QWEN_CODE_SYSTEM_SETTINGS_PATH"] == "/a/qwen-settings.json"
    assert set(made.files) == {"qwen-settings.json", "qwen-folders.json"}
    assert "--yolo" not in made.argv
    assert launch(tmp_path, "qwen", trusted=True).files == {}


def test_minimax_never_gets_another_providers_key(tmp_path: Path) -> None:
    made = launch(tmp_path, "minimax")
    assert made.env["ANTHROPIC_AUTH_TOKEN"] == "theirs"
    assert made.env["ANTHROPIC_BASE_URL"] == "https://api.minimax.io/anthropic"
    assert not {"ANTHROPIC_API_KEY", "MINIMAX_API_KEY"} & set(made.env)
    made = launch(tmp_path, "minimax", "env = { MINIMAX_API_KEY = '' , ANTHROPIC_BASE_URL = 'x' }")
    assert (made.env["ANTHROPIC_AUTH_TOKEN"], made.env["ANTHROPIC_BASE_URL"]) == ("none", "x")


def lines(*records: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(one) for one in records).encode()


def test_a_call_that_gemini_refuses_is_no_failure_of_the_attempt() -> None:
    refused = {"type": "policy_violation", "message": "Tool execution denied by policy."}
    report = gemini.read(
        lines(
            {"type": "init", "model": "auto"},
            {
                "type": "tool_use",
                "tool_id": "1",
                "tool_name": "t",
                "parameters": {"command": "rm x"},
            },
            {"type": "tool_result", "tool_id": "1", "status": "error", "error": refused},
            {
                "type": "result",
                "status": "success",
                "stats": {"models": {"g-1": {"total_tokens": 3}}},
            },
        ),
        b"",
    )
    assert (report.failure, report.model) == (None, "g-1")
    assert [(one["tool_name"], one["tool_input"]) for one in report.denials] == [
        ("t", {"command": "rm x"})
    ]


def test_geminis_errors_are_words() -> None:
    inside = json.dumps({"error": {"code": 401, "message": "No key"}})
    told = {"type": "result", "status": "error", "error": {"message": f"[API Error: {inside}]"}}
    failed = gemini.read(lines(told), b"").failure
    assert failed is not None
    assert (failed.code, failed.words) == ("auth", "No key")


def test_a_folder_that_gemini_does_not_trust_is_for_a_person() -> None:
    failed = gemini.read(
        b"", b"Gemini CLI is not running in a trusted directory. To proceed"
    ).failure
    assert failed is not None
    assert failed.code == "cannot_start"
    assert "folderTrust" in failed.words


def test_opencodes_refusal_by_a_rule_is_a_denial() -> None:
    told = "The user has specified a rule which prevents you from using this specific tool call."
    state = {"status": "error", "input": {"command": "rm x"}, "error": told}
    part = {"type": "tool", "tool": "bash", "state": state}
    [denied] = opencode.read(lines({"type": "tool_use", "part": part}), b"").denials
    assert denied["tool_input"] == {"command": "rm x"}


def test_qwen_counts_what_an_attempt_used_and_not_what_came_before() -> None:
    used = {"input_tokens": 20, "output_tokens": 3, "cache_read_input_tokens": 5}
    report = qwen.read(
        lines(
            {"type": "assistant", "message": {"usage": used, "content": []}},
            {"type": "result", "usage": {"input_tokens": 90, "output_tokens": 9}, "result": "x"},
        ),
        b"",
    )
    assert (report.tokens_in, report.tokens_out, report.cached_in) == (20, 3, 5)
