"""A person's machine with agents that are signed in to the scripted model server.

Each agent has a home of its own, with the settings that its maker describes for another provider, and
with as few repetitions of a failed request as its maker lets one choose.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from orch.agents.program import Program
from orch.agents.registry import Registry
from orch.config import load
from orch.model.attempt import AgentRequest
from orch.model.report import Report
from orch.model.worktree import Worktree
from orch.plugins import AGENTS, SHIPPED
from orch.testing.model_server import ModelServer
from tests.acceptance.world import World, furnished
from tests.real import parts

NOWHERE = "http://127.0.0.1:9"
"""Where nobody listens."""


class Signed(NamedTuple):
    """How somebody is signed in: variables, the key among them, and options."""

    env: Mapping[str, str]
    key: Mapping[str, str]
    model: str = ""


class Said(NamedTuple):
    """What its output says, and the requests that it made of its model."""

    report: Report
    requests: list[dict[str, Any]]


class Machine:
    """`folder` is the person's; each agent has a home of its own in it."""

    def __init__(self, folder: Path, server: ModelServer, program: Callable[[str], Path]) -> None:
        self.folder, self.server, self._program = folder, server, program
        self.world: World | None = None
        self._alone: Any = None

    def agent(
        self,
        name: str,
        scenario: str = "ok",
        *,
        key: bool = True,
        timeout_s: float = 0,
        lines: str = "",
    ) -> str:
        """The lines of `[agents.NAME]`, with more of them."""
        if name == "qwen":
            self._wait_for_room()
        signed = _SIGNED[name](self._home(name, scenario), self.server.url(scenario))
        env = {**signed.env, **(signed.key if key else {})}
        pairs = ", ".join(f"{variable} = {json.dumps(value)}" for variable, value in env.items())
        command = json.dumps([str(self._program("claude" if name == "minimax" else name))])
        table = [f"[agents.{name}]", f'kind = "{name}"', f"command = {command}"]
        table += [f"env = {{ {pairs} }}"]
        table += [f"timeout_s = {timeout_s}"] if timeout_s else []
        table += [f"options = {{ model = {json.dumps(signed.model)} }}"] if signed.model else []
        return "\n".join([*table, lines, ""])

    def furnished(self, *agents: str, more: str = "") -> World:
        """A world with a repository, ISSUE-001 and these agents (`agent()`)."""
        self.world = furnished(self.folder / "me")
        text = "\n".join([*agents, more])
        (self.world.home / "config.toml").write_text(text, encoding="utf-8")
        return self.world

    def claude_is_set_up(self) -> None:
        """As it is on a person's machine: begun once in the checkout, the key meant, the folder
        trusted."""
        assert self.world is not None
        settings = {
            "hasCompletedOnboarding": True, "theme": "dark",
            "customApiKeyResponses": {"approved": ["k"], "rejected": []},
            "projects": {str(self.world.repo): {"hasTrustDialogAccepted": True}},
        }  # fmt: skip
        (self.world.root / ".claude.json").write_text(json.dumps(settings), encoding="utf-8")

    def told(self, text: str) -> list[bool]:
        """Of each request that has reached the model: is this in it?"""
        return [text in json.dumps(one.body, ensure_ascii=False) for one in self.server.requests
                if "count_tokens" not in one.path]  # fmt: skip

    def conversed(self, name: str, place: Path, **asked: Any) -> Said:
        """What a program answers when it is started as its adapter says, in the directory `place`.
        `asked` are fields of the request."""
        home = self.folder / "solo"
        if not home.exists():
            home.mkdir()
            (home / "config.toml").write_text(self.agent(name), encoding="utf-8")
        attempt = self.folder / f"attempt-{len(self.server.requests)}"
        attempt.mkdir()
        worktree = Worktree(repo="thing", name=place.name, branch="b", path=str(place),
                            base_branch="main", base_commit="0" * 40)  # fmt: skip
        request = AgentRequest(worktree=worktree, directory=str(attempt), **asked)
        environ = {"PATH": os.environ["PATH"]}
        made = Registry(load(home, None, {}, environ)).get(name).launch(request, environ)
        for inside, text in made.files.items():
            (attempt / inside).write_text(text, encoding="utf-8")
        before = len(self.server.requests)
        done = subprocess.run(
            made.argv, cwd=place, env=made.env, input=made.stdin.encode(), capture_output=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:])
        program: Program = import_module(SHIPPED[AGENTS][name]).PROGRAM
        report = program.read(done.stdout, done.stderr)
        return Said(report, [one.body for one in self.server.requests[before:]])

    def close(self) -> None:
        if self.world is not None:
            self.world.close()
        if self._alone is not None:
            self._alone.close()

    def _home(self, name: str, scenario: str) -> Path:
        home = self.folder / f"{name}-{scenario}"
        home.mkdir(exist_ok=True)
        return home

    def _wait_for_room(self) -> None:
        """Two of those that take 2 GB of memory are never at work at once."""
        if self._alone is None:
            self._alone = (parts.PLACE / "large.lock").open("w")
            fcntl.flock(self._alone, fcntl.LOCK_EX)


