"""The agent programs that people use, as adapters: a command line, an environment, a reader.

Invariant: the prompt travels on standard input, or in a file where the program reads none; an adapter
adds nothing to the environment but what its program's own documentation names, and its program's own
variables are the only ones it takes from ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from orch.agents import command, environment, rules, structured
from orch.agents.looking import Signs, agents_environ, look
from orch.agents.output import Reader
from orch.config import AgentConfig
from orch.model.attempt import Launch, ReplyMode, Verdict
from orch.model.errors import UsageError
from orch.model.report import AgentState, Capabilities
from orch.ports import Acts, AgentRequest, AttemptFacts, Took


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[agents.NAME.options]`: `args` are added to the program's own; `model` is the one to use where
    the task names none."""

    args: tuple[str, ...] = ()
    model: str = ""


class Call(NamedTuple):
    """What a command line is made of. `chosen` are the words that choose the model. `supervised`: a
    person is asked before a tool is used; `interactive`: the program owns its terminal; `deny` are
    the tool calls that are forbidden, in the form `Tool(pattern)`."""

    request: AgentRequest
    chosen: tuple[str, ...] = ()
    supervised: bool = False
    interactive: bool = False
    deny: tuple[str, ...] = ()


class Line(NamedTuple):
    """Arguments; variables and files of the attempt that they need; `after`: words that follow on the
    prompt, for a program that reads it on standard input."""

    words: tuple[str, ...]
    env: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    after: str = ""


class Refusal(NamedTuple):
    """Why a call cannot be made on this machine, and the command that helps."""

    why: str
    hint: str


class Program(NamedTuple):
    """What makes one agent program different from another. `line` gives the arguments for a call;
    `refuses` says what keeps one from working, in the agent's environment; `flag` chooses the model;
    `takes` are variables of its own that are handed on; `sets` are set, unless the configuration sets
    them. `acts` reads one record of its stream; `took` and `thread_usage` as `orch.ports.Agent` has
    them; `hush` is what stands on `stderr` beside its work. `proven` is the version that all of this
    was seen with; `install` and `sign_in` are the commands that a person needs."""

    program: str
    line: Callable[[Call], Line]
    read: Reader
    flag: str = "-m"
    takes: tuple[str, ...] = ()
    sets: Mapping[str, str] = {}
    can: Capabilities = Capabilities()
    acts: Acts | None = None
    refuses: Callable[[Call, Mapping[str, str]], Refusal | None] | None = None
    took: Took | None = None
    thread_usage: bool = False
    hush: re.Pattern[bytes] | None = None
    signs: Signs = Signs()
    proven: str = ""
    install: str = ""
    sign_in: str = ""


class ProgramAgent(command.CommandAgent):
    """`orch.ports.Agent` for one of the known programs. A configured `command` stands in the place of
    the program's name."""

    def __init__(self, name: str, config: AgentConfig, options: Any, what: Program) -> None:
        super().__init__(name, config)
        self.acts = what.acts
        self.resumes = what.can.resume
        self.thread_usage = what.thread_usage
        self.took = what.took
        self._what = what
        self._options = options if options is not None else Options()

    def launch(self, request: AgentRequest, environ: Mapping[str, str]) -> Launch:
        """Raises `UsageError` for what the program cannot do under Orch."""
        what, model = self._what, request.model or self._options.model
        prompt = f"{rules.told(request)}\n\n{request.prompt}"
        request = msgspec.structs.replace(request, prompt=prompt)
        call = Call(
            request, chosen=(what.flag, model) if model else (), interactive=self.io == "tty",
            supervised=self.asks,
            deny=rules.forbidden(request, self._config.deny),
        )  # fmt: skip
        self._check(call, environ)
        line = what.line(call)
        if line.after:
            request = msgspec.structs.replace(request, prompt=f"{request.prompt}\n\n{line.after}")
        argv = (*self._program(), *line.words, *self._options.args)
        passed = msgspec.structs.replace(
            self._config, pass_env=(*what.takes, *self._config.pass_env)
        )
        made = command.launch(self.name, passed, argv, request, environ, line.files)
        return msgspec.structs.replace(
            made, env={**what.sets, **line.env, **made.env}, turns=call.interactive
        )

    def _check(self, call: Call, environ: Mapping[str, str]) -> None:
        can, name = self._what.can, self.name
        if call.interactive and not can.messages:
            raise UsageError(
                f"the agent {name} cannot own its terminal under Orch: nothing would tell its end",
                code="not_interactive", hint=f"orch config set agents.{name}.io pipes",
            )  # fmt: skip
        if self._config.deny and not can.tool_rules:
            raise command.unruled(name)
        if call.supervised and not can.questions:
            raise command.unsupervised(name)
        refusal = self._what.refuses(call, self._environ(environ)) if self._what.refuses else None
        if refusal is not None:
            raise UsageError(
                f"the agent {name} cannot start: {refusal.why}", code="agent_not_ready",
                hint=refusal.hint,
            )  # fmt: skip

    def _environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What its program would get of `environ`."""
        own = {name: value.reveal() for name, value in self._config.env.items()
               if value.kind() == "literal"}  # fmt: skip
        takes = (*self._what.takes, *self._config.pass_env)
        return agents_environ(environ, takes, {**self._what.sets, **own})

    def session(self, stdout: bytes) -> str:
        """The conversation that this output belongs to; empty where it does not say."""
        return self._what.read(stdout, b"").session

    def judge(
        self, reply_mode: ReplyMode, facts: AttemptFacts, schema: Mapping[str, Any] | None = None
    ) -> Verdict:
        hush = self._what.hush
        if hush is not None:
            facts = msgspec.structs.replace(facts, stderr=hush.sub(b"", facts.stderr))
        return structured.judge(self._what.read, reply_mode, facts, agent=self.name, schema=schema)

    def state(self, environ: Mapping[str, str]) -> AgentState:
        """How it stands on this machine; no token is spent."""
        return look(
            self._program(), self._environ(environ),
            signs=self._what.signs, proven=self._what.proven, install=self._what.install,
            sign_in=self._what.sign_in, capabilities=self._what.can,
        )  # fmt: skip

    def probe(self, environ: Mapping[str, str]) -> str:
        return command.missing(self.name, self._config, self._program()[0], environ)

    def _program(self) -> tuple[str, ...]:
        return self._config.command or (self._what.program,)


def maker(what: Program) -> Callable[[str, AgentConfig, Options | None], ProgramAgent]:
    """The `make` of an adapter."""
    return lambda name, config, options: ProgramAgent(name, config, options, what)


LINE_LIMIT = 96 * 1024
"""Bytes of a prompt on a command line: one argument holds 128 KiB (H16)."""


def on_the_line(request: AgentRequest) -> str:
    """The prompt for a program that takes it as an argument; a longer one is read from its file."""
    if len(request.prompt.encode("utf-8", "replace")) <= LINE_LIMIT:
        return request.prompt.encode("utf-8", "replace").decode()
    return f"Read the file {environment.prompt_file(request)} and do what it asks for."
