"""A question of an agent to a person: written into the attempt's directory, and waited for.

Invariant: a question is a whole file before anybody can see it, and its answer counts once: whoever
asks the same again (the same key) gets the answer that was given. Waiting costs nothing: a named
pipe tells of the answer. Standard library only: a new process comes for every tool call.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SAFETY_S = 30.0
"""Between two looks for an answer of which nobody told."""
INPUT_LIMIT = 16 * 1024


def ask(directory: str, key: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """Ask and wait for the answer: `{"decision": "approve"|"deny"|"answer", "text", "by", "at"}`.

    `question` is `{"kind": "permission"|"question", "text", "tool", "input", "options"}` as in
    `orch.model.question.Question`; `key` says which question of the attempt it is.
    """
    identifier = named(directory, key)
    pipe = f"{directory}/wake-{identifier}"
    try:
        os.mkfifo(pipe, 0o600)
    except FileExistsError:
        pass  # it was asked before
    # Held open for writing too: a pipe without a writer is at its end and wakes for ever.
    wake = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _put(f"{directory}/ask-{identifier}.json",
             {**question, "id": identifier, "asked_at": time.time()})  # fmt: skip
        while True:
            answer = answered(directory, identifier)
            if answer is not None:
                return answer
            if select.select([wake], [], [], SAFETY_S)[0]:
                os.read(wake, 4096)
    finally:
        os.close(wake)


def named(directory: str, key: str) -> str:
    """The id of a question."""
    return hashlib.sha256(f"{directory}\0{key}".encode("utf-8", "replace")).hexdigest()[:8]


def settle(directory: str, identifier: str, answer: Mapping[str, Any]) -> None:
    """Answer a question and wake whoever waits for it; the first answer stays."""
    _put(f"{directory}/answer-{identifier}.json", answer)
    try:
        pipe = os.open(f"{directory}/wake-{identifier}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # nobody waits any more
    try:
        os.write(pipe, b"\n")
    finally:
        os.close(pipe)


def answered(directory: str, identifier: str) -> dict[str, Any] | None:
    """The answer to a question; None while there is none."""
    try:
        with open(f"{directory}/answer-{identifier}.json", encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    return found if isinstance(found, dict) else None


def _put(path: str, record: Mapping[str, Any]) -> None:
    """Whole, or not at all; the first one stays."""
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(record, file)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
