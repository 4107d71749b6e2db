"""A text asked for in the person's own editor.

Invariant: the editor is started as words, never by a shell; the text lies in a directory that only
its owner can enter, and is gone afterwards.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from orch.model.errors import ToolFailed, UsageError

SCISSORS = "# ------------------------ >8 ------------------------"


def written(environ: Mapping[str, str], explanation: str) -> str:
    """What the person wrote above `explanation`, without blank ends; empty for nothing.

    `ToolFailed(editor_failed)` when the editor could not be run, or said that it failed.
    """
    words = environ.get("VISUAL") or environ.get("EDITOR") or ""
    try:
        argv = shlex.split(words)
    except ValueError as error:
        raise _failed(words, str(error)) from error
    if not argv:
        raise UsageError(
            "no editor is known: neither VISUAL nor EDITOR is set", code="no_editor",
            hint="--message TEXT, or: export EDITOR=vi",
        )  # fmt: skip
    below = "\n".join(f"# {line}" for line in explanation.splitlines())
    with tempfile.TemporaryDirectory(prefix="orch-edit-") as folder:
        file = Path(folder, "text.md")
        file.write_text(f"\n\n{SCISSORS}\n{below}\n", encoding="utf-8")
        try:
            done = subprocess.run([*argv, str(file)], check=False)
        except OSError as error:
            raise _failed(words, error.strerror or str(error)) from error
        if done.returncode:
            raise _failed(words, f"it ended with exit code {done.returncode}")
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _failed(words, "what it left cannot be read as UTF-8 text") from error
    return text.partition(SCISSORS)[0].strip()


def _failed(words: str, reason: str) -> ToolFailed:
    return ToolFailed(
        f"the editor {words!r} failed: {reason}; nothing was changed", code="editor_failed",
        hint="--message TEXT",
    )  # fmt: skip
