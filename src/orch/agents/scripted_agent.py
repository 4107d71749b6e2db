"""The scripted agent: deterministic, shipped; for demos, tests and trying workflows without a model.

`[agents.NAME] kind = "scripted"` with `script = "FILE.json"`, with `script = [{…}, …]`, or without a
script: then the last fenced block `orch-script` (a JSON list) of the prompt is the script. What a
script can say stands in `orch.agents.scripted`, the program that carries it out.

Invariant: a script that somebody configured is the only one: nothing in a prompt, which may hold a
stranger's ticket, replaces it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from orch.agents import command, scripted
from orch.config import AgentConfig
from orch.model.attempt import Launch
from orch.model.errors import UsageError
from orch.ports import AgentRequest

PLUGIN_API = 1
SCRIPT_FILE = "script.json"
SIZE_LIMIT = 1024 * 1024
_BLOCK = re.compile(r"^```orch-script[ \t]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


def make(name: str, config: AgentConfig, options: None) -> ScriptedAgent:
    return ScriptedAgent(name, config, python=sys.executable)


class ScriptedAgent(command.CommandAgent):
    """`orch.ports.Agent` for `[agents.NAME] kind = "scripted"`; `python` runs the program."""

    def __init__(self, name: str, config: AgentConfig, *, python: str) -> None:
        super().__init__(name, config)
        self._python = python

    def launch(self, request: AgentRequest, environ: Mapping[str, str]) -> Launch:
        """Raises `UsageError` (`script_invalid`, `script_missing`): nothing has been done then."""
        script = self._script(request.prompt)
        try:
            scripted.checked(script)
        except scripted.ScriptError as error:
            raise self._invalid(str(error)) from error
        # Isolated and without site: no PYTHON* variable, no package and nothing in the worktree can
        # change what runs. The program is found by its path, in a checkout as in a wheel.
        argv = (self._python, "-I", "-S", scripted.__file__, f"{request.directory}/{SCRIPT_FILE}")
        files = {SCRIPT_FILE: json.dumps(script)}
        return command.launch(self.name, self._config, argv, request, environ, files)

    def probe(self, environ: Mapping[str, str]) -> str:
        lacking = command.missing(self.name, self._config, self._python, environ)
        if not lacking and isinstance(self._config.script, str):
            try:
                scripted.checked(self._script(""))
            except (UsageError, scripted.ScriptError) as error:
                return f"agent {self.name}: {error}"
        return lacking

    def _script(self, prompt: str) -> Any:
        configured = self._config.script
        if isinstance(configured, tuple):
            return list(configured)
        if configured is not None:
            return self._decoded(_read(configured, self.name), configured)
        blocks = _BLOCK.findall(prompt.replace("\r\n", "\n"))
        if not blocks:
            raise UsageError(
                f"the scripted agent {self.name} has no script",
                code="script_missing",
                hint=f'script = [{{say = "hello"}}] in [agents.{self.name}], or a fenced block'
                " orch-script in the prompt",
            )
        return self._decoded(blocks[-1], "the block orch-script in the prompt")

    def _decoded(self, text: str, source: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._invalid(f"{source} is not JSON: {error}") from error

    def _invalid(self, reason: str) -> UsageError:
        return UsageError(
            f"the script of agent {self.name} cannot be used: {reason}", code="script_invalid"
        )


def _read(path: str, agent: str) -> str:
    try:
        with open(path, encoding="utf-8", opener=_without_waiting) as file:
            text = file.read(SIZE_LIMIT + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(
            f"cannot read the script {path} of agent {agent}: {reason}", code="script_missing"
        ) from error
    if len(text) > SIZE_LIMIT:
        raise UsageError(f"the script {path} is larger than 1 MiB", code="script_invalid")
    return text


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
