"""One thing that was found in a workflow's file."""

from __future__ import annotations

import ast
from typing import Literal

import msgspec

Level = Literal["error", "warning"]


class Finding(msgspec.Struct, frozen=True):
    """`line` and `column` count from 1. `code` is stable; `hint` says what to write instead."""

    file: str
    line: int
    column: int
    level: Level
    code: str
    message: str
    hint: str = ""


def at(
    file: str, node: ast.AST, code: str, message: str, hint: str = "", level: Level = "error"
) -> Finding:
    """A finding where `node` stands."""
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
    return Finding(file, line, column, level, code, message, hint)
