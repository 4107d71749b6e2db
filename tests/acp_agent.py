"""A scripted agent that speaks the Agent Client Protocol, written with the package's agent side.

`python acp_agent.py LOG [FLAG…]`: what it is asked is written to LOG, a JSON object a line. A prompt
that holds `ACT<<[…]>>` is carried out, one action after the other; any other one is answered with
`heard: …`. Actions: `{"say": TEXT}`, `{"tool": TITLE, "command": …, "kind": …}`, `{"ask": TITLE,
"command": …, "path": …, "kind": …}` (asks for permission and says what it got), `{"write": PATH}`,
`{"raw": TEXT}` (onto its standard output), `{"complain": TEXT}` (onto its error channel), `{"wait":
true}` (until it is cancelled), `{"die": CODE}`, `{"raise": [CODE, MESSAGE, DATA]}`, `{"stop":
REASON}`. Flags: `auth` (it wants a sign-in), `load` and `resume` (it can go on with a session),
`deaf` (it ignores cancel), `slow` (it stays when its input ends, and takes a second to end after
TERM).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import acp
from acp import schema

_ACT = re.compile(r"ACT<<(.*?)>>", re.DOTALL)
OPTIONS = (
    ("yes", "Allow", "allow_once"), ("ever", "Always allow", "allow_always"),
    ("no", "Reject", "reject_once"), ("other", "Use the test account", "allow_once"),
)  # fmt: skip


class Scripted:
    """`acp.Agent`."""

    def __init__(self, log: Path, flags: frozenset[str]) -> None:
        self._log, self._flags = log, flags
        self._cancelled = asyncio.Event()
        self._client: Any = None
        self._calls = 0

    def on_connect(self, conn: Any) -> None:
        self._client = conn

    def note(self, what: str, **fields: Any) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, **fields}) + "\n")

    async def initialize(
        self, protocol_version: int, client_capabilities: Any = None, client_info: Any = None,
        **more: Any,
    ) -> schema.InitializeResponse:  # fmt: skip
        told = client_capabilities.model_dump(by_alias=True, exclude_none=True)
        self.note("initialize", version=protocol_version, capabilities=told)
        sessions = schema.SessionCapabilities(
            resume=schema.SessionResumeCapabilities() if "resume" in self._flags else None
        )
        return schema.InitializeResponse(
            protocol_version=1,
            agent_capabilities=schema.AgentCapabilities(
                load_session="load" in self._flags, session_capabilities=sessions
            ),
            agent_info=schema.Implementation(name="scripted", title="Scripted", version="1.2"),
        )

    async def authenticate(self, method_id: str, **more: Any) -> schema.AuthenticateResponse:
        self.note("authenticate", method=method_id)
        self._flags -= {"auth"}
        return schema.AuthenticateResponse()

    async def new_session(self, cwd: str, **more: Any) -> schema.NewSessionResponse:
        self.note("new", cwd=cwd)
        if "auth" in self._flags:
            raise acp.RequestError.auth_required()
        choice = schema.SessionConfigOptionSelect(
            id="m", name="Model", type="select", category="model", current_value="small",
            options=[schema.SessionConfigSelectOption(value=one, name=one)
                     for one in ("small", "large")],
        )  # fmt: skip
        return schema.NewSessionResponse(session_id="s-1", config_options=[choice])

    async def set_config_option(
        self, config_id: str, session_id: str, value: Any, **more: Any
    ) -> schema.SetSessionConfigOptionResponse:
        self.note("option", option=config_id, value=value)
        return schema.SetSessionConfigOptionResponse(config_options=[])

    async def load_session(self, cwd: str, session_id: str, **more: Any) -> Any:
        self.note("load", session=session_id)
        await self._update(session_id, acp.update_agent_message_text("said long ago"))
        return schema.LoadSessionResponse()

    async def resume_session(self, cwd: str, session_id: str, **more: Any) -> Any:
        self.note("resume", session=session_id)
        return schema.ResumeSessionResponse()

    async def cancel(self, session_id: str, **more: Any) -> None:
        self.note("cancel", session=session_id)
        if "deaf" not in self._flags:
            self._cancelled.set()

    async def prompt(
        self, session_id: str, prompt: list[Any], **more: Any
    ) -> schema.PromptResponse:
        self._cancelled.clear()
        texts = [block.text for block in prompt]
        self.note("prompt", texts=texts)
        found = _ACT.findall("\n".join(texts))
        actions = json.loads(found[-1]) if found else [{"say": f"heard: {texts[-1]}"}]
        stop = "end_turn"
        for action in actions:
            stop = await self._act(session_id, action) or stop
            if self._cancelled.is_set():
                stop = "cancelled"
                break
        used = schema.Usage(total_tokens=30, input_tokens=20, output_tokens=10)
        return schema.PromptResponse(stop_reason=stop, usage=used)  # type: ignore[arg-type]

    async def _act(self, session: str, action: dict[str, Any]) -> str | None:
        [(word, value)] = [item for item in action.items() if item[0] in _WORDS]
        if word == "say":
            for piece in re.split(r"(?<= )", value):  # word by word, as a model does
                await self._update(session, acp.update_agent_message_text(piece))
        elif word == "tool":
            await self._update(session, self._call(action, value))
        elif word == "ask":
            await self._ask(session, action, value)
        elif word == "wait":
            self.note("waiting")
            await (asyncio.sleep(2) if "deaf" in self._flags else self._cancelled.wait())
        elif word == "raise":
            raise acp.RequestError(*value)
        elif word == "stop":
            return str(value)
        else:
            self._odd(word, value)
        return None

    def _odd(self, word: str, value: Any) -> None:
        if word == "raw":
            sys.stdout.write(value)
            sys.stdout.flush()
        elif word == "complain":
            sys.stderr.write(value)
            sys.stderr.flush()
        elif word == "write":
            Path(value).write_text("written\n")
        elif word == "die":
            os._exit(value)

    def _call(self, action: dict[str, Any], title: str) -> schema.ToolCallStart:
        self._calls += 1
        return acp.start_tool_call(
            f"c{self._calls}", title, kind=action.get("kind", "execute"), status="pending",
            raw_input={key: action[key] for key in ("command", "path") if key in action},
        )  # fmt: skip

    async def _ask(self, session: str, action: dict[str, Any], title: str) -> None:
        call = self._call(action, title)
        await self._update(session, call)
        told = await self._client.request_permission(
            session_id=session,
            tool_call=schema.ToolCallUpdate(tool_call_id=call.tool_call_id, title=title),
            options=[schema.PermissionOption(option_id=key, name=name, kind=kind)  # type: ignore[arg-type]
                     for key, name, kind in OPTIONS],
        )  # fmt: skip
        got = getattr(told.outcome, "option_id", told.outcome.outcome)
        self.note("permission", title=title, got=got)
        await self._update(session, acp.update_agent_message_text(f"got {got}"))

    async def _update(self, session: str, update: Any) -> None:
        await self._client.session_update(session_id=session, update=update)


_WORDS = ("say", "tool", "ask", "write", "wait", "raise", "stop", "raw", "complain", "die")


def main() -> None:
    flags = frozenset(sys.argv[2:])
    agent = Scripted(Path(sys.argv[1]), flags)
    if "slow" in flags:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    asyncio.run(acp.run_agent(agent, use_unstable_protocol=True))
    if "slow" in flags:
        signal.sigwait({signal.SIGTERM})
        time.sleep(1)
        agent.note("put away")


if __name__ == "__main__":
    main()
