"""Qwen Code: `qwen -p … -o json` or `stream-json`: the form of Claude Code, with its own errors.

Source: real output of 0.24. `error.message` is `[API Error: STATUS WORDS]`; tokens read from a cache
are counted in the input too; no cost is told. What its last record counts is the whole conversation,
so that an attempt that went on with one is counted by its own messages.

What is forbidden it takes in our own form. Without trust, settings of the attempt stand in the place
of the system's (`QWEN_CODE_SYSTEM_SETTINGS_PATH`) and say that no folder is trusted but those of an
empty list: so the repository's settings, hooks, servers and `.env` stay out. Its modes stay out as
well: the tools of `_TOOLS` are allowed one by one, and it connects to no server at all. It has no
switch that keeps it from writing its version into a `.qwen/settings.json` of the worktree that says
none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from orch.agents import claude, output
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Options as Options, Program, maker
from orch.model.report import Action, Capabilities, Report

PLUGIN_API = 1


def read(stdout: bytes, stderr: bytes) -> Report:
    report = claude.read(stdout, stderr)
    failed = report.failure
    if failed is not None:
        bare = failed.words.removeprefix("[API Error: ").removesuffix("]")
        failed = msgspec.structs.replace(failed, words=bare.replace(".] ", ". "))
    report = msgspec.structs.replace(report, cached_within=True, failure=failed)
    used = [output.table(one, "message", "usage") for one in output.records(stdout)
            if one.get("type") == "assistant"]  # fmt: skip
    if not any(used):
        return report
    return msgspec.structs.replace(
        report,
        tokens_in=output.total(*(output.count(one, "input_tokens") for one in used)),
        tokens_out=output.total(*(output.count(one, "output_tokens") for one in used)),
        cached_in=output.total(*(output.count(one, "cache_read_input_tokens") for one in used)),
    )


_TOOLS = (
    "run_shell_command", "monitor", "edit", "write_file", "notebook_edit", "web_fetch", "agent",
)  # fmt: skip
"""What it would ask a person for."""
_SETTINGS = json.dumps({"$version": 4, "security": {"folderTrust": {"enabled": True}}})


def acts(record: dict[str, Any]) -> Iterator[Action]:
    """What a record of the stream says that it does."""
    yield from claude.doings(record)
    for used, call in claude.counted(record):
        yield from output.used(
            output.count(used, "input_tokens"), output.count(used, "output_tokens"),
            output.count(used, "cache_read_input_tokens"), within=True, call=call,
        )  # fmt: skip


def _line(call: Call) -> Line:
    request = call.request
    words, env, files = ["-o", "stream-json"], {}, {}
    if request.trusted:
        words.append("--yolo")
    else:
        files = {"qwen-settings.json": _SETTINGS, "qwen-folders.json": "{}"}
        env = {
            "QWEN_CODE_SYSTEM_SETTINGS_PATH": f"{request.directory}/qwen-settings.json",
            "QWEN_CODE_TRUSTED_FOLDERS_PATH": f"{request.directory}/qwen-folders.json",
        }
        words += [word for tool in _TOOLS for word in ("--allowed-tools", tool)]
    words += [word for rule in call.deny for word in ("--exclude-tools", rule)]
    words += ["--resume", request.session] if request.session else []
    return Line((*words, *call.chosen), env, files)


PROGRAM = Program(
    "qwen", _line, read,
    takes=("DASHSCOPE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"),
    can=Capabilities(stream=True, resume=True, cost="tokens", tool_rules=True),
    signs=Signs(("OPENAI_API_KEY", "DASHSCOPE_API_KEY"), ("oauth_creds.json",), ".qwen"),
    acts=acts,
    proven="0.24.4", install="npm install -g @qwen-code/qwen-code", sign_in="qwen",
)  # fmt: skip
make = maker(PROGRAM)
