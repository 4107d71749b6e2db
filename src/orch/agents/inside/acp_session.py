"""One conversation with an agent over the Agent Client Protocol, from `initialize` to the last turn.

Invariant: one turn at a time. A message of a person's ends the turn that runs (`session/cancel`) and
is the next prompt, as every agent understands; it is noted just before it is sent. No file system
and no terminal is offered to the agent: it works with its own, inside of whatever holds it, and not
with ours outside. Whoever ends us ends the turn first.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

import acp
from acp import schema
from pydantic import ValidationError

from orch.agents.inside import consent
from orch.agents.inside.acp_settings import Settings
from orch.agents.inside.acp_wire import LIMIT, Wire
from orch.agents.inside.child import REST_S, Child
from orch.agents.inside.keyboard import Inbox
from orch.agents.inside.ledger import Ledger
from orch.agents.inside.permission import Permissions

FAILED = 1
CANCEL_S = 3.0
"""What an agent gets to end its turn when we are ended."""
_CALLS = 1000
T = TypeVar("T")


class Ended(Exception):
    """A person, or the attempt's limit, ends us by a signal."""


class Gone(Exception):
    """The agent's program has ended, or hears and says nothing any more."""


def carry_out(
    settings: Settings, directory: str, prompt: str, program: subprocess.Popen[bytes], errors: int,
    ledger: Ledger, inbox: Inbox,
) -> int:  # fmt: skip
    """Our exit code."""

    async def conversation() -> int:
        session = Session(settings, directory, Child(program, errors), ledger, inbox)
        return await session.carry_out(prompt)

    return asyncio.run(conversation())


