"""Linear's GraphQL API, as far as Orch uses it.

Invariants:

- What we make has an id that we chose (`made_id`), so that nothing is ever made twice: Linear
  refuses an id that it has already.
- Lists are read by cursors over the time of creation, which does not change meanwhile (H93).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from orch.hosts.dialect import Dialect
from orch.hosts.failures import Missing, Unreadable
from orch.hosts.linear import documents
from orch.hosts.linear.shapes import (
    CLOSED,
    Comment,
    Happening,
    Issue,
    Label,
    Member,
    Person,
    State,
    Team,
    complete,
)
from orch.hosts.service import Found, Service, sure

T = TypeVar("T")

LINEAR = Dialect(
    service="Linear",
    public="https://api.linear.app",
    api="/graphql",
    variable="LINEAR_API_KEY",
    scheme="",
    bearer_prefix="lin_oauth_",
    limits=(
        "x-ratelimit-requests-limit",
        "x-ratelimit-requests-remaining",
        "x-ratelimit-requests-reset",
    ),
    rights="Give the key the permissions Read, Write, Create issues and Create comments"
    " for the team.",
)
LONGEST = 60_000
LONGEST_TITLE = 250
_FEW: Mapping[str, int] = {"labels": 20, "relations": 10}
_MANY: Mapping[str, int] = {"labels": 250, "relations": 250}


class Linear:
    """Calls over a `Service`. Writes raise `ToolFailed(outcome_unknown)` where nobody knows what
    became of them: the same call again looks first."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._me: Person | None = None

    # --- people and teams

    def me(self) -> Person:
        """Whose credential this is; asked once."""
        if self._me is None:
            self._me = self._part(documents.VIEWER, {}, Person, "viewer")
        return self._me

    def team(self, key: str) -> Team:
        """`Missing` where there is none, or none that this credential may see."""
        found = self._part(documents.TEAM, {"key": key.upper()}, list[Team], "teams", "nodes")
        if not found:
            raise Missing(
                f"{self.service.place.name} shows no team {key[:80]!r}.",
                hint="See that it is there, and that the key may see it.",
            )
        return found[0]

    def member(self, team: str, user: str) -> Member | None:
        asked = {"team": team, "user": user}
        found = self._part(documents.MEMBER, asked, list[Member], "team", "members", "nodes")
        return found[0] if found else None

    def states(self, team: str) -> list[State]:
        """The team's workflow, in its order."""
        found = self._all(documents.STATES, {"team": team}, State, "team", "states")
        return sorted(found, key=lambda one: one.position)

    # --- labels

    def label_ids(self, team: str, names: list[str], colour: Callable[[str], str]) -> list[str]:
        """Their ids; labels that the team cannot use yet are made in it."""
        if not names:
            return []
        known = self._labels(team)
        for name in names:
            if name.lower() not in known:
                made = {"name": name, "color": f"#{colour(name)}", "teamId": team}
                label = self._done(documents.CREATE_LABEL, {"input": made}, Label, "issueLabelCreate",
                                   "issueLabel")  # fmt: skip
                known[name.lower()] = label.id
        return [known[name.lower()] for name in names]

    def _labels(self, team: str) -> dict[str, str]:
        """Those of the team, and of all teams; a team's own goes first. Groups are no labels."""
        found = self._all(documents.LABELS, {}, Label, "issueLabels")
        usable = [one for one in found if not one.is_group
                  and (one.team is None or one.team.id == team)]  # fmt: skip
        usable.sort(key=lambda one: one.team is not None)
        return {one.name.lower(): one.id for one in usable}

    # --- issues

    def issue(self, id: str) -> Found[Issue]:
        """By its id or identifier, all of it. `Missing`."""
        asked = {"id": id, **_MANY}
        found = self.service.found(self._part(documents.ISSUE, asked, msgspec.Raw, "issue"), Issue)
        complete(found.issue)
        return found

    def issues(self, team: str, since: str) -> list[Found[Issue]]:
        """Changed at or after `since`, archived ones too; without it all that are open."""
        chosen: dict[str, Any] = {"team": {"id": {"eq": team}}}
        if since:
            chosen["updatedAt"] = {"gte": since}
        else:
            chosen["state"] = {"type": {"nin": [*CLOSED]}}
        asked = {"filter": chosen, "archived": bool(since), **_FEW}
        rows = self._all(documents.ISSUES, asked, msgspec.Raw, "issues")
        found = [self.service.found(raw, Issue) for raw in rows]
        by_id = {one.issue.id: one for one in found}
        return [one if one.issue.whole else self.issue(one.issue.id) for one in by_id.values()]

    def create_issue(self, fields: Mapping[str, Any]) -> None:
        self._do(documents.CREATE_ISSUE, {"input": fields}, "issueCreate")

    def change_issue(self, id: str, **fields: Any) -> None:
        self._do(documents.UPDATE_ISSUE, {"id": id, "input": fields}, "issueUpdate")

    def history(self, id: str) -> tuple[Person | None, str, list[Happening]]:
        """Who made it and when, and what happened since, oldest first."""
        made: list[_Made] = []
        found = self._all(documents.HISTORY, {"id": id}, Happening, "issue", "history", made=made)
        found.sort(key=lambda one: one.created_at)
        return made[0].creator, made[0].created_at, found

    # --- comments

    def comment(self, id: str) -> Comment | None:
        try:
            found = self._part(documents.COMMENT, {"id": id}, Comment, "comment")
        except Missing:
            return None
        return None if found.archived_at else found

    def comments_changed(self, team: str, since: str) -> list[Comment]:
        chosen = {"issue": {"team": {"id": {"eq": team}}}, "updatedAt": {"gte": since}}
        return self._all(documents.COMMENTS, {"filter": chosen}, Comment, "comments")

    def create_comment(self, fields: Mapping[str, Any]) -> None:
        self._do(documents.CREATE_COMMENT, {"input": fields}, "commentCreate")

    def edit_comment(self, id: str, body: str) -> None:
        asked = {"id": id, "input": {"body": body}}
        self._do(documents.UPDATE_COMMENT, asked, "commentUpdate")

    # --- how

    def _part(self, text: str, variables: Mapping[str, Any], shape: type[T], *path: str) -> T:
        """What stands at `path` of the answer."""
        name = _name(text)
        whole: Any = self.service.ask(name, text, dict[str, msgspec.Raw], variables)
        return self._at(whole, shape, name, *path)

    def _at(self, whole: dict[str, msgspec.Raw], shape: type[T], name: str, *path: str) -> T:
        raw = msgspec.Raw(b"null")
        for number, step in enumerate(path):
            if number:
                whole = self.service.shaped(raw, dict[str, msgspec.Raw], name)
            raw = whole.get(step, msgspec.Raw(b"null"))
        return self.service.shaped(raw, shape, name)

    def _all(
        self, text: str, variables: Mapping[str, Any], shape: type[T], *path: str,
        made: list[_Made] | None = None,
    ) -> list[T]:  # fmt: skip
        """Every item of a connection. `made` gets what stands around it, where that is asked for."""
        name, found, after = _name(text), [], None
        while True:
            asked = {**variables, "after": after}
            whole: Any = self.service.ask(name, text, dict[str, msgspec.Raw], asked)
            page = self._at(whole, _Connection, name, *path)
            found += self.service.shaped(page.nodes, list[shape], name)  # type: ignore[valid-type]
            if made is not None:
                made.append(self._at(whole, _Made, name, path[0]))
            if not page.page_info.has_next_page:
                return found
            if not page.page_info.end_cursor or page.page_info.end_cursor == after:
                raise Unreadable(f"The pages of {name} lead in a circle.")
            after = page.page_info.end_cursor

    def _done(self, text: str, variables: Mapping[str, Any], shape: type[T], *path: str) -> T:
        whole = sure(self.service.tell(_name(text), text, dict[str, msgspec.Raw], variables))
        return self._at(whole, shape, _name(text), *path)

    def _do(self, text: str, variables: Mapping[str, Any], field: str) -> None:
        if not self._done(text, variables, bool, field, "success"):
            raise Unreadable(f"{self.service.place.name} says that {_name(text)} had no success.")


class _PageInfo(msgspec.Struct, rename="camel"):
    has_next_page: bool
    end_cursor: str | None = None


class _Connection(msgspec.Struct, rename="camel"):
    nodes: msgspec.Raw
    page_info: _PageInfo


class _Made(msgspec.Struct, rename="camel"):
    created_at: str
    creator: Person | None = None


def made_id(*words: str) -> str:
    """The id (a UUID of version 4 in form, as Linear wants them) of what is made for these words."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _name(text: str) -> str:
    return text.split(None, 2)[1].partition("(")[0]
