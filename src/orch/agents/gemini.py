"""Gemini CLI: `gemini -p … -o json` or `stream-json`.

Source: real output of 0.61. Errors are JSON on stderr, behind other lines; the exit code is the HTTP
status modulo 256, 41 without a sign-in, and 0 after SIGTERM. No cost is told.

What is forbidden is a policy file of the attempt. Without trust `GEMINI_CLI_TRUST_WORKSPACE=false`
keeps the repository's settings, hooks, servers and `.env` out. The price is its own: it reads no
`GEMINI.md` then, connects to no server at all and refuses git commands; and it ends at once (55)
unless `~/.gemini/settings.json` says `{"security": {"folderTrust": {"enabled": false}}}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from orch.agents import output, rules
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Options as Options, Program, maker
from orch.model.report import Action, Capabilities, Failure, Report

PLUGIN_API = 1

_OBJECT = re.compile(rb"^\{", re.MULTILINE)
_ATTEMPT = re.compile(r"^Attempt \d+ failed: (.{1,500})", re.MULTILINE)
_API_ERROR = re.compile(r"\[API Error: (\{.*\}|.*?)\](?:\s|$)", re.DOTALL)
_OBJECTS = 20
_UNTRUSTED = b"not running in a trusted directory"
_TRUST = (
    'Gemini CLI starts in no folder that it does not trust: put {"security": {"folderTrust":'
    ' {"enabled": false}}} into ~/.gemini/settings.json (what the repository brings along stays out'
    " all the same), or trust the repository"
)


def read(stdout: bytes, stderr: bytes) -> Report:
    session = model = ""
    texts: list[str] = []
    stats: dict[str, Any] = {}
    errors: list[Failure] = []
    calls: dict[str, dict[str, Any]] = {}
    denials: list[dict[str, Any]] = []
    closed = False
    for one in output.records(stdout):
        session = output.words(one, "session_id") or session
        kind = one.get("type")
        if kind == "init":
            model = output.words(one, "model")
        elif kind == "message" and one.get("role") == "assistant":
            texts.append(output.words(one, "content"))
        elif kind == "tool_use":
            texts, calls[output.words(one, "tool_id")] = [], one
        elif kind == "tool_result":  # its error is the agent's to get over, not the attempt's
            texts = []
            denials += _refused(one, calls.get(output.words(one, "tool_id"), {}))
            continue
        elif kind == "result" or (kind is None and ("response" in one or "stats" in one)):
            stats, closed = output.table(one, "stats"), True
            texts = [output.words(one, "response")] if "response" in one else texts
        if one.get("error") or one.get("status") == "error":
            errors.append(_error(one.get("error")))
    errors += _on_stderr(stderr, closed=closed)
    models = output.table(stats, "models")
    tokens = [output.table(one, "tokens") for one in models.values()]
    flat = output.count(stats, "input_tokens") is not None
    return Report(
        text="".join(texts),
        session=session,
        model=_busiest(models) or model,
        tokens_in=_sum(stats, "input_tokens", flat, tokens, "prompt"),
        tokens_out=_sum(stats, "output_tokens", flat, tokens, "candidates"),
        cached_in=_sum(stats, "cached", flat, tokens, "cached"),
        cached_within=True,
        duration_ms=output.count(stats, "duration_ms"),
        denials=tuple(denials or _denied(stats)),
        failure=output.worst(errors),
        closed=closed or bool(errors),
    )


def _sum(
    stats: dict[str, Any], name: str, flat: bool, tokens: list[dict[str, Any]], per_model: str
) -> int | None:
    if flat:
        return output.count(stats, name)
    found: int | None = output.total(*(output.count(one, per_model) for one in tokens))
    return found


def _busiest(models: dict[str, Any]) -> str:
    """The one with most tokens: a small one only routes. `auto`, as it calls itself, is none."""
    by_use = {
        name: output.count(one, "tokens", "total") or output.count(one, "total_tokens") or 0
        for name, one in models.items()
    }
    return max(by_use, key=lambda name: by_use[name])[:200] if by_use else ""


def _error(error: Any) -> Failure:
    """`message` may be JSON once more, and stand in `[API Error: …]`."""
    told = output.words(error, "message") or (error if isinstance(error, str) else "")
    if (found := _API_ERROR.match(told)) is not None:
        told = found[1]
    deeper = output.table(output.decoded(told), "error") if told[:1] == "{" else {}
    status = output.count(deeper, "code") or output.count(error, "code")
    if status is not None and status < 100:  # its own exit code: 41 is "no way to sign in"
        return output.failed(told, named="auth" if status == 41 else "")
    return output.failed(output.words(deeper, "message") or told, status=status)


def _on_stderr(stderr: bytes, *, closed: bool) -> list[Failure]:
    """The error object, which stands last; without one the last of the attempts it tells of."""
    tail = output.end_of(stderr)
    for match in list(_OBJECT.finditer(tail))[:-_OBJECTS:-1]:
        found = output.decoded(tail[match.start() :].strip())
        if isinstance(found, dict) and found.get("error"):
            return [_error(found["error"])]
    if _UNTRUSTED in tail:
        return [output.failed(_TRUST, named="cannot_start")]
    told = _ATTEMPT.findall(tail.decode("utf-8", "replace"))
    if told and not closed:
        return [output.failed(told[-1], named="rate_limit" if "quota" in told[-1] else "")]
    return []


def _refused(result: dict[str, Any], call: dict[str, Any]) -> list[dict[str, Any]]:
    """A call that a policy, or nobody's being there to ask, kept from being made."""
    told = output.words(result, "error", "message")
    policy = output.words(result, "error", "type") == "policy_violation"
    if not policy and "requires user confirmation" not in told:
        return []
    return [output.denial(output.words(call, "tool_name"), output.table(call, "parameters"), told)]


