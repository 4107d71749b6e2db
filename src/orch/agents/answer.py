"""An answer of an agreed shape: found in what the agent left, and held against its JSON Schema.

Invariant: an answer that is not there (`answer_absent`) and one that does not fit (`answer_invalid`)
are told apart; neither is ever guessed. The result file comes first; of the output only what stands
last is looked at, so that JSON the agent worked on is not taken for its answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from orch.agents.words import one_line, tail
from orch.model.attempt import Verdict
from orch.ports import AttemptFacts
from orch.workflow import shapes

LIMIT = 1024 * 1024
_FENCED = re.compile(r"(?:^|\n)(`{3,}|~{3,})[^\n]*\n(.*?)\n\1[ \t]*\s*$", re.DOTALL)
HINT = "the prompt asked for JSON in the file that ORCH_RESULT_FILE names, or printed last"


class Found(NamedTuple):
    """A JSON value, or the words for why there is none; `broken` when there was something."""

    value: Any = None
    problem: str = ""
    broken: bool = False


def verdict(schema: Mapping[str, Any], facts: AttemptFacts, *, agent: str) -> Verdict:
    """What an attempt that ended well has answered."""
    found = _found(facts)
    if found.problem:
        code = "answer_invalid" if found.broken else "answer_absent"
        sentence = f"the agent {agent} ended well, but {found.problem}"
        return Verdict(ok=False, code=code, message=sentence, hint=HINT)
    complaint = shapes.complaints(found.value, schema)
    if complaint:
        sentence = f"the answer of agent {agent} does not fit: {complaint}"
        return Verdict(ok=False, code="answer_invalid", message=sentence, hint=HINT)
    return Verdict(ok=True, value=found.value)


def _found(facts: AttemptFacts) -> Found:
    text = facts.result_text
    if text is not None and text.strip():
        return _decoded(text.removeprefix("\ufeff"), "its result file")
    printed = tail(facts.stdout, LIMIT).strip()
    if not printed:
        return Found(problem="it gave no answer")
    fenced = _FENCED.search(printed)
    if fenced:
        return _decoded(fenced[2], "the block it printed last")
    for at in _starts(printed):
        try:
            value, end = json.JSONDecoder(parse_constant=_refuse).raw_decode(printed, at)
        except (ValueError, RecursionError):
            continue
        if end == len(printed):
            return Found(value)
    return Found(problem="what it printed does not end with a JSON value")


def _starts(text: str) -> list[int]:
    """Where a JSON value that ends the text may begin: at a line's begin, the first one first."""
    lines = [0, *(match.end() for match in re.finditer(r"\n[ \t]*", text))]
    return [at for at in lines if at < len(text) and text[at] in '{["-0123456789tfn']


def _decoded(text: str, where: str) -> Found:
    if len(text) > LIMIT:
        return Found(problem=f"{where} is larger than 1 MiB", broken=True)
    try:
        return Found(json.loads(text, parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        return Found(problem=f"{where} is not JSON: {one_line(str(error))}", broken=True)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON value")
