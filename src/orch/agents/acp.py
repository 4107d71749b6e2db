"""Every agent that speaks the Agent Client Protocol (ACP) over stdio, by configuration alone:
`[agents.NAME] kind = "acp"`, `command = ["kimi", "acp"]`.

Source: protocol version 1, schema 1.19; real output of Kimi Code 2.1,
OpenCode 1.18 and Gemini CLI 0.61. What is started is the program
`orch.agents.inside.acp_client`, which owns the attempt's terminal and has the agent as its child; its
records are read here. Rules and supervision hold for the calls for which an agent asks: one that is
configured to ask for nothing is not held by them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import msgspec

from orch.agents import output, program
from orch.agents.inside import consent
from orch.agents.inside.acp_settings import LACKING, SETTINGS
from orch.agents.program import Call, Line, Program, ProgramAgent
from orch.config import AgentConfig
from orch.model.attempt import AgentRequest, Launch
from orch.model.report import Action, AgentState, Capabilities, Failure, Report

PLUGIN_API = 1

CLIENT = "orch.agents.inside.acp_client"
_AUTH_REQUIRED = -32000
_STOPS = {
    "max_turn_requests": ("max_turns", "it reached its own limit of requests in a turn"),
    "max_tokens": ("max_turns", "it reached its own limit of tokens in a turn"),
    "refusal": ("reported_failure", "it refuses to go on"),
    "cancelled": ("reported_failure", "it cancelled its turn by itself"),
}
_EMPTY = ("{", "Internal error", "Error", "")


class Options(program.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[agents.NAME.options]`: also `mode`, the session mode to choose (what there is, the agent
    decides), and `auth`, the way to sign in by which it is to be asked."""

    mode: str = ""
    auth: str = ""


class AcpAgent(ProgramAgent):
    """`orch.ports.Agent`. It owns its terminal, whatever `io` says: people type messages there."""

    def __init__(self, name: str, config: AgentConfig, options: Options | None) -> None:
        self._given = options if options is not None else Options()
        what = PROGRAM._replace(line=self._line, proven="", install="")
        super().__init__(name, msgspec.structs.replace(config, io="tty"), self._given, what)

    def launch(self, request: AgentRequest, environ: Mapping[str, str]) -> Launch:
        """Raises `UsageError`."""
        made = super().launch(request, environ)
        # Isolated: neither a PYTHON* variable nor a module in the worktree changes what runs.
        argv = (sys.executable, "-I", "-m", CLIENT, request.directory, "--", *made.argv)
        return msgspec.structs.replace(made, argv=argv)

    def _line(self, call: Call) -> Line:
        settings = {
            "agent": self.name, "cwd": call.request.worktree.path, "session": call.request.session,
            "supervised": call.supervised, "deny": list(call.deny),
            "model": call.request.model or self._given.model,
            "mode": self._given.mode, "auth": self._given.auth,
        }  # fmt: skip
        return Line((), files={SETTINGS: json.dumps(settings)})

    def probe(self, environ: Mapping[str, str]) -> str:
        if find_spec("acp") is None:
            return f"agent {self.name}: {LACKING}"
        return super().probe(environ)

    def state(self, environ: Mapping[str, str]) -> AgentState:
        # With its other words the program would begin to speak the protocol.
        config = msgspec.structs.replace(self._config, command=self._config.command[:1])
        bare = ProgramAgent(self.name, config, self._given, self._what)
        found = bare.state(environ)
        if find_spec("acp") is None:
            return msgspec.structs.replace(found, problem=LACKING, fix=PROGRAM.install)
        return found


def read(stdout: bytes, stderr: bytes) -> Report:
    """What the records of the client say. Tokens are the conversation's, as the agent told them
    last."""
    seen = _Seen()
    for one in output.records(stdout):
        seen.take(one)
    return seen.report()


