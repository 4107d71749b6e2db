"""The board (Projects v2) on which a source's issues show how their tasks stand.

Invariant: what is configured is proven before anything is changed; a state that has no word on the
board moves no card.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from orch.hosts.github.boards import FIELD
from orch.hosts.service import sure
from orch.model import typed
from orch.model.errors import ConfigError
from orch.model.task import TaskState

if TYPE_CHECKING:
    from orch.hosts.github.client import GitHub
    from orch.hosts.github.facts import Board

_STATES = get_args(TaskState)


class BoardOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options.board` of a source: the project `number` of `owner`; `statuses` gives the choice of
    its `field` for states of ours."""

    owner: str
    number: int
    field: str = FIELD
    statuses: dict[str, str] = {}


def options_of(source: str, given: Any) -> BoardOptions | None:
    """What is configured, None where nothing is. `ConfigError(bad_board)`."""
    if given is None:
        return None
    try:
        found = typed.convert(given, BoardOptions)
    except msgspec.ValidationError as error:
        raise _bad(source, str(error)) from error
    if strange := [state for state in found.statuses if state not in _STATES]:
        raise _bad(source, f"{strange[0]!r} is no state (those are {', '.join(_STATES)})")
    return found


class Cards:
    """Moves cards for one source."""

    def __init__(self, github: GitHub, options: BoardOptions) -> None:
        self._github, self._options = github, options
        self._lock = threading.Lock()
        self._board: Board | None = None

    def shows(self, state: TaskState) -> bool:
        """Whether the board has a word for it."""
        return state in self._options.statuses

    def put(self, node: str, state: TaskState) -> None:
        """The card of the issue with that node id says `state`, which the board shows."""
        options = self._options
        word = options.statuses[state]
        with self._lock:
            if self._board is None:
                self._board = self._github.boards.find(
                    options.owner, options.number, field=options.field
                )
            board = self._board
        sure(self._github.boards.put(board, node, word, field=options.field))


def _bad(source: str, why: str) -> ConfigError:
    return ConfigError(
        f"The board of the source {source} cannot be used: {why.rstrip('.')}.",
        code="bad_board",
        hint=f'[sources.{source}.options] board = {{ owner = "OWNER", number = 1,'
        ' statuses = { done = "Done" } }',
    )
