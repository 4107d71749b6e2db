"""Agents by configuration alone: any program that works in a directory and ends.

Invariant: the argv is the configured one. An item that is exactly a placeholder is replaced by one
argument; nothing is formatted, joined, or given to a shell.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any

from orch.agents import environment, reply
from orch.config import AgentConfig
from orch.config.secret import SecretUnavailable, resolve
from orch.model.attempt import Launch, ReplyMode, Verdict
from orch.model.errors import UsageError
from orch.ports import AgentRequest, AttemptFacts, Took

PLUGIN_API = 1


def make(name: str, config: AgentConfig, options: None) -> CommandAgent:
    return CommandAgent(name, config)


class CommandAgent:
    """`orch.ports.Agent` for `[agents.NAME] command = […]`."""

    resumes = False
    thread_usage = False
    took: Took | None = None

    def __init__(self, name: str, config: AgentConfig) -> None:
        self.name = name
        self.reply = config.reply
        self.io = config.io
        self.timeout_s = config.timeout_s
        self.idle_s = config.idle_s
        self.asks = config.permissions == "supervised"
        self._config = config

    def launch(self, request: AgentRequest, environ: Mapping[str, str]) -> Launch:
        if self.asks:
            raise unsupervised(self.name)
        if self._config.deny:
            raise unruled(self.name)
        return launch(self.name, self._config, self._argv(request), request, environ)

    def judge(
        self, reply_mode: ReplyMode, facts: AttemptFacts, schema: Mapping[str, Any] | None = None
    ) -> Verdict:
        return reply.judge(reply_mode, facts, agent=self.name, schema=schema)

    def session(self, stdout: bytes) -> str:
        return ""

    def probe(self, environ: Mapping[str, str]) -> str:
        return missing(self.name, self._config, self._config.command[0], environ)

    def _argv(self, request: AgentRequest) -> tuple[str, ...]:
        known = {
            "{prompt_file}": environment.prompt_file(request),
            "{result_file}": environment.result_file(request),
            "{worktree}": request.worktree.path,
            "{model}": request.model,
        }
        if "{model}" in self._config.command and not request.model:
            raise UsageError(
                f"the command of agent {self.name} needs a model and none was chosen",
                code="model_missing",
                hint="name one in the workflow: RunAgent(model=…)",
            )
        return tuple(known.get(word, word) for word in self._config.command)


def launch(
    name: str,
    config: AgentConfig,
    argv: tuple[str, ...],
    request: AgentRequest,
    environ: Mapping[str, str],
    files: Mapping[str, str] | None = None,
) -> Launch:
    """A launch of `argv` in the request's worktree as `config` says. Raises `SecretUnavailable`.

    The prompt is `stdin` in both io modes: the terminal makes the prompt's file of it, and connects
    it to the program only in `pipes` mode.
    """
    env = environment.build(
        request,
        environ,
        agent=name,
        env=config.env,
        pass_env=config.pass_env,
        pane=config.io == "tty",
    )
    return Launch(
        argv=argv,
        cwd=request.worktree.path,
        env=env,
        stdin=request.prompt.encode("utf-8", "replace").decode(),
        io=config.io,
        timeout_s=config.timeout_s,
        files=dict(files or {}),
    )


def unsupervised(name: str) -> UsageError:
    return UsageError(
        f"the agent {name} has no way to ask a person before it acts", code="not_supervised",
        hint=f"orch config set agents.{name}.permissions autonomous, or another agent",
    )  # fmt: skip


def unruled(name: str) -> UsageError:
    return UsageError(
        f"the agent {name} has no means to forbid a tool call: deny would not hold",
        code="no_tool_rules", hint=f"orch config unset agents.{name}.deny, or another agent",
    )  # fmt: skip


def missing(name: str, config: AgentConfig, program: str, environ: Mapping[str, str]) -> str:
    """One sentence on what keeps the agent from starting; empty when nothing does. `cmd:` values
    are not asked for: that may cost a touch of a key or a prompt of a password manager."""
    path = environment.base_environment(environ)["PATH"]
    if "PATH" in config.env:
        path = config.env["PATH"].reveal()
    # A relative program is looked for in the worktree, which is not there yet.
    relative = os.sep in program and not os.path.isabs(program)
    if not relative and shutil.which(program, path=path) is None:
        return f"agent {name}: the program {program} was not found"
    for variable, reference in config.env.items():
        if reference.kind() in ("env", "file"):
            try:
                resolve(reference, environ, purpose=f"agents.{name}.env.{variable}")
            except SecretUnavailable as error:
                return error.message
    return ""
