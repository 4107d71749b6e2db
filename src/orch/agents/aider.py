"""aider: `aider --message …`: text for people.

Source: real output of 0.86. Tokens stand in a line of their own, cost behind it where the model has a
price. It ends with 0 on errors of its provider too: they are lines that begin with `litellm.`
"""

from __future__ import annotations

import re

from orch.agents import environment, output
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Options as Options, Program, maker
from orch.agents.words import printable
from orch.model.report import Capabilities, Failure, Report

PLUGIN_API = 1

_TOKENS = re.compile(
    r"^Tokens: ([\d.,]+)(k?|M) sent(?:, [\d.,]+[kM]? cache \w+)*, ([\d.,]+)(k?|M) received\."
    r"(?: Cost: \$(\d{1,9}(?:\.\d{1,9})?) message)?"
)
_ERROR = re.compile(r"^(?:litellm\.)?(\w{1,60}(?:Error|Exception)): (.{1,2000})$")
_NAMED = {
    "RateLimitError": "rate_limit", "AuthenticationError": "auth", "PermissionDeniedError": "auth",
    "ContextWindowExceededError": "context_overflow", "NotFoundError": "unknown_model",
    "InternalServerError": "server_error", "ServiceUnavailableError": "server_error",
    "APIConnectionError": "server_error", "Timeout": "server_error", "BudgetExceededError": "budget",
}  # fmt: skip
_HEAD = re.compile(
    r"^(?:Aider v|Main model|Weak model|Model|Git repo|Repo-map|Added|Applied edit|Commit"
    r"|https://aider\.chat|You can use|Use /help|Creating empty|Cost)"
)
_UNITS = {"": 1, "k": 1000, "M": 1_000_000}


def read(stdout: bytes, stderr: bytes) -> Report:
    kept: list[str] = []
    sent: list[int] = []
    received: list[int] = []
    cost: list[float] = []
    failure: Failure | None = None
    for line in printable(stdout[-4 * 1024 * 1024 :].decode("utf-8", "replace")).split("\n"):
        if spent := _TOKENS.match(line):
            sent.append(_count(spent[1], spent[2]))
            received.append(_count(spent[3], spent[4]))
            cost += [float(spent[5])] if spent[5] else []
            failure = None
        elif wrong := _ERROR.match(line):
            failure = output.failed(wrong[2], named=_NAMED.get(wrong[1], ""))
        elif not _HEAD.match(line):
            kept.append(line)
    return Report(
        text="\n".join(kept).strip()[-output.TEXT_LIMIT :],
        tokens_in=output.total(*sent),
        tokens_out=output.total(*received),
        usd=output.total(*cost),
        failure=failure,
        closed=bool(sent),
    )


def _count(number: str, unit: str) -> int:
    try:
        return int(float(number.replace(",", "")) * _UNITS[unit])
    except ValueError:
        return 0


_OWN = {"aider.conf.yml": "{}\n", "aider.env": ""}
"""Settings and variables that it reads in the place of the repository's, which may name commands."""


def _line(call: Call) -> Line:
    request, files = call.request, {} if call.request.trusted else dict(_OWN)
    config, variables = (f"{request.directory}/{name}" for name in _OWN)
    own = ("--config", config, "--env-file", variables) if files else ()
    words = (
        "--message-file", environment.prompt_file(request), "--yes-always", "--no-check-update",
        "--no-show-model-warnings", "--analytics-disable", "--no-auto-commits", "--no-gitignore",
        "--no-pretty", "--no-stream", *own, *call.chosen,
    )  # fmt: skip
    return Line(words, files=files)


PROGRAM = Program(
    "aider", _line, read, flag="--model",
    takes=(
        "OPENAI_API_KEY", "OPENAI_API_BASE", "ANTHROPIC_API_KEY", "DEEPSEEK_API_KEY",
        "OPENROUTER_API_KEY", "GEMINI_API_KEY",
    ),
    can=Capabilities(cost="tokens"),
    signs=Signs(()),
    proven="0.86.2", install="pip install aider-chat", sign_in="export the key of a provider",
)  # fmt: skip
make = maker(PROGRAM)