class Session:
    """The client's side: what the agent calls, and the order of what it is asked."""

    def __init__(
        self, settings: Settings, directory: str, child: Child, ledger: Ledger, inbox: Inbox
    ) -> None:
        self._settings, self._child = settings, child
        self._ledger, self._inbox = ledger, inbox
        self._id, self._name = settings.session, settings.agent
        self._loading = False
        self._calls: dict[str, dict[str, Any]] = {}
        self._signal = 0
        self._doing = "start"
        self._ended, self._called = asyncio.Event(), asyncio.Event()
        self._prompted, self._cancelled = asyncio.Event(), asyncio.Event()
        self._permissions = Permissions(
            directory, ledger, deny=settings.deny, folder=settings.cwd,
            supervised=settings.supervised, over=lambda: (self._cancelled, self._ended),
        )  # fmt: skip

    async def carry_out(self, prompt: str) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        self._inbox.arrived = lambda: _told(loop, self._called)
        reader, writer = await self._child.streams(LIMIT)
        wire = Wire(reader, writer, self._seen, self._sent, self._odd)
        connection = acp.connect_to_agent(cast(acp.Client, self), wire)
        began, spent = time.monotonic(), -1.0
        try:
            await self._begin(connection)
            code = await self._turns(connection, prompt)
            spent = time.monotonic() - began
        except Ended:
            self._ledger.note("stopped", signal=self._signal, session_id=self._id)
            self._ledger.say("ended from outside")
            code = 128 + self._signal
        except (Gone, ConnectionError):
            ended, how = await self._child.end()
            words = f"the agent's program {how} during {self._doing}"
            code = self._failed(words, exit_code=ended)
        except acp.RequestError as error:
            code = self._failed(str(error), code=error.code, data=error.data)
        except ValidationError as error:
            words = f"its answer to {self._doing} is not the protocol's: {error}"
            code = self._failed(words[:1000])
        self._inbox.close()
        writer.close()
        await self._child.leave()
        await connection.close()
        self._ledger.flush()
        if spent >= 0:  # behind all that it had to tell after its last turn
            self._ledger.note("end", session_id=self._id, duration_ms=int(spent * 1000))
        return code

    def _failed(self, words: str, **fields: Any) -> int:
        self._ledger.note("error", message=words, during=self._doing, session_id=self._id, **fields)
        self._ledger.say(f"failed: {words}")
        return FAILED

    def _end(self, number: int) -> None:
        self._signal = self._signal or number
        self._ended.set()

    # --- asking the agent

    async def _answer(self, doing: str, question: Coroutine[Any, Any, T]) -> T:
        """Its answer, unless somebody ends us, or it goes away, before that."""
        self._doing = doing
        task = asyncio.ensure_future(question)
        try:
            await self._until(task, self._ended)
            return await task
        finally:
            task.cancel()

    async def _until(self, task: asyncio.Future[Any], *others: asyncio.Event) -> None:
        """Wait for the task or one of the events; `Ended`, and `Gone` when the agent is."""
        events = [asyncio.create_task(event.wait()) for event in (*others, self._child.gone)]
        try:
            await asyncio.wait([task, *events], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return
            if self._ended.is_set() and self._ended in others:
                raise Ended
            if self._child.gone.is_set():
                await asyncio.wait([task], timeout=REST_S)
                if not task.done():
                    raise Gone
        finally:
            for event in events:
                event.cancel()

    async def _begin(self, agent: Any) -> None:
        settings = self._settings
        told = await self._answer("initialize", agent.initialize(
            protocol_version=acp.PROTOCOL_VERSION,
            client_capabilities=schema.ClientCapabilities(
                fs=schema.FileSystemCapabilities(read_text_file=False, write_text_file=False),
                terminal=False,
            ),
            client_info=schema.Implementation(name="orch", version="1"),
        ))  # fmt: skip
        about = told.agent_info
        if about is not None:
            self._name = about.title or about.name
        if settings.auth:
            await self._answer("authenticate", agent.authenticate(method_id=settings.auth))
        opened, resumed = await self._open(agent, told.agent_capabilities)
        self._ledger.note(
            "session", session_id=self._id, resumed=resumed, protocol=told.protocol_version,
            agent=about.model_dump(by_alias=True, exclude_none=True) if about else {},
        )  # fmt: skip
        options = getattr(opened, "config_options", None) or []
        modes = getattr(opened, "modes", None)
        if settings.mode and modes is not None:
            await self._answer(
                "session/set_mode",
                agent.set_session_mode(session_id=self._id, mode_id=settings.mode),
            )
        elif settings.mode:
            await self._set(agent, options, "mode", settings.mode)
        if settings.model:
            await self._set(agent, options, "model", settings.model)

    async def _open(self, agent: Any, can: schema.AgentCapabilities | None) -> tuple[Any, bool]:
        """(its answer, whether the conversation is the one that was asked for)."""
        cwd, wanted = self._settings.cwd, self._settings.session
        sessions = can.session_capabilities if can is not None else None
        if wanted and sessions is not None and sessions.resume is not None:
            return await self._answer(
                "session/resume", agent.resume_session(cwd=cwd, session_id=wanted, mcp_servers=[])
            ), True
        if wanted and can is not None and can.load_session:
            self._loading = True  # what it tells now was told before
            try:
                return await self._answer(
                    "session/load", agent.load_session(cwd=cwd, session_id=wanted, mcp_servers=[])
                ), True
            finally:
                self._loading = False
        opened = await self._answer("session/new", agent.new_session(cwd=cwd, mcp_servers=[]))
        self._id = opened.session_id
        return opened, False

    async def _set(self, agent: Any, options: list[Any], category: str, value: str) -> None:
        found = next((one for one in options if category in (one.category, one.id)), None)
        if found is None:
            raise acp.RequestError(
                -32602, f"{category} {value}: it lets nobody choose a {category}"
            )
        await self._answer("session/set_config_option", agent.set_config_option(
            config_id=found.id, session_id=self._id, value=value
        ))  # fmt: skip

    # --- turns

    async def _turns(self, agent: Any, prompt: str) -> int:
        early = self._inbox.take()
        self._ledger.note("prompt", of="task", characters=len(prompt))
        self._taken(early)
        stop = await self._turn(agent, [prompt, *early])
        while True:
            messages = self._inbox.take()
            if not messages:
                # Nobody reads from here on; what was read until now still counts.
                self._inbox.close()
                messages = self._inbox.take()
                if not messages:
                    return 0 if stop == "end_turn" else FAILED
                self._inbox.open()
            self._taken(messages)
            stop = await self._turn(agent, messages)

    def _taken(self, messages: list[str]) -> None:
        for text in messages:
            self._ledger.note("prompt", of="message", text=text)
            self._ledger.say(f"> {text}")

    async def _turn(self, agent: Any, texts: list[str]) -> str:
        """Why it stopped."""
        self._doing = "session/prompt"
        self._prompted.clear()
        self._cancelled.clear()
        task = asyncio.ensure_future(
            agent.prompt(
                session_id=self._id, prompt=[acp.text_block(text) for text in texts if text]
            )
        )
        try:
            await self._until(task, self._prompted)
            while not task.done():
                self._called.clear()
                if len(self._inbox) and not self._cancelled.is_set():
                    await self._cancel(agent)
                waits = () if self._cancelled.is_set() else (self._called,)
                await self._until(task, self._ended, *waits)
        except Ended:
            await self._cancel(agent)
            await asyncio.wait([task], timeout=CANCEL_S)
            raise
        finally:
            task.cancel()
        answer = task.result()
        stop, usage = str(answer.stop_reason), answer.usage
        self._ledger.note(
            "turn", stop_reason=stop, cancelled_by_us=self._cancelled.is_set(),
            usage=usage.model_dump(by_alias=True, exclude_none=True) if usage else None,
        )  # fmt: skip
        self._ledger.say(f"the turn ended: {stop}")
        return stop

    async def _cancel(self, agent: Any) -> None:
        self._cancelled.set()
        with contextlib.suppress(ConnectionError, OSError):  # whoever waits for the turn is told
            await agent.cancel(session_id=self._id)

    # --- what the agent tells

    def _seen(self, message: dict[str, Any]) -> None:
        params = message.get("params")
        update = params.get("update") if isinstance(params, dict) else None
        if message.get("method") != "session/update" or not isinstance(update, dict):
            return
        if self._loading:
            return
        self._ledger.update(update)
        kind = update.get("sessionUpdate")
        content = update.get("content")
        if kind == "agent_message_chunk" and isinstance(content, dict):
            self._ledger.tell(str(content.get("text") or ""))
        elif kind in ("tool_call", "tool_call_update"):
            self._call(update)

    def _call(self, update: dict[str, Any]) -> None:
        name = str(update.get("toolCallId"))
        known = self._calls.pop(name, {})
        if len(self._calls) >= _CALLS:
            self._calls.pop(next(iter(self._calls)))
        self._calls[name] = {**known, **{k: v for k, v in update.items() if v is not None}}
        status = update.get("status")
        if not known or status in ("completed", "failed"):
            told = consent.command(self._calls[name]) or ", ".join(consent.paths(self._calls[name]))
            title = str(self._calls[name].get("title") or "a tool")
            self._ledger.say(f"* {title}{f' {told}' if told else ''} [{status or 'pending'}]")

    def _sent(self, message: dict[str, Any]) -> None:
        if message.get("method") == "session/prompt":
            self._prompted.set()

    def _odd(self, line: str) -> None:
        self._ledger.note("odd", text=line)

    async def session_update(self, session_id: str, update: Any, **more: Any) -> None:
        """It was noted as it came (`_seen`), whether the package knows its form or not."""

    # --- what the agent asks

    async def request_permission(
        self, session_id: str, tool_call: schema.ToolCallUpdate,
        options: list[schema.PermissionOption], **more: Any,
    ) -> schema.RequestPermissionResponse:  # fmt: skip
        told = tool_call.model_dump(mode="json", by_alias=True, exclude_none=True)
        call = {**self._calls.get(tool_call.tool_call_id, {}), **told}
        earlier = self._calls.get(tool_call.tool_call_id, {}).get("content")
        if isinstance(earlier, list):  # its arguments may stand in the one, its words in the other
            call["content"] = [*call.get("content", []), *earlier]
        offered = [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in options]
        found = await self._permissions.decided(self._name, call, offered)
        kind = next((one["kind"] for one in offered if one["optionId"] == found.option), "")
        self._ledger.note(
            "permission", tool_call=call, option=found.option, chosen=kind, by=found.by,
            reason=found.reason,
        )  # fmt: skip
        said = consent.sentence(self._name, call)
        self._ledger.say(f"{said}: {kind or 'not answered'} ({found.by})")
        if found.words:
            self._inbox.put(found.words)  # why not, or what else: it is for the agent to hear
        if not found.option:
            cancelled = schema.DeniedOutcome(outcome="cancelled")
            return schema.RequestPermissionResponse(outcome=cancelled)
        outcome = schema.AllowedOutcome(outcome="selected", option_id=found.option)
        return schema.RequestPermissionResponse(outcome=outcome)


def _told(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    """From another thread."""
    loop.call_soon_threadsafe(event.set)
