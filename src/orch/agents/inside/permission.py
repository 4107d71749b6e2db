"""A tool call for which an agent asks: decided by rules, by the configuration, or by a person.

Invariant: a rule that forbids outranks everybody. A person is waited for as long as the turn lasts; a
question that its turn outlives no more is settled, so that nobody answers it in vain.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from orch.agents.inside import asking, consent
from orch.agents.inside.ledger import Ledger


class Decision(NamedTuple):
    """`option` is the chosen one's id, empty where the question is not to be answered; `words` are
    a person's to the agent."""

    option: str
    by: str
    reason: str = ""
    words: str = ""


class Permissions:
    """`over` are set when the turn, or all of it, ends."""

    def __init__(
        self, directory: str, ledger: Ledger, *, deny: Sequence[str], folder: str,
        supervised: bool, over: Callable[[], Sequence[asyncio.Event]],
    ) -> None:  # fmt: skip
        self._directory, self._ledger = directory, ledger
        self._deny, self._folder, self._supervised = deny, folder, supervised
        self._over = over
        self._asked = 0

    async def decided(
        self, agent: str, call: dict[str, Any], offered: Sequence[dict[str, Any]]
    ) -> Decision:
        """`offered` are the protocol's options: `optionId`, `name`, `kind`."""
        allowed = consent.choose(offered, consent.ALLOW)
        refused = consent.choose(offered, consent.REJECT)
        rule = consent.forbidden(call, self._deny, self._folder)
        if rule:
            return Decision(refused, "rule", f"forbidden by {rule}")
        if not self._supervised:
            return Decision(allowed or refused, "autonomous")
        answer = await self._ask(agent, call, offered)
        if answer is None:
            return Decision("", "orch", "the turn ended")
        text, by = str(answer.get("text") or ""), str(answer.get("by") or "a person")
        if answer.get("decision") == "approve":
            return Decision(allowed, by, text)
        if answer.get("decision") == "answer":
            named = [one["optionId"] for one in offered if text in (one["optionId"], one["name"])]
            if named:
                return Decision(named[0], by)
        return Decision(refused, by, text or "denied", words=text)

    async def _ask(
        self, agent: str, call: dict[str, Any], offered: Sequence[dict[str, Any]]
    ) -> dict[str, Any] | None:
        """A person's answer; None when the turn ends before that."""
        self._asked += 1
        key = f"acp/{os.getpid()}/{self._asked}"
        question = {
            "kind": "permission", "text": consent.sentence(agent, call),
            "tool": str(call.get("kind") or call.get("title") or ""), "input": consent.given(call),
            "options": [{"id": one["optionId"], "label": one["name"], "kind": one["kind"]}
                        for one in offered],
        }  # fmt: skip
        self._ledger.note("question", question=question)
        self._ledger.say(f"? {question['text']} (answer it with: orch inbox)")
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        threading.Thread(
            target=self._wait, args=(key, question, answer), name="question", daemon=True
        ).start()
        events = [asyncio.create_task(event.wait()) for event in self._over()]
        waited: list[asyncio.Future[Any]] = [answer, *events]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else None
        finally:
            for event in events:
                event.cancel()
            if not answer.done():
                asking.settle(self._directory, asking.named(self._directory, key), {
                    "decision": "deny", "text": "the turn ended", "by": "orch", "at": time.time(),
                })  # fmt: skip

    def _wait(
        self, key: str, question: dict[str, Any], answer: asyncio.Future[dict[str, Any]]
    ) -> None:
        """In a thread of its own."""
        try:
            found = asking.ask(self._directory, key, question)
        except (OSError, ValueError) as error:
            found = {"decision": "deny", "by": "orch"}
            self._ledger.note("log", text=f"nobody could be asked: {error}")

        def told() -> None:
            if not answer.done():
                answer.set_result(found)

        with contextlib.suppress(RuntimeError):  # the loop has ended, and the turn with it
            answer.get_loop().call_soon_threadsafe(told)
