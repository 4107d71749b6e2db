"""The attempts that a person's word means.

Invariant: the same word means the same attempts in every command.
"""

from __future__ import annotations

from collections.abc import Iterable

from orch.model.attempt import Attempt
from orch.model.errors import NotFound
from orch.model.run import Run


def means(word: str, attempt: Attempt) -> bool:
    """An agent's name, an attempt's name, role or id (a prefix will do); no word means all."""
    if not word or word in (attempt.agent, attempt.name, attempt.role):
        return True
    return attempt.id.startswith(word)


def named(run: Run, attempts: Iterable[Attempt], word: str) -> list[Attempt]:
    """Those of the run's attempts that `word` means; refused when there are none (but not for no
    word at all)."""
    attempts = list(attempts)
    found = [attempt for attempt in attempts if means(word, attempt)]
    if word and not found:
        known = ", ".join(sorted({a.name or a.agent or a.role for a in attempts})) or "none"
        raise NotFound(
            f"run {run.id} has no agent {word!r} (there are: {known})",
            code="unknown_agent", hint=f"orch show {run.id}",
        )  # fmt: skip
    return found
