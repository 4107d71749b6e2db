"""Issues of a project: found by JQL to their last page, read, made, changed, moved along.

Invariant: a search is whole or an error (H93). It is ordered by key, which nobody can change; where
pages are counted (Data Center), each one has to overlap the one before, or it is read again from
further back: who leaves the answer while it is read pushes nobody out of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from orch.hosts.asking import plain
from orch.hosts.failures import Unknown, Unreadable
from orch.hosts.jira.jql import number
from orch.hosts.jira.shapes import (
    PROPERTY,
    Created,
    Found,
    History,
    HistoryPage,
    Issue,
    Transition,
    Transitions,
)
from orch.hosts.service import segment
from orch.model import typed

if TYPE_CHECKING:
    from orch.hosts.jira.client import Jira

PAGE = 100
FIELDS = (
    "summary", "description", "status", "labels", "priority", "assignee", "reporter", "creator",
    "parent", "issuelinks", "attachment", "fixVersions", "components", "created", "updated",
    "issuetype",
)  # fmt: skip
_CHANGES = "changelog"
_MOST_STEPS_BACK = 1000


class Told(NamedTuple):
    """An issue, and the answer's own text of it."""

    issue: Issue
    raw: bytes


class Issues:
    def __init__(self, jira: Jira, *, page: int = PAGE) -> None:
        self._jira, self._page = jira, page

    def search(
        self, jql: str, *, fields: Sequence[str] = FIELDS, changes: bool = False
    ) -> list[Told]:
        """All that `jql` (without an order) finds, by key. `changes`: with what happened to them."""
        jql = f"{jql} ORDER BY key ASC"
        read = self._by_tokens if self._jira.cloud else self._by_counting
        raws = read(jql, list(fields), changes)
        told = (Told(decoded(raw), bytes(raw)) for raw in raws)
        return list({one.issue.id: one for one in told}.values())

    def first(self, jql: str) -> None:
        """Whether Jira understands `jql`: raises `Invalid` where it does not."""
        body: dict[str, Any] = {"jql": jql, "fields": ["summary"], "maxResults": 1}
        path = "/search/jql" if self._jira.cloud else "/search"
        self._jira.caller.inquire(self._jira.api + path, Found, body)

    def get(self, key: str, *, fields: Sequence[str] = FIELDS) -> Told:
        """As it is now; `Missing`. What was moved is told under its new key."""
        query = {"fields": ",".join(fields), "expand": _CHANGES, "properties": PROPERTY}
        raw = self._jira.caller.read(self._at(key), msgspec.Raw, query)
        return Told(decoded(raw), bytes(raw))

    def histories(self, key: str) -> list[History]:
        """All that happened to it, oldest first."""
        if not self._jira.cloud:
            changelog = self.get(key, fields=("summary",)).issue.changelog
            found = changelog.histories if changelog else []
            return sorted(found, key=lambda one: int(one.id) if one.id.isdigit() else 0)
        found = []
        while True:
            query = {"startAt": len(found), "maxResults": PAGE}
            page = self._jira.caller.read(f"{self._at(key)}/changelog", HistoryPage, query)
            found += page.values
            if page.isLast or len(found) >= page.total:
                return found
            if not page.values:
                raise Unreadable(f"The changes of {key} end before their last page.")

    def create(self, fields: Mapping[str, Any], properties: Mapping[str, Any]) -> Created | Unknown:
        body: dict[str, Any] = {"fields": fields}
        if properties:
            body["properties"] = [{"key": k, "value": v} for k, v in properties.items()]
        return self._jira.caller.write("POST", f"{self._jira.api}/issue", Created, body)

    def edit(self, key: str, update: Mapping[str, Any]) -> Unknown | None:
        """By verbs (`{"labels": [{"add": "x"}]}`), so that nobody else's change is lost."""
        return self._jira.caller.write("PUT", self._at(key), type(None), {"update": update})

    def transitions(self, key: str) -> list[Transition]:
        """Those that its state and our rights allow now, with the fields of their screens."""
        query = {"expand": "transitions.fields"}
        path = f"{self._at(key)}/transitions"
        found = self._jira.caller.read(path, Transitions, query).transitions
        return [one for one in found if one.isAvailable]

    def move(self, key: str, transition: str, fields: Mapping[str, Any]) -> Unknown | None:
        body: dict[str, Any] = {"transition": {"id": transition}}
        if fields:
            body["fields"] = fields
        path = f"{self._at(key)}/transitions"
        return self._jira.caller.write("POST", path, type(None), body)

    # --- pages ------------------------------------------------------------------------------

    def _by_tokens(self, jql: str, fields: list[str], changes: bool) -> list[msgspec.Raw]:
        body: dict[str, Any] = {
            "jql": jql, "fields": fields, "maxResults": self._page, "properties": [PROPERTY],
        }  # fmt: skip
        if changes:
            body["expand"] = _CHANGES
        found: list[msgspec.Raw] = []
        been: set[str] = set()
        while True:
            page = self._jira.caller.inquire(f"{self._jira.api}/search/jql", Found, body)
            if page.warnings:
                why = plain("; ".join(one.message or one.type for one in page.warnings))
                raise Unreadable(f"{self._jira.place.name} does not tell all: {why}.")
            found += page.issues
            token = page.nextPageToken or ""
            if page.isLast or (page.isLast is None and not token):
                return found
            if not token or token in been:
                raise Unreadable(f"The pages of {self._jira.place.name} lead nowhere.")
            been.add(token)
            body["nextPageToken"] = token

    def _by_counting(self, jql: str, fields: list[str], changes: bool) -> list[msgspec.Raw]:
        body: dict[str, Any] = {"jql": jql, "fields": fields, "maxResults": self._page}
        if changes:
            body["expand"] = [_CHANGES]
        found: list[msgspec.Raw] = []
        start, last = 0, -1
        for _ in range(_MOST_STEPS_BACK + 100_000 // self._page):
            asked = {**body, "startAt": start}
            page = self._jira.caller.inquire(f"{self._jira.api}/search", Found, asked)
            keys = [number(decoded(raw).key) for raw in page.issues]
            if start and not (keys and keys[0] <= last):
                start = max(0, start - self._page)
                continue
            found += page.issues
            last = max([last, *keys])
            if not keys or start + len(keys) >= page.total:
                return found
            # One is asked for twice: it proves that nothing lies between the two pages.
            start += max(1, len(keys) - 1)
        raise Unreadable(f"The pages of {self._jira.place.name} lead nowhere.")

    def _at(self, key: str) -> str:
        return f"{self._jira.api}/issue/{segment(key)}"


def decoded(raw: msgspec.Raw) -> Issue:
    try:
        return typed.decode(raw, Issue)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"Jira tells an issue in a way of its own ({error}).") from error
