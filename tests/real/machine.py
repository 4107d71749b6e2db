"""A person's machine with agents that are signed in to the scripted model server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from orch.testing.model_server import ModelServer
from tests.acceptance.world import World, furnished


class Machine:
    """`folder` is the person's; each agent has a home of its own in it."""

    def __init__(self, folder: Path, server: ModelServer, program: Callable[[str], Path]) -> None:
        self.folder, self.server, self._program = folder, server, program
        self.world: World | None = None

    def agent(self, name: str, scenario: str = "ok", *, key: bool = True, lines: str = "") -> str:
        """The lines of `[agents.NAME]`, with more of them."""
        env = {**self._env(name, self.server.url(scenario)), **(self._key(name) if key else {})}
        pairs = ", ".join(f"{variable} = {json.dumps(value)}" for variable, value in env.items())
        command = json.dumps([str(self._program(name))])
        return (
            f'[agents.{name}]\nkind = "{name}"\ncommand = {command}\nenv = {{ {pairs} }}\n{lines}\n'
        )

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

    def close(self) -> None:
        if self.world is not None:
            self.world.close()

    @staticmethod
    def _key(name: str) -> Mapping[str, str]:
        return {"claude": {"ANTHROPIC_API_KEY": "k"}, "codex": {"OPENAI_API_KEY": "k"}}[name]

    def _env(self, name: str, url: str) -> Mapping[str, str]:
        if name == "claude":
            return {"ANTHROPIC_BASE_URL": url, "CLAUDE_CODE_MAX_RETRIES": "1"}
        home = self.folder / f"codex-{url.rpartition('/')[2]}"
        home.mkdir(exist_ok=True)
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
        return {"CODEX_HOME": str(home)}