def _denied(stats: dict[str, Any]) -> list[dict[str, Any]]:
    by_name = output.table(stats, "tools", "byName")
    return [
        output.denial(name[:200], {}, "rejected")
        for name, one in by_name.items()
        if output.count(one, "decisions", "reject")
    ]


def acts(record: dict[str, Any]) -> Iterator[Action]:
    """What a record of the stream says that it does."""
    kind = record.get("type")
    if kind == "message" and record.get("role") == "assistant":
        part = record.get("delta") is True
        yield from output.message(output.words(record, "content"), part=part)
    elif kind == "tool_use":
        yield output.call(output.words(record, "tool_name"), output.table(record, "parameters"))
    elif kind == "tool_result" and record.get("status") == "error":
        told = output.words(record, "error", "message") or output.words(record, "output")
        yield from output.wrong(told)
    elif kind == "error" or (kind == "result" and record.get("status") == "error"):
        error = record.get("error") or record.get("message")
        yield from output.wrong(_error(error).words)
    if kind == "result":
        stats = output.table(record, "stats")
        found = (output.count(stats, name) for name in ("input_tokens", "output_tokens", "cached"))
        yield from output.used(*found, within=True)


_TOOLS: dict[str, tuple[str, ...]] = {
    "Bash": ("run_shell_command",), "Read": ("read_file", "read_many_files"),
    "Edit": ("replace", "write_file"), "Write": ("write_file", "replace"), "Glob": ("glob",),
    "Grep": ("grep_search",), "WebFetch": ("web_fetch",), "WebSearch": ("google_web_search",),
}  # fmt: skip
_ALLOW_ALL = """\
[[rule]]
toolName = "*"
decision = "allow"
priority = 1
allowRedirection = true
"""


def _policy(deny: tuple[str, ...], *, allow: bool) -> str:
    """The attempt's policy file. The arguments of a call are matched as the JSON that they are."""
    parts = [_ALLOW_ALL] if allow else []
    for rule in map(rules.read, deny):
        tools = list(_TOOLS.get(rule.tool, (rule.tool,)))
        lines = [f"toolName = {json.dumps(tools)}", 'decision = "deny"', "priority = 900"]
        if rule.pattern:
            pattern = json.dumps(_arguments(rule), ensure_ascii=False)
            lines.append(f"argsPattern = {pattern}")
        parts.append("\n".join(["[[rule]]", *lines, ""]))
    return "\n".join(parts)


def _arguments(rule: rules.Rule) -> str:
    if rule.tool == "Bash":
        return '"command":"' + _regex(rule.pattern)
    field = '"[a-z_]*(?:path|pattern|url|prompt|query)":"'
    if rule.pattern.startswith("domain:"):
        return field + '[^"]*' + _regex(rule.pattern.removeprefix("domain:") + "*")
    inside = "" if rule.pattern.startswith("/") else '(?:[^"]*/)?'
    return field + inside + _regex(rule.pattern)


def _regex(pattern: str) -> str:
    """For the text of a JSON string: its beginning where the pattern ends in a star, else all."""
    pieces = [json.dumps(piece, ensure_ascii=False)[1:-1] for piece in re.split(r"\*+", pattern)]
    text = ".*".join(re.sub(r"[\\^$.|?+()\[\]{}]", r"\\\g<0>", piece) for piece in pieces)
    return text.removesuffix(".*") if pattern.endswith("*") else text + '"'


def _line(call: Call) -> Line:
    request = call.request
    env, mode = {"GEMINI_CLI_TRUST_WORKSPACE": "true"}, "yolo"
    if not request.trusted:  # it takes no other mode there; the policy allows what yolo would
        env, mode = {"GEMINI_CLI_TRUST_WORKSPACE": "false"}, "default"
    files = {"policy.toml": _policy(call.deny, allow=not request.trusted)}
    words = ["-o", "stream-json", "--approval-mode", mode]
    words += ["--admin-policy", f"{request.directory}/policy.toml"]
    words += ["--resume", request.session] if request.session else []
    return Line((*words, *call.chosen), env, files)


PROGRAM = Program(
    "gemini", _line, read,
    takes=(
        "GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION", "GOOGLE_GENAI_USE_VERTEXAI",
    ),
    can=Capabilities(stream=True, resume=True, cost="tokens", tool_rules=True),
    signs=Signs(("GEMINI_API_KEY", "GOOGLE_API_KEY"), ("oauth_creds.json",), ".gemini"),
    acts=acts,
    proven="0.61.0", install="npm install -g @google/gemini-cli", sign_in="gemini",
)  # fmt: skip
make = maker(PROGRAM)
