"""What the engine needs of agent programs, and what a plugin that brings one has to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from orch.model.attempt import AgentRequest as AgentRequest, AttemptFacts as AttemptFacts

if TYPE_CHECKING:
    from orch.model.attempt import IoMode, Launch, ReplyMode, Verdict
    from orch.model.report import Action

Acts = Callable[[dict[str, Any]], "Iterable[Action]"]
"""What an agent may have beside what it must: `acts(record)` tells the actions in one record (a JSON
object on a line of its own) of its program's standard output. It knows that record only."""


Took = Callable[[bytes, str], bool]
"""(what a program has written to `stdout` since, a message) -> whether it says that it took it."""


class AgentPlugin(Protocol):
    """One kind of agent program: what an adapter has to do."""

    name: str
    reply: ReplyMode
    io: IoMode
    timeout_s: float

    def launch(self, request: AgentRequest, environ: Mapping[str, str]) -> Launch:
        """The command line and the whole environment: an allow-list of `environ`, the configured
        `env` and `pass_env`, the `ORCH_*` words. Never a forge, tracker or chat token."""

    def judge(
        self, reply: ReplyMode, facts: AttemptFacts, schema: Mapping[str, Any] | None = None
    ) -> Verdict:
        """What an ended attempt means. With `schema` its value is the JSON value that was asked
        for; `answer_absent` and `answer_invalid` are asked for again. Pure."""

    def probe(self, environ: Mapping[str, str]) -> str:
        """Empty when usable, else one sentence on what is missing (no token is spent)."""


class Agent(AgentPlugin, Protocol):
    """An adapter as the engine has it. `resumes`: it can go on with a conversation; `thread_usage`:
    it counts the tokens of one from its beginning; `asks`: a person is asked before it acts;
    `idle_s`: seconds without a sign of life after which it is ended, 0 for the general rule; `took`:
    how it shows that it took a message, None where it does not."""

    resumes: bool
    thread_usage: bool
    asks: bool
    idle_s: float
    took: Took | None

    def session(self, stdout: bytes) -> str:
        """The conversation that an output belongs to; empty where it does not say."""