def _claude(home: Path, url: str) -> Signed:
    return Signed(
        {"ANTHROPIC_BASE_URL": url, "CLAUDE_CODE_MAX_RETRIES": "1"}, {"ANTHROPIC_API_KEY": "k"}
    )


def _minimax(home: Path, url: str) -> Signed:
    return _claude(home, url)._replace(key={"MINIMAX_API_KEY": "k"})


def _codex(home: Path, url: str) -> Signed:
    (home / "config.toml").write_text(
        f"""model = "gpt-5.2-codex"
model_provider = "scripted"
[model_providers.scripted]
name = "scripted"
base_url = "{url}/v1"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
request_max_retries = 1
stream_max_retries = 1
""", encoding="utf-8",
    )  # fmt: skip
    (home / "tmp").mkdir(exist_ok=True)
    env = {"CODEX_HOME": str(home), "TMPDIR": str(home / "tmp")}
    return Signed(env, {"OPENAI_API_KEY": "k"})


def _copilot(home: Path, url: str) -> Signed:
    env = {**_own(home), "COPILOT_PROVIDER_BASE_URL": f"{url}/v1", "COPILOT_MODEL": "scripted-model",
           "COPILOT_OFFLINE": "true"}  # fmt: skip
    return Signed(env, {"COPILOT_PROVIDER_API_KEY": "scripted-key"})


def _opencode(home: Path, url: str) -> Signed:
    """It installs an interface for plugins from npm's registry, and waits for that; not here."""
    models = {"fake-1": {"tool_call": True, "limit": {"context": 128000, "output": 8000},
                         "cost": {"input": 1, "output": 2}}}  # fmt: skip
    options = {"baseURL": f"{url}/v1", "apiKey": "{env:SCRIPTED_KEY}"}
    provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": models}
    _write(home / ".config" / "opencode" / "opencode.json", {
        "model": "scripted/fake-1", "small_model": "scripted/fake-1", "share": "disabled",
            "snapshot": False, "lsp": False, "formatter": False,
        "provider": {"scripted": provider},
    })  # fmt: skip
    env = {**_own(home), "OPENCODE_DISABLE_MODELS_FETCH": "1", "npm_config_registry": NOWHERE,
           "npm_config_fetch_retries": "0"}  # fmt: skip
    return Signed(env, {"SCRIPTED_KEY": "k"})


def _gemini(home: Path, url: str) -> Signed:
    """The folder trust is the person's decision that the adapter's docstring asks for."""
    _write(home / ".gemini" / "settings.json", {
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        "general": {"maxAttempts": 1, "enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
    })  # fmt: skip
    env = {**_own(home), "GOOGLE_GEMINI_BASE_URL": url}
    return Signed(env, {"GEMINI_API_KEY": "k"}, "gemini-2.5-pro")


def _qwen(home: Path, url: str) -> Signed:
    _write(home / ".qwen" / "settings.json", {
        "security": {"auth": {"selectedType": "openai"}},
        "model": {"name": "scripted", "generationConfig": {"maxRetries": 0}},
        "general": {"enableAutoUpdate": False}, "privacy": {"usageStatisticsEnabled": False},
    })  # fmt: skip
    env = {**_own(home), "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_MODEL": "scripted"}
    return Signed(env, {"OPENAI_API_KEY": "k"})


def _kimi(home: Path, url: str) -> Signed:
    """Its key stands in its settings."""
    (home / "config.toml").write_text(
        f"""default_model = "scripted"
telemetry = false
[models.scripted]
provider = "scripted"
model = "scripted"
max_context_size = 128000
[providers.scripted]
type = "kimi"
base_url = "{url}/v1"
api_key = "k"
[loop_control]
max_attempts_per_step = 1
""", encoding="utf-8",
    )  # fmt: skip
    return Signed({**_own(home), "KIMI_CODE_HOME": str(home)}, {})


_SIGNED: Mapping[str, Callable[[Path, str], Signed]] = {
    "claude": _claude, "codex": _codex, "copilot": _copilot, "gemini": _gemini, "kimi": _kimi,
    "minimax": _minimax, "opencode": _opencode, "qwen": _qwen,
}  # fmt: skip


def _own(home: Path) -> dict[str, str]:
    """What a program leaves in temporary directories goes with its home."""
    return {"HOME": str(home), "TMPDIR": str(home)}


def _write(path: Path, settings: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings), encoding="utf-8")
