"""Qwen Code: `qwen -p … -o json` or `stream-json`: the form of Claude Code, with its own errors.

Source: real output of 0.24. `error.message` is `[API Error: STATUS WORDS]`; tokens read from a cache
are counted in the input too; no cost is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from orch.agents import claude, output
from orch.agents.looking import Signs
from orch.agents.program import Call, Line, Program, maker
from orch.model.report import Action, Capabilities, Report

PLUGIN_API = 1


def read(stdout: bytes, stderr: bytes) -> Report:
    report = claude.read(stdout, stderr)
    failed = report.failure
    if failed is not None:
        bare = failed.words.removeprefix("[API Error: ").removesuffix("]")
        failed = msgspec.structs.replace(failed, words=bare)
    return msgspec.structs.replace(report, cached_within=True, failure=failed)


def acts(record: dict[str, Any]) -> Iterator[Action]:
    """What a record of the stream says that it does."""
    yield from claude.doings(record)
    last, used = record.get("type") == "result", output.table(record, "message", "usage")
    if last:
        used = output.table(record, "usage")
    elif record.get("type") != "assistant":
        return
    yield from output.used(
        output.count(used, "input_tokens"), output.count(used, "output_tokens"),
        output.count(used, "cache_read_input_tokens"), within=True,
        call="" if last else output.words(record, "message", "id") or "?",
    )  # fmt: skip


def _line(call: Call) -> Line:
    return Line(("-o", "stream-json", "--yolo", *call.chosen))


PROGRAM = Program(
    "qwen", _line, read,
    takes=("DASHSCOPE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"),
    can=Capabilities(stream=True, resume=True, cost="tokens", tool_rules=True),
    signs=Signs(("OPENAI_API_KEY", "DASHSCOPE_API_KEY"), ("oauth_creds.json",), ".qwen"),
    acts=acts,
    proven="0.24.4", install="npm install -g @qwen-code/qwen-code", sign_in="qwen",
)  # fmt: skip
make = maker(PROGRAM)
