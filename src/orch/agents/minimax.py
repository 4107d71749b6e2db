"""MiniMax: Claude Code with MiniMax's Anthropic-compatible endpoint as its provider.

Source: the provider's own description of Claude Code, and real output of Claude Code. The key travels
as `ANTHROPIC_AUTH_TOKEN`; where there is none, a token that is none does, lest Claude Code sends its
own sign-in to another provider. What Claude Code counts in dollars is Anthropic's price of a model
that was not asked, so none is told. For China there is another endpoint:
`env = { ANTHROPIC_BASE_URL = "https://api.minimaxi.com/anthropic" }`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from orch.agents import claude
from orch.agents.looking import Signs
from orch.agents.program import Options as Options, ProgramAgent
from orch.config import AgentConfig
from orch.model.attempt import Launch
from orch.model.report import Report
from orch.ports import AgentRequest

PLUGIN_API = 1

KEY = "MINIMAX_API_KEY"
_MODEL = "MiniMax-M3"
_NO_KEY = "none"


def read(stdout: bytes, stderr: bytes) -> Report:
    return msgspec.structs.replace(claude.read(stdout, stderr), usd=None)


PROGRAM = claude.PROGRAM._replace(
    read=read,
    takes=(KEY,),
    sets={
        **claude.PROGRAM.sets,
        "ANTHROPIC_BASE_URL": "https://api.minimax.io/anthropic",
        "ANTHROPIC_MODEL": _MODEL,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": _MODEL,
    },
    can=msgspec.structs.replace(claude.PROGRAM.can, cost="tokens"),
    signs=Signs((KEY, "ANTHROPIC_AUTH_TOKEN")),
    sign_in=f"export {KEY}",
)


class MiniMaxAgent(ProgramAgent):
    """The key under the name that Claude Code knows."""

    def launch(self, request: AgentRequest, environ: Mapping[str, str]) -> Launch:
        made = super().launch(request, environ)
        env = {name: value for name, value in made.env.items() if name != KEY}
        env.setdefault("ANTHROPIC_AUTH_TOKEN", made.env.get(KEY) or _NO_KEY)
        return msgspec.structs.replace(made, env=env)


def make(name: str, config: AgentConfig, options: Options | None) -> MiniMaxAgent:
    return MiniMaxAgent(name, config, options, PROGRAM)
