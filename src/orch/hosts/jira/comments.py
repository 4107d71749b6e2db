"""What is said below an issue, all of it, oldest first.

Invariant: on Cloud a comment comes with its property of ours; on Data Center, where our mark is in
the text, without. A list is whole or an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orch.hosts.failures import Missing, Unknown, Unreadable
from orch.hosts.jira import shapes
from orch.hosts.jira.shapes import Comment, CommentPage
from orch.hosts.service import Query, segment

if TYPE_CHECKING:
    from orch.hosts.jira.client import Jira

_PAGE = 100
_MOST_IDS = 1000
"""`comment/list` takes no more at once."""


class Comments:
    def __init__(self, jira: Jira) -> None:
        self._jira = jira

    def of(self, key: str) -> list[Comment]:
        """All of one issue, without their properties."""
        found: dict[str, Comment] = {}
        seen = 0
        while True:
            query: Query = {"startAt": seen, "maxResults": _PAGE, "orderBy": "created"}
            page = self._jira.caller.read(self._at(key), shapes.Comments, query)
            found.update((one.id, one) for one in page.comments)
            seen += len(page.comments)
            if seen >= page.total:
                return list(found.values())
            if not page.comments:
                raise Unreadable(f"The comments of {key} end before their last page.")

    def marked(self, comments: Sequence[Comment]) -> list[Comment]:
        """The same with their properties; who is gone meanwhile is left out."""
        if not self._jira.cloud:
            return list(comments)
        found: list[Comment] = []
        for at in range(0, len(comments), _MOST_IDS):
            ids = [int(one.id) for one in comments[at : at + _MOST_IDS] if one.id.isdigit()]
            path = f"{self._jira.api}/comment/list"
            page = self._jira.caller.inquire(
                path, CommentPage, {"ids": ids}, {"expand": "properties"}
            )
            found += page.values
        return sorted(found, key=lambda one: int(one.id))

    def create(self, key: str, body: Any, properties: Mapping[str, Any]) -> Comment | Unknown:
        return self._jira.caller.write("POST", self._at(key), Comment, _body(body, properties))

    def update(
        self, key: str, comment: str, body: Any, properties: Mapping[str, Any]
    ) -> Comment | Unknown:
        """Safe to repeat. `Missing` where a person has deleted it."""
        path = f"{self._at(key)}/{segment(comment)}"
        return self._jira.caller.write("PUT", path, Comment, _body(body, properties))

    def delete(self, key: str, comment: str) -> Unknown | None:
        """Safe to repeat; what is gone already is gone."""
        try:
            return self._jira.caller.write(
                "DELETE", f"{self._at(key)}/{segment(comment)}", type(None)
            )
        except Missing:
            return None

    def _at(self, key: str) -> str:
        return f"{self._jira.api}/issue/{segment(key)}/comment"


def _body(body: Any, properties: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"body": body}
    if properties:
        told["properties"] = [{"key": name, "value": value} for name, value in properties.items()]
    return told
