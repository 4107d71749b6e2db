"""GitHub Copilot CLI: `copilot -p … --output-format json`: some forty kinds of events.

Source: real output of 1.0. Errors are `session.error` with a type and a status; retries before it are
`session.info` and `model.call_failure`, which are no failures. Neither tokens nor US dollars are told
(premium requests are); the text of the key is masked everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orch.agents import output, rules
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Options as Options, Program, maker, on_the_line
from orch.agents.words import one_line
from orch.model.report import Action, Capabilities, Failure, Report

PLUGIN_API = 1

_NAMED = {"rate_limit": "rate_limit", "quota": "usage_window", "authentication": "auth"}


def read(stdout: bytes, stderr: bytes) -> Report:
    text = model = ""
    last: dict[str, Any] = {}
    errors: list[Failure] = []
    denials: list[dict[str, Any]] = []
    for one in output.records(stdout):
        kind, data = one.get("type"), output.table(one, "data")
        if kind == "assistant.message":
            text, model, errors = output.words(data, "content"), output.words(data, "model"), []
        elif kind == "session.error":
            named = _NAMED.get(output.words(data, "errorType"), "")
            status = output.count(data, "statusCode")
            errors.append(output.failed(output.words(data, "message"), status=status, named=named))
        elif kind == "tool.execution_complete" and _refused(data):
            tool, given = output.words(data, "toolName"), output.table(data, "arguments")
            denials.append(output.denial(tool, given, output.words(data, "error", "message")))
        elif kind == "result":
            last = one
    return Report(
        text=text,
        session=output.words(last, "sessionId"),
        model=model[:200],
        duration_ms=output.count(last, "usage", "sessionDurationMs"),
        denials=tuple(denials),
        failure=output.worst(errors),
        closed=bool(last),
    )


def _refused(data: dict[str, Any]) -> bool:
    return data.get("success") is False and output.words(data, "error", "code") in (
        "denied", "rejected", "permission_denied",
    )  # fmt: skip


def acts(record: dict[str, Any]) -> Iterator[Action]:
    """What a record of the stream says that it does."""
    data = output.table(record, "data")
    if record.get("type") == "assistant.message":
        yield from output.message(output.words(data, "content"))
    elif record.get("type") == "tool.execution_start":
        yield output.call(output.words(data, "toolName"), output.table(data, "arguments"))
    elif record.get("type") == "assistant.turn_retry":
        reason = one_line(output.words(data, "reason"), 60) or "none"
        yield Action(kind="retry", text=f"no answer ({reason})")
    elif record.get("type") == "tool.execution_complete":
        code = output.count(data, "shellExecution", "exitCode")
        if data.get("success") is False or code:
            said = output.words(data, "error", "message") or output.words(data, "result", "content")
            exited = f"exit code {code}: " if code else ""
            yield from output.wrong(exited + said, output.words(data, "toolName"))
    elif record.get("type") == "session.error":
        yield from output.wrong(output.words(data, "message"))


def _denied(call: Call) -> Iterator[str]:
    """The commands that are forbidden, as it has them: `shell(words:*)` is every command that begins
    with these words, whole ones. So any option at all stands for what comes before it; a `*` further
    inside cannot be said. A folder that is left it asks for by itself."""
    for tool, pattern in map(rules.read, call.deny):
        begins = pattern.removesuffix("*")
        words = begins.rstrip("-").split() if begins != pattern else begins.split()
        if tool != "Bash" or set("()*") & set(begins) or words[:1] == ["cd"]:
            continue
        yield f"shell({' '.join(words)}:*)" if words else "shell"


def _line(call: Call) -> Line:
    """What a repository brings along is loaded only with `--trust-folder`, which it does not take for
    a conversation that is gone on with."""
    request = call.request
    return Line((
        "--output-format", "json", "--allow-all-tools", "--no-color", *call.chosen,
        *(word for rule in dict.fromkeys(_denied(call)) for word in ("--deny-tool", rule)),
        *(("--trust-folder",) if request.trusted and not request.session else ()),
        *((f"--resume={request.session}",) if request.session else ()),
        "-p", on_the_line(request),
    ))  # fmt: skip


PROGRAM = Program(
    "copilot", _line, read, flag="--model",
    takes=(
        "COPILOT_HOME", "COPILOT_MODEL", "COPILOT_OFFLINE", "COPILOT_PROVIDER_API_KEY",
        "COPILOT_PROVIDER_BASE_URL",
    ),
    sets={"COPILOT_AUTO_UPDATE": "false"},
    can=Capabilities(stream=True, resume=True, tool_rules=True),
    signs=Signs(("COPILOT_PROVIDER_API_KEY",)),
    acts=acts,
    proven="1.0.102", install="npm install -g @github/copilot", sign_in="copilot login",
)  # fmt: skip
make = maker(PROGRAM)