class _Seen:
    """What the records so far say."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._going, self._worked = False, False
        self._message: Any = None
        self._session = self._stop = ""
        self._usage: dict[str, Any] = {}
        self._usd: float | None = None
        self._denials: list[dict[str, Any]] = []
        self._failure: Failure | None = None
        self._last: dict[str, Any] = {}

    def take(self, one: dict[str, Any]) -> None:
        kind = one.get("type")
        if kind == "update":
            self._update(output.table(one, "update"))
        elif kind == "prompt":
            self._text, self._stop, self._going, self._worked = [], "", False, False
        elif kind == "turn":
            self._stop = output.words(one, "stop_reason")
            self._usage = output.table(one, "usage") or self._usage
        elif kind == "permission":
            self._permission(one)
        elif kind == "error":
            self._failure = _failure(one)
        if kind in ("session", "error", "stopped", "end"):
            self._session = output.words(one, "session_id") or self._session
        if kind == "end":
            self._last = one

    def _update(self, update: dict[str, Any]) -> None:
        kind = update.get("sessionUpdate")
        if kind == "agent_message_chunk":
            named = update.get("messageId")
            if not self._going or named != self._message:
                self._text, self._going, self._message = [], True, named
            self._text.append(output.words(update, "content", "text"))
        elif kind in ("tool_call", "tool_call_update", "agent_thought_chunk"):
            # The news of a call may come in between the words of one message.
            self._going = self._going and kind == "tool_call_update"
            self._worked = self._worked or kind != "agent_thought_chunk"
        elif kind == "usage_update" and output.words(update, "cost", "currency") == "USD":
            self._usd = output.amount(update, "cost", "amount")

    def _permission(self, one: dict[str, Any]) -> None:
        self._going = False  # some tell of a call only by asking for it
        kind = output.words(one, "chosen")
        call = output.table(one, "tool_call")
        if kind.startswith("reject"):
            tool = output.words(call, "title") or output.words(call, "kind")
            self._denials.append(
                output.denial(tool, consent.given(call), output.words(one, "reason"))
            )

    def report(self) -> Report:
        text = "".join(self._text)[-output.TEXT_LIMIT :]
        failure = self._failure
        if failure is None and self._stop in _STOPS:
            code, words = _STOPS[self._stop]
            failure = Failure(code=code, words=words)
        elif failure is None and self._last and not text.strip() and not self._worked:
            # Some end a turn in which their provider never answered as if all were well.
            failure = Failure(code="empty", words="it ended its turn and had done and said nothing")
        return Report(
            text=text,
            session=self._session,
            tokens_in=output.count(self._usage, "inputTokens"),
            tokens_out=output.count(self._usage, "outputTokens"),
            cached_in=output.count(self._usage, "cachedReadTokens"),
            usd=self._usd,
            duration_ms=output.count(self._last, "duration_ms"),
            denials=tuple(self._denials),
            failure=failure,
            closed=bool(self._last) or self._failure is not None,
        )


def _failure(one: dict[str, Any]) -> Failure:
    """A JSON-RPC error, or one that the client met itself."""
    message, told = output.words(one, "message"), one.get("data")
    inner = (
        output.words(told) or output.words(told, "details") or output.words(told, "message")
        or output.words(told, "error") or output.words(told, "error", "message")
    )  # fmt: skip
    text = inner if message in _EMPTY and inner else f"{message}: {inner}" if inner else message
    found = output.failed(text)
    if not found.code and one.get("code") == _AUTH_REQUIRED:
        return output.failed(text, named="auth")
    return found


def acts(record: dict[str, Any]) -> Iterator[Action]:
    """What a record of the stream says that it does."""
    update = output.table(record, "update")
    kind = update.get("sessionUpdate")
    if record.get("type") != "update":
        return
    if kind == "agent_message_chunk":
        yield from output.message(output.words(update, "content", "text"), part=True)
    elif kind == "tool_call":
        files, given = consent.paths(update), consent.given(update)
        if not set(given) - {"cwd"}:  # some tell what they do it with when they have begun
            title = {"description": output.words(update, "title")}
            given = (
                {"path": files[0]} if files and output.words(update, "kind") != "execute" else title
            )
        yield output.call(output.words(update, "kind") or output.words(update, "title"), given)


PROGRAM = Program(
    "acp", lambda call: Line(()), read, flag="",
    can=Capabilities(stream=True, resume=True, messages=True, questions=True, tool_rules=True),
    acts=acts, took=output.took,
    proven="kimi 2.1.0, opencode 1.18.33, gemini 0.61.0", install="pip install 'orch-conductor[acp]'",
    sign_in="by the agent's own command",
)  # fmt: skip


def make(name: str, config: AgentConfig, options: Options | None) -> AcpAgent:
    return AcpAgent(name, config, options)
