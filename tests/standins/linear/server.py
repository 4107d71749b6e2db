"""The stand-in for Linear: its GraphQL on loopback, run by graphql-core over a part of its schema.

    with LinearStandIn(clock.now) as linear:
        linear.world.add_team("ENG", "octo")
        environ = linear.environ("octo")

Invariant: as in `tests.standins.served`; a document that the schema does not know is refused as
Linear refuses it (400).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from graphql import GraphQLError, build_schema, graphql_sync, parse, validate

from tests.standins.linear.world import TYPES, Comment, Issue, Team, User, World
from tests.standins.served import Answer, Ask, Refusal, Served, route

SCHEMA = build_schema(Path(__file__).with_name("schema.graphql").read_text("utf-8"))


class LinearStandIn(Served):
    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.world = World(now)
        self.tokens: dict[str, User] = {}
        self.limited = False

    def environ(self, name: str) -> dict[str, str]:
        self.tokens[f"lin_api_{name}"] = self.world.add_user(name)
        return {"LINEAR_API_KEY": f"lin_api_{name}"}

    def viewer(self, headers: Mapping[str, str]) -> User:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise Refusal(401, _error("Authentication required", "AUTHENTICATION_ERROR"))
        return self.tokens[token]

    def refused(self, refusal: Refusal) -> Any:
        told = refusal.message
        return told if isinstance(told, dict) else _error(str(told), "INTERNAL_SERVER_ERROR")

    def named(self, data: bytes) -> str:
        text = json.loads(data or b"{}").get("query", "")
        return f" {text.split(None, 2)[1].partition('(')[0]}" if text else ""

    @route("POST", "/graphql")
    def _graphql(self, ask: Ask) -> Any:
        text = ask.body["query"]
        headers = {"x-ratelimit-requests-limit": "2500", "x-ratelimit-requests-remaining": "2400",
                   "x-ratelimit-requests-reset": str(int(self.now() + 3600) * 1000)}  # fmt: skip
        if self.limited:
            headers["x-ratelimit-requests-remaining"] = "0"
            return Answer(_error("Rate limit exceeded", "RATELIMITED"), 400, headers)
        if validate(SCHEMA, parse(text)):
            raise Refusal(400, _error("Syntax Error", "GRAPHQL_VALIDATION_FAILED"))
        done = graphql_sync(
            SCHEMA, text, self._root(ask.who), variable_values=ask.body["variables"]
        )
        told: dict[str, Any] = {"data": done.data}
        if done.errors:
            for error in done.errors:
                if not isinstance(error.original_error, GraphQLError):
                    raise error
            told["errors"] = [
                {"message": error.message, "extensions": error.original_error.extensions}  # type: ignore[union-attr]
                for error in done.errors
            ]
        return Answer(told, 200, headers)

    def _root(self, who: User) -> dict[str, Any]:
        world = self.world
        return {
            "viewer": _user(who),
            "teams": lambda info, **a: _nodes([
                self._team(one) for one in world.teams.values()
                if _eq(a, "key", one.key) and _eq(a, "id", one.id)
            ]),
            "team": lambda info, id: self._team(self._find(
                {one.id: one for one in world.teams.values()}, id, "Team")),
            "issue": lambda info, id: self._issue(self._issue_of(id)),
            "issues": self._issues,
            "comment": lambda info, id: self._comment(*self._comment_of(id)),
            "comments": self._comments,
            "issueLabels": lambda info, **a: _page(
                [self._label(id) for id in world.labels], a),
            "issueCreate": lambda info, input: self._create(who, input),
            "issueUpdate": lambda info, id, input: self._update(who, id, input),
            "issueLabelCreate": lambda info, input: self._make_label(input),
            "commentCreate": lambda info, input: self._say(who, input),
            "commentUpdate": lambda info, id, input: self._edit(who, id, input),
        }  # fmt: skip

    # --- lists

    def _issues(
        self,
        info: Any,
        filter: dict[str, Any],
        **page: Any,
    ) -> Any:
        archived = page.pop("includeArchived", False)
        team, since = filter["team"]["id"]["eq"], filter.get("updatedAt", {}).get("gte", "")
        nin = filter.get("state", {}).get("type", {}).get("nin", [])
        found = [
            one for one in self.world.issues.values()
            if self.world.teams[one.team].id == team and self._seen(one.created)
            and TYPES[one.state] not in nin and (archived or not (one.archived or one.trashed))
            and (not since or _at(one.updated) >= _at(since))
        ]  # fmt: skip
        found.sort(key=lambda one: (_at(one.created), one.number), reverse=True)
        return _page([self._issue(one) for one in found], page)

    def _comments(self, info: Any, filter: dict[str, Any], **page: Any) -> Any:
        team, since = filter["issue"]["team"]["id"]["eq"], _at(filter["updatedAt"]["gte"])
        found = [
            (issue, one) for issue in self.world.issues.values() for one in issue.comments
            if self.world.teams[issue.team].id == team and not one.deleted
            and _at(one.updated) >= since and self._seen(one.created)
        ]  # fmt: skip
        found.sort(key=lambda pair: _at(pair[1].created), reverse=True)
        return _page([self._comment(*pair) for pair in found], page)

    # --- orders

    def _create(self, who: User, given: dict[str, Any]) -> Any:
        self._free(given.get("id", ""))
        team = next(one for one in self.world.teams.values() if one.id == given["teamId"])
        if not given.get("title") or len(given["title"]) > 255:
            raise GraphQLError("Argument Validation Error", extensions=_invalid("title is needed"))
        made = self.world.add_issue(
            team.key, given["title"], who.name, body=given.get("description", ""),
            id=given.get("id", ""),
        )  # fmt: skip
        made.labels = [*given.get("labelIds", [])]
        return {"success": True, "issue": self._issue(made)}

    def _update(self, who: User, id: str, given: dict[str, Any]) -> Any:
        issue = self._issue_of(id)
        if state := given.get("stateId"):
            self.world.move(issue, state.removeprefix("state-"))
        added, removed = given.get("addedLabelIds", []), given.get("removedLabelIds", [])
        self.world.relabel(issue, added, removed, who)
        return {"success": True, "issue": self._issue(issue)}

    def _make_label(self, given: dict[str, Any]) -> Any:
        if any(one["name"] == given["name"] for one in self.world.labels.values()):
            raise GraphQLError("duplicate label name", extensions=_invalid("it is there already"))
        made = self.world.label(given["name"], given.get("teamId", ""))
        return {"success": True, "issueLabel": self._label(made)}

    def _say(self, who: User, given: dict[str, Any]) -> Any:
        self._free(given.get("id", ""))
        issue = self._issue_of(given["issueId"])
        made = self.world.say(issue, who.name, given["body"], given.get("id", ""))
        return {"success": True, "comment": self._comment(issue, made)}

    def _edit(self, who: User, id: str, given: dict[str, Any]) -> Any:
        issue, comment = self._comment_of(id)
        if comment.user is not who:
            raise GraphQLError("Forbidden", extensions={"code": "FORBIDDEN"})
        comment.body, comment.updated = given["body"], self.world.stamp()
        return {"success": True, "comment": self._comment(issue, comment)}

    # --- how

    def _free(self, id: str) -> None:
        if id in self.world.used:
            raise GraphQLError("Entity already exists", extensions=_invalid("the id is taken"))

    def _find(self, where: dict[str, Any], id: str, kind: str) -> Any:
        if id not in where:
            raise GraphQLError(
                f"Entity not found: {kind}",
                extensions=_invalid(f"Could not find referenced {kind}."),
            )
        return where[id]

    def _issue_of(self, id: str) -> Issue:
        issues = self.world.issues
        known = {old: issues[now] for old, now in self.world.aliases.items()}
        known |= {one.identifier: one for one in issues.values()} | issues
        return self._find(known, id, "Issue")  # type: ignore[no-any-return]

    def _comment_of(self, id: str) -> tuple[Issue, Comment]:
        known = {
            one.id: (issue, one) for issue in self.world.issues.values() for one in issue.comments
            if not one.deleted
        }  # fmt: skip
        return self._find(known, id, "Comment")  # type: ignore[no-any-return]

    def _seen(self, at: str) -> bool:
        return not self.lag_s or _at(at) <= self.now() - self.lag_s

    def _team(self, team: Team) -> dict[str, Any]:
        return {
            "id": team.id, "key": team.key, "name": team.key,
            "members": lambda info, filter, **a: _nodes(
                [_user(one) for one in team.members if _eq({"filter": filter}, "id", one.id)]),
            "states": lambda info, **a: _nodes([
                {"id": f"state-{name}", "name": name, "type": kind, "position": number}
                for number, (name, kind) in enumerate(TYPES.items())
            ]),
        }  # fmt: skip

    def _label(self, id: str) -> dict[str, Any]:
        label = self.world.labels[id]
        team = {"id": label["team"], "key": "", "name": ""} if label["team"] else None
        return {"id": id, "name": label["name"], "isGroup": label["group"], "team": team}

    def _issue(self, issue: Issue) -> dict[str, Any]:
        """Lists are made when they are asked for: relations lead to issues."""
        names = ("No priority", "Urgent", "High", "Medium", "Low")
        return {
            "id": issue.id, "identifier": issue.identifier, "title": issue.title,
            "description": issue.body, "priority": issue.priority, "trashed": issue.trashed or None,
            "url": f"{self.url}/issue/{issue.identifier}", "priorityLabel": names[issue.priority],
            "createdAt": issue.created, "updatedAt": issue.updated,
            "archivedAt": issue.archived or None,
            "state": {"id": f"state-{issue.state}", "name": issue.state, "position": 0,
                      "type": TYPES[issue.state]},
            "team": self._team(self.world.teams[issue.team]), "creator": _user(issue.creator),
            "externalUserCreator": {"id": "x"} if issue.external else None,
            "labels": lambda info, first: _page([self._label(one) for one in issue.labels],
                                                {"first": first}),
            "inverseRelations": lambda info, first: _page(
                [{"type": "blocks", "issue": self._issue(one)} for one in issue.blocked_by],
                {"first": first}),
            "history": lambda info, **a: _page([self._line(one) for one in issue.history[::-1]], a),
        }  # fmt: skip

    def _line(self, line: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": line["id"], "createdAt": line["at"], "actor": _user(line["who"]),
            "addedLabels": [self._label(one) for one in line["on"]] or None,
            "removedLabels": [self._label(one) for one in line["off"]] or None,
        }  # fmt: skip

    def _comment(self, issue: Issue, comment: Comment) -> dict[str, Any]:
        return {
            "id": comment.id, "body": comment.body, "user": _user(comment.user),
            "url": f"{self.url}/issue/{issue.identifier}#comment-{comment.id[:8]}",
            "createdAt": comment.created, "updatedAt": comment.updated, "issue": self._issue(issue),
        }  # fmt: skip


def _page(items: list[Any], asked: dict[str, Any]) -> dict[str, Any]:
    """A cursor is the id of the last item, so that what comes and goes moves nothing."""
    ids = [one.get("id") for one in items]
    begin = ids.index(asked["after"]) + 1 if asked.get("after") else 0
    cut = items[begin : begin + asked.get("first", 50)]
    more = begin + len(cut) < len(items)
    cursor = cut[-1].get("id") if cut else None
    return {"nodes": cut, "pageInfo": {"hasNextPage": more, "endCursor": cursor}}


def _nodes(items: list[Any]) -> dict[str, Any]:
    return {"nodes": items, "pageInfo": {"hasNextPage": False, "endCursor": None}}


def _eq(asked: dict[str, Any], name: str, value: str) -> bool:
    wanted = (asked.get("filter") or {}).get(name)
    return wanted is None or wanted.get("eq") in (None, value)


def _user(user: User) -> dict[str, Any]:
    return {"id": user.id, "displayName": user.name, "app": user.app, "guest": user.guest,
            "active": user.active}  # fmt: skip


def _invalid(said: str) -> dict[str, Any]:
    return {"code": "INPUT_ERROR", "type": "invalid input", "userPresentableMessage": said}


def _error(message: str, code: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
