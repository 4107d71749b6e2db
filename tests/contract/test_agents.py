"""Every agent of ours passes the one contract."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from orch.agents.command import CommandAgent
from orch.agents.scripted_agent import ScriptedAgent
from orch.config import AgentConfig
from orch.testing.agents import AgentContract

PROGRAM = (
    "import os, pathlib, sys\n"
    "prompt = sys.stdin.read()\n"
    "assert prompt == pathlib.Path(os.environ['ORCH_PROMPT_FILE']).read_text()\n"
    "pathlib.Path('answer.txt').write_text(prompt)\n"
    "print(dict(os.environ))\n"
)


def command(*words: str, **more: Any) -> CommandAgent:
    return CommandAgent("mine", AgentConfig(command=words, **more))


def scripted(*script: dict[str, Any], **more: Any) -> ScriptedAgent:
    config = AgentConfig(kind="scripted", script=script, **more)
    return ScriptedAgent("played", config, python=sys.executable)


class TestCommandAgent(AgentContract):
    @pytest.fixture
    def agent(self) -> CommandAgent:
        return command("prog", "--flag", "{prompt_file}", "a {worktree} b", reply="text")

    @pytest.fixture
    def works(self) -> CommandAgent:
        return command(sys.executable, "-c", PROGRAM)

    @pytest.fixture
    def fails(self) -> CommandAgent:
        return command(sys.executable, "-c", "raise SystemExit(3)")


class TestCommandAgentInAPane(AgentContract):
    @pytest.fixture
    def agent(self) -> CommandAgent:
        return command("prog", io="tty", timeout_s=0.0)

    @pytest.fixture
    def works(self) -> CommandAgent:
        return command(sys.executable, "-c", PROGRAM, io="tty")

    @pytest.fixture
    def fails(self) -> CommandAgent:
        return command(sys.executable, "-c", "raise SystemExit(3)", io="tty")


class TestScriptedAgent(AgentContract):
    @pytest.fixture
    def agent(self) -> ScriptedAgent:
        return scripted({"say": "hello"})

    @pytest.fixture
    def works(self) -> ScriptedAgent:
        show = "import os; print(dict(os.environ))"
        prompt = {"from": "prompt"}
        return scripted(
            {"write": {"path": "deep/answer.txt", "text": prompt}},
            {"run": [sys.executable, "-c", show]},
        )

    @pytest.fixture
    def fails(self) -> ScriptedAgent:
        return scripted({"write": {"path": "x", "text": "x"}}, {"fail": 3})
