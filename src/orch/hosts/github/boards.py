"""Projects (v2): how a thing stands on a board.

Invariant: looked at before anything is changed; each of its writes may be repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orch.hosts.failures import Invalid, Missing, Unknown
from orch.hosts.github import documents
from orch.hosts.github.facts import Board, Card, Option

if TYPE_CHECKING:
    from orch.hosts.github.calls import Caller

FIELD = "Status"


class _Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class _Field(_Shape, frozen=True, kw_only=True):
    """Empty where the field is of another kind than a choice of one."""

    id: str = ""
    options: list[Option] | None = None


class _Project(_Shape, frozen=True, kw_only=True):
    id: str
    number: int
    title: str
    field: _Field | None = None


class _Owner(_Shape, frozen=True, kw_only=True):
    project_v2: _Project | None = msgspec.field(default=None, name="projectV2")


class _BoardAnswer(_Shape, frozen=True, kw_only=True):
    repository_owner: _Owner | None = None


class _Id(_Shape, frozen=True, kw_only=True):
    id: str


class _Value(_Shape, frozen=True, kw_only=True):
    name: str | None = None


class _Item(_Shape, frozen=True, kw_only=True):
    id: str
    project: _Id | None = None
    field_value_by_name: _Value | None = None


class _PageInfo(_Shape, frozen=True, kw_only=True):
    has_next_page: bool
    end_cursor: str | None = None


class _Items(_Shape, frozen=True, kw_only=True):
    page_info: _PageInfo
    nodes: list[_Item | None] | None = None


class _Content(_Shape, frozen=True, kw_only=True):
    project_items: _Items | None = None


class _CardsAnswer(_Shape, frozen=True, kw_only=True):
    node: _Content | None = None


class _Added(_Shape, frozen=True, kw_only=True):
    item: _Id | None = None


class _AddAnswer(_Shape, frozen=True, kw_only=True):
    added: _Added | None = msgspec.field(default=None, name="addProjectV2ItemById")


class Boards:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def find(self, owner: str, number: int, *, field: str = FIELD) -> Board:
        """The board `number` of a person or an organisation, with the choices of its field. `Missing`
        (`host_not_found`; `board_field` where it has no such field of choices)."""
        given = {"owner": owner, "number": number, "field": field}
        answer = self._caller.ask(documents.BOARD, _BoardAnswer, given)
        project = answer.repository_owner.project_v2 if answer.repository_owner else None
        if project is None:
            raise Missing(
                f"{self._caller.address.name} shows no project {number} of {owner}.",
                hint="See that it is there; a token needs the right `project` to see it.",
            )
        if project.field is None or not project.field.id:
            raise Missing(
                f"Project {number} of {owner} has no field {field} of choices.",
                code="board_field",
                hint="Make a single-select field of that name, or configure another one.",
            )
        return Board(
            id=project.id, number=project.number, title=project.title, field=project.field.id,
            options=tuple(project.field.options or ()),
        )  # fmt: skip

    def card(self, board: Board, content: str, *, field: str = FIELD) -> Card | None:
        """Where the issue or PR (by its node id) is on that board, archived or not."""
        after: str | None = None
        while True:
            given = {"id": content, "after": after, "field": field}
            answer = self._caller.ask(documents.CARDS, _CardsAnswer, given)
            items = answer.node.project_items if answer.node else None
            if items is None:
                return None
            for item in items.nodes or ():
                if item and item.project and item.project.id == board.id:
                    value = item.field_value_by_name
                    return Card(id=item.id, board=board.id, status=(value and value.name) or "")
            if not items.page_info.has_next_page or items.page_info.end_cursor in (None, after):
                return None
            after = items.page_info.end_cursor

    def put(self, board: Board, content: str, status: str, *, field: str = FIELD) -> Card | Unknown:
        """On the board with that status. `Invalid(board_option)`: the board has no such choice."""
        option = board.option(status)
        if option is None:
            raise Invalid(
                f"The board {board.title!r} has no choice {status!r}; it has "
                f"{', '.join(one.name for one in board.options) or 'none'}.",
                code="board_option",
                hint="Map the status to one of these in the configuration.",
            )
        card = self.card(board, content, field=field)
        if card is not None and card.status.lower() == option.name.lower():
            return card
        if card is None:
            given = {"projectId": board.id, "contentId": content}
            added = self._caller.tell(documents.ADD_CARD, _AddAnswer, {"input": given})
            if isinstance(added, Unknown):
                return added
            if added.added is None or added.added.item is None:
                raise Missing(f"{self._caller.address.name} did not put it on the board.")
            card = Card(id=added.added.item.id, board=board.id)
        wanted = {
            "projectId": board.id, "itemId": card.id, "fieldId": board.field,
            "value": {"singleSelectOptionId": option.id},
        }  # fmt: skip
        done = self._caller.tell(documents.SET_CARD, dict[str, Any], {"input": wanted})
        if isinstance(done, Unknown):
            return done
        return Card(id=card.id, board=board.id, status=option.name)
