"""What an agent's recorded output says, in the words of any of the agent programs.

Invariant: facts out of structured output only. What a program did not say is None or empty, never
guessed; a `failure` is one that the program itself reports.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """`code` as in `orch.model.failure_class`, empty when the program named none; `words` are its
    own; `retry_at` (seconds since the epoch) and `model` only where structured fields say so."""

    code: str = ""
    words: str = ""
    retry_at: float | None = None
    model: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is the agent's last message. Tokens and US dollars are of this attempt as the program
    counts them; `cached_in` are input tokens that were read from a cache, and `cached_within` says
    whether `tokens_in` has them too. `closed`: the record that ends a whole output is there.
    `denials` are tool calls that were refused."""

    text: str = ""
    session: str = ""
    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cached_in: int | None = None
    cached_within: bool = False
    usd: float | None = None
    duration_ms: int | None = None
    denials: tuple[dict[str, Any], ...] = ()
    failure: Failure | None = None
    closed: bool = False

    def usage(self) -> dict[str, Any]:
        """What an attempt's books hold of it (`orch.model.price.tokens_of`); keys only for what was
        said."""
        fresh = self.tokens_in
        if fresh is not None and self.cached_within:
            fresh = max(0, fresh - (self.cached_in or 0))
        named = {
            "input_tokens": fresh,
            "output_tokens": self.tokens_out,
            "cache_read_input_tokens": self.cached_in,
            "cost_usd": self.usd,
        }
        return {name: value for name, value in named.items() if value is not None}


ActionKind = Literal["message", "tool", "edit", "failed", "retry", "usage"]


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an agent does, on one line. `kind`: `message` (its words), `tool` (a call;
    `tool` is its name, `text` what it is called with), `edit` (files that it changes), `failed` (what
    a tool or the provider answered in place of what was wanted), `retry` (its provider did not
    answer), `usage` (`used` has the keys of `Report.usage`: of the model's call `call`, or of all so
    far where that is empty). `part`: a piece of words that go on in the next one."""

    kind: ActionKind
    text: str
    tool: str = ""
    used: dict[str, Any] = {}
    call: str = ""
    part: bool = False


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent program can do under Orch. `stream`: it tells what it does while it works;
    `resume`: a conversation can be gone on with; `messages`: it takes messages while it works;
    `questions`: what it asks before it acts reaches a person; `cost`: `usd`, `tokens` or none;
    `tool_rules`: tools can be forbidden; `sandbox`: it has one of its own; `limits`: it can limit
    turns, money or time itself."""

    stream: bool = False
    resume: bool = False
    messages: bool = False
    questions: bool = False
    cost: Literal["usd", "tokens", "none"] = "none"
    tool_rules: bool = False
    sandbox: bool = False
    limits: bool = False


class AgentState(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as it stands on this machine. `found` is the program's path, empty for none; `version`
    empty where it does not tell; `signed_in` None where nothing can be known without spending a
    token; `fix` the command that helps."""

    found: str = ""
    version: str = ""
    proven: str = ""
    signed_in: bool | None = None
    problem: str = ""
    fix: str = ""
    capabilities: Capabilities | None = None


PUBLIC: dict[str, str] = {
    "rate_limit": "rate_limit", "overloaded": "server_error", "usage_window": "usage_limit",
    "quota": "usage_limit", "billing": "billing", "auth": "auth", "server_error": "server_error",
    "unreachable": "server_error", "context_overflow": "context_overflow",
    "unknown_model": "model_unavailable", "permission_denied": "permission_denied",
    "waiting_input": "waiting_for_input", "missing_tool": "missing_tool", "timeout": "timeout",
    "killed": "killed", "stopped": "killed", "lost": "killed", "unparseable": "unparseable",
    "empty": "empty", "no_change": "no_change", "budget": "budget", "max_turns": "max_turns",
}  # fmt: skip
"""Failure code -> the class that `orch parse` prints; every other one is `agent_error`."""


def public_class(code: str) -> str:
    return PUBLIC.get(code, "agent_error")
