"""What programs ask a person, and the answers: files of the attempt (`orch.agents.inside.asking`).

Invariant: an answer is written once and whole; a second one is refused, whoever comes second. What a
program wrote that is no question is passed over: it can only hurt its own attempt.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from orch.model import typed
from orch.model.question import Answer, Question
from orch.terminals import files

_ASKED = re.compile(r"ask-([0-9a-f]{8})\.json", re.ASCII)
LIMIT = 256 * 1024
WORDS = 500
"""Characters of a question that are kept."""
MOST = 1000
"""Questions of one attempt that are looked at."""
_question = typed.decoder(Question)
_answer = typed.decoder(Answer)


def open_questions(directory: Path) -> list[Question]:
    """Those without an answer, oldest first."""
    found = []
    for identifier in _identifiers(directory):
        if answer(directory, identifier) is not None:
            continue
        raw, _ = files.part(directory, f"ask-{identifier}.json", 0, LIMIT)
        try:
            question = _question.decode(raw)
        except msgspec.DecodeError:
            continue
        if question.id == identifier:
            # Its words are the agent's: a line of a list must stay one line.
            line, tool = (" ".join(text.split())[:WORDS] for text in (question.text, question.tool))
            found.append(msgspec.structs.replace(question, text=line, tool=tool))
    return sorted(found, key=lambda one: (one.asked_at, one.id))


def answer(directory: Path, identifier: str) -> Answer | None:
    """What was answered to a question; None for nothing yet."""
    raw, _ = files.part(directory, f"answer-{identifier}.json", 0, LIMIT)
    try:
        return _answer.decode(raw)
    except msgspec.DecodeError:
        return None


def put_answer(directory: Path, identifier: str, given: Answer) -> bool:
    """Write the answer and wake who waits; False when there was one before."""
    if not re.fullmatch(r"[0-9a-f]{8}", identifier):
        return False
    mine = files.put_new(directory, f"answer-{identifier}.json", msgspec.json.encode(given))
    try:
        wake = os.open(directory / f"wake-{identifier}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return mine  # nobody waits now; whoever asks again finds it
    try:
        os.write(wake, b"!")
    except BlockingIOError:
        return mine  # it is full of wakes
    finally:
        os.close(wake)
    return mine


def _identifiers(directory: Path) -> list[str]:
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(match[1] for name in names if (match := _ASKED.fullmatch(name)))[:MOST]
