"""The stand-in's routes: the part of Jira's REST that Orch and a well-known client use.

Invariant: what is asked for that it does not have is kept in `unknown` and answered 404.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.standins.jira import jql
from tests.standins.jira.views import Views
from tests.standins.jira.world import ADMIN, RIGHTS, Comment, Issue, Project, Refusal, User, World

_ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = []
_LONGEST_BODY = 32_767


@dataclass
class Call:
    viewer: User
    words: tuple[str, ...]
    query: dict[str, str]
    body: dict[str, Any]


def route(method: str, path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    pattern = re.compile(re.sub(r"\{\w+\}", "([^/]+)", path))

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        _ROUTES.append((method, pattern, function))
        return function

    return keep


class Rest:
    def __init__(self, world: World, views: Views) -> None:
        self.world, self.views = world, views
        self.unknown: list[str] = []

    def answer(
        self, viewer: User, method: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        version = re.match(r"/rest/api/(2|3|latest)(/.*)", path)
        if not version or (version[1] == "3" and not self.world.cloud):
            raise Refusal(404, "null for uri")
        for verb, pattern, function in _ROUTES:
            found = pattern.fullmatch(version[2])
            if verb == method and found:
                as_text = self.world.cloud and version[1] != "3"
                sent = _documents(body or {}) if as_text else body or {}
                told = function(self, Call(viewer, found.groups(), query, sent))
                status, shown = told if isinstance(told, tuple) else (200, told)
                return status, _texts(shown) if as_text else shown
        self.unknown.append(f"{method} {path}")
        raise Refusal(404, f"null for uri: {path}")

    # --- the server and its people -------------------------------------------------------------

    @route("GET", "/serverInfo")
    def server(self, call: Call) -> dict[str, Any]:
        return {
            "baseUrl": self.views.url, "version": "1001.0.0" if self.world.cloud else "10.3.2",
            "versionNumbers": [1001, 0, 0] if self.world.cloud else [10, 3, 2],
            "deploymentType": "Cloud" if self.world.cloud else "Server", "buildNumber": 100_300,
            "serverTitle": "Jira", "serverTime": self.views.time(self.world.clock(), call.viewer),
        }  # fmt: skip

    @route("GET", "/field")
    def fields(self, call: Call) -> Any:
        names = ("summary", "description", "status", "labels", "comment")
        return [{"id": one, "key": one, "name": one.capitalize(), "custom": False} for one in names]

    @route("GET", "/myself")
    def myself(self, call: Call) -> Any:
        return self.views.user(call.viewer, call.viewer)

    @route("GET", "/user")
    def user(self, call: Call) -> Any:
        for one in self.world.users.values():
            if call.query.get("key") == one.key or call.query.get("username") == one.name:
                return self.views.user(one, call.viewer)
        raise Refusal(404, "The user does not exist")

    @route("GET", "/user/permission/search")
    def may(self, call: Call) -> Any:
        project = self._project(call, call.query["projectKey"])
        if not self.world.may(call.viewer, project, ADMIN):
            raise Refusal(403, "You need to be an administrator of the project.")
        wanted = call.query["permissions"].split(",")
        named = call.query.get("accountId"), call.query.get("username")
        return [
            self.views.user(one, call.viewer) for one in self.world.users.values()
            if (one.account == named[0] or (named[1] and one.name.startswith(named[1])))
            and all(self.world.may(one, project, right) for right in wanted)
        ]  # fmt: skip

    @route("POST", "/permissions/check")
    def check(self, call: Call) -> Any:
        account = call.body.get("accountId", call.viewer.account)
        if not self.world.cloud:
            raise Refusal(404, "null for uri")
        if account != call.viewer.account and not call.viewer.admin:
            raise Refusal(403, "You do not have the permission to ask about others.")
        user = next((one for one in self.world.users.values() if one.account == account), None)
        if user is None:
            raise Refusal(400, "No user has been found")
        told = [
            {"permission": right, "issues": [], "projects": [
                int(one.id) for one in self.world.projects.values()
                if int(one.id) in wanted["projects"] and self.world.may(user, one, right)]}
            for wanted in call.body["projectPermissions"] for right in wanted["permissions"]
        ]  # fmt: skip
        return {"projectPermissions": told, "globalPermissions": []}

    @route("GET", "/mypermissions")
    def mine(self, call: Call) -> Any:
        project = self._project(call, call.query["projectKey"])
        wanted = call.query.get("permissions", ",".join(RIGHTS)).split(",")
        return {"permissions": {
            right: {"id": "1", "key": right, "name": right, "type": "PROJECT", "description": "",
                    "havePermission": self.world.may(call.viewer, project, right)}
            for right in wanted
        }}  # fmt: skip

    @route("GET", "/project/{key}")
    def project(self, call: Call) -> Any:
        one = self._project(call, call.words[0])
        return {"self": f"{self.views.api}/project/{one.id}", "id": one.id, "key": one.key,
                "name": one.key, "expand": ""}  # fmt: skip

    @route("GET", "/project/{key}/statuses")
    def statuses(self, call: Call) -> Any:
        one = self._project(call, call.words[0])
        return [
            {"self": f"{self.views.api}/issuetype/{number}", "id": str(number), "name": name,
             "subtask": False, "statuses": [self.views.status(s) for s in one.statuses.values()]}
            for number, name in enumerate(one.types, 1)
        ]  # fmt: skip

    # --- searching -----------------------------------------------------------------------------

    @route("POST", "/search/jql")
    @route("GET", "/search/jql")
    def by_token(self, call: Call) -> Any:
        if not self.world.cloud:
            raise Refusal(404, "null for uri")
        asked: dict[str, Any] = {**call.query, **call.body}
        query, found = self._matching(call, asked["jql"])
        if not query.fields:
            raise Refusal(400, "Unbounded JQL queries are not allowed here.")
        after = asked.get("nextPageToken") or ""
        size = min(int(asked.get("maxResults", 50)), 100)
        # Like Jira's, the token names a place in the order, and not how many came before.
        rest = [
            one for one in found if not after or _place(one) > int(after.removeprefix("after:"))
        ]
        page = rest[:size]
        fields = asked.get("fields") or ["id"]
        fields = fields.split(",") if isinstance(fields, str) else fields
        told: dict[str, Any] = {
            "issues": [self._shown(one, call, fields, asked.get("expand", ""),
                                   asked.get("properties", [])) for one in page],
            "isLast": len(rest) <= size,
        }  # fmt: skip
        if self.world.warning:
            told["warnings"] = [{"type": "TRUNCATED", "message": self.world.warning}]
        if len(rest) > size:
            told["nextPageToken"] = f"after:{_place(page[-1])}"
        return told

    @route("POST", "/search")
    @route("GET", "/search")
    def by_count(self, call: Call) -> Any:
        if self.world.cloud:
            raise Refusal(410, "The requested API has been removed.")
        asked: dict[str, Any] = {**call.query, **call.body}
        _, found = self._matching(call, asked.get("jql", ""))
        start, size = int(asked.get("startAt", 0)), min(int(asked.get("maxResults", 50)), 1000)
        fields = asked.get("fields") or []
        fields = fields.split(",") if isinstance(fields, str) else fields
        page = found[start : start + size]
        shown = [self._shown(one, call, fields, str(asked.get("expand", "")), []) for one in page]
        return {"expand": "schema,names", "startAt": start, "maxResults": size,
                "total": len(found), "issues": shown}  # fmt: skip

    def _matching(self, call: Call, text: str) -> tuple[jql.Query, list[Issue]]:
        def known(field: str, value: str) -> bool:
            if field != "project":
                return True
            project = self.world.projects.get(value)
            return bool(project and self.world.may(call.viewer, project, "BROWSE_PROJECTS"))

        viewer = call.viewer
        asker = jql.Asker(viewer.account, self.world.clock(), viewer.zone, known)
        try:
            query = jql.Query(text, asker)
            rows = [(one, self.world.indexed(one)) for one in self.world.issues.values()]
            found = [one for one, row in rows if row and query.matches(row)
                     and self.world.may(viewer, one.project, "BROWSE_PROJECTS")]  # fmt: skip
        except jql.BadQuery as error:
            raise Refusal(400, str(error)) from error
        return query, sorted(found, key=_place, reverse=bool(query.order and query.order[1]))

    def _shown(
        self, issue: Issue, call: Call, fields: list[str], expand: Any, properties: list[str]
    ) -> dict[str, Any]:
        return self.views.issue(issue, call.viewer, fields=fields, expand=str(expand),
                                properties=properties)  # fmt: skip

    # --- issues --------------------------------------------------------------------------------

    @route("GET", "/issue/{key}")
    def issue(self, call: Call) -> Any:
        issue = self.world.found(call.viewer, call.words[0])
        fields = [one for one in call.query.get("fields", "").split(",") if one]
        properties = call.query.get("properties", "").split(",")
        return self._shown(issue, call, fields, call.query.get("expand", ""), properties)

    @route("POST", "/issue")
    def create(self, call: Call) -> Any:
        fields = call.body.get("fields", {})
        project = self._project(call, fields.get("project", {}).get("key", ""))
        self.world.demand(call.viewer, project, "CREATE_ISSUES")
        if fields.get("issuetype", {}).get("name") not in project.types:
            raise Refusal(400, issuetype="Specify a valid issue type")
        if not fields.get("summary", "").strip() or "\n" in fields["summary"]:
            raise Refusal(400, summary="You must specify a summary of the issue.")
        self._body(fields.get("description"))
        labels = self._labels(fields.get("labels", []))
        made = self.world.add_issue(
            project.key, fields["summary"], by=call.viewer.name, labels=labels,
            description=fields.get("description"), type=fields["issuetype"]["name"],
        )  # fmt: skip
        made.properties = {one["key"]: one["value"] for one in call.body.get("properties", [])}
        return 201, {"id": made.id, "key": made.key, "self": f"{self.views.api}/issue/{made.id}"}

    @route("PUT", "/issue/{key}")
    def edit(self, call: Call) -> Any:
        issue = self.world.found(call.viewer, call.words[0])
        self.world.demand(call.viewer, issue.project, "EDIT_ISSUES")
        labels = list(issue.labels)
        for verb in call.body.get("update", {}).get("labels", []):
            if "add" in verb and verb["add"] not in labels:
                labels += self._labels([verb["add"]])
            if "remove" in verb and verb["remove"] in labels:
                labels.remove(verb["remove"])
        if labels != issue.labels:
            self.world.label(issue, call.viewer.name, *labels)
        return 204, None

    @route("GET", "/issue/{key}/changelog")
    def changelog(self, call: Call) -> Any:
        issue = self.world.found(call.viewer, call.words[0])
        if not self.world.cloud:
            raise Refusal(404, "null for uri")
        start, size = int(call.query.get("startAt", 0)), int(call.query.get("maxResults", 100))
        page = issue.histories[start : start + min(size, 100)]
        return {"startAt": start, "maxResults": size, "total": len(issue.histories),
                "isLast": start + len(page) >= len(issue.histories),
                "self": f"{self.views.api}/issue/{issue.id}/changelog",
                "values": [self.views.history(one, call.viewer) for one in page]}  # fmt: skip

    @route("GET", "/issue/{key}/transitions")
    def transitions(self, call: Call) -> Any:
        issue = self.world.found(call.viewer, call.words[0])
        fields = "transitions.fields" in call.query.get("expand", "")
        ways = self._ways(issue, call.viewer)
        shown = [self.views.transition(one, fields=fields) for one in ways]
        return {"expand": "transitions", "transitions": shown}

    @route("POST", "/issue/{key}/transitions")
    def move(self, call: Call) -> Any:
        issue = self.world.found(call.viewer, call.words[0])
        wanted = str(call.body.get("transition", {}).get("id"))
        way = next((one for one in self._ways(issue, call.viewer) if one.id == wanted), None)
        if way is None:
            raise Refusal(400, f"You have tried to perform a workflow operation ({wanted})"
                          " that is not valid for the current state of this issue.")  # fmt: skip
        given = call.body.get("fields", {})
        if missing := [name for name in way.fields if name not in given]:
            raise Refusal(400, **{name: f"{name} is required." for name in missing})
        if "resolution" in given:
            issue.resolution = given["resolution"]["name"]
        self.world.move(issue, call.viewer.name, way.to.name)
        return 204, None

    def _ways(self, issue: Issue, viewer: User) -> list[Any]:
        if not self.world.may(viewer, issue.project, "TRANSITION_ISSUES"):
            return []
        return [one for one in issue.project.transitions
                if one.start in (None, issue.status.name)]  # fmt: skip

    # --- comments ------------------------------------------------------------------------------

    @route("GET", "/issue/{key}/comment")
    def comments(self, call: Call) -> Any:
        issue = self.world.found(call.viewer, call.words[0])
        until = self.world.clock() - self.world.talk_lag_s
        said = [one for one in issue.comments if one.created <= until]
        start, size = int(call.query.get("startAt", 0)), int(call.query.get("maxResults", 100))
        shown = [self._comment(one, issue, call) for one in said[start : start + min(size, 100)]]
        return {"startAt": start, "maxResults": size, "total": len(said), "comments": shown}

    @route("POST", "/comment/list")
    def some(self, call: Call) -> Any:
        if len(call.body["ids"]) > 1000:
            raise Refusal(400, "Too many comments.")
        found = [(issue, one) for issue in self.world.issues.values() for one in issue.comments
                 if int(one.id) in call.body["ids"]
                 and self.world.may(call.viewer, issue.project, "BROWSE_PROJECTS")]  # fmt: skip
        full = "properties" in call.query.get("expand", "")
        shown = [
            self.views.comment(one, call.viewer, issue, properties=full) for issue, one in found
        ]
        return {"maxResults": 1048576, "startAt": 0, "total": len(shown), "isLast": True,
                "values": shown}  # fmt: skip

    @route("POST", "/issue/{key}/comment")
    def say(self, call: Call) -> Any:
        issue = self.world.found(call.viewer, call.words[0])
        self.world.demand(call.viewer, issue.project, "ADD_COMMENTS")
        self._body(call.body.get("body"), needed=True)
        made = self.world.comment(issue, call.viewer.name, call.body["body"])
        self._keep(made, call)
        return 201, self._comment(made, issue, call)

    @route("PUT", "/issue/{key}/comment/{id}")
    def correct(self, call: Call) -> Any:
        issue, one = self._said(call, "EDIT_OWN_COMMENTS")
        self._body(call.body.get("body"), needed=True)
        one.body, one.updated, one.editor = call.body["body"], self.world.clock(), call.viewer
        self._keep(one, call)
        self.world.touch(issue)
        return self._comment(one, issue, call)

    @route("DELETE", "/issue/{key}/comment/{id}")
    def unsay(self, call: Call) -> Any:
        issue, one = self._said(call, "DELETE_OWN_COMMENTS")
        issue.comments.remove(one)
        self.world.touch(issue)
        return 204, None

    def _said(self, call: Call, right: str) -> tuple[Issue, Comment]:
        issue = self.world.found(call.viewer, call.words[0])
        one = next((one for one in issue.comments if one.id == call.words[1]), None)
        if one is None:
            raise Refusal(404, f"Can not find a comment for the id: {call.words[1]}.")
        if one.author is not call.viewer:
            raise Refusal(403, "You do not have the permission to edit this comment.")
        self.world.demand(call.viewer, issue.project, right)
        return issue, one

    def _keep(self, comment: Comment, call: Call) -> None:
        for one in call.body.get("properties", []):
            comment.properties[one["key"]] = one["value"]

    def _comment(self, one: Comment, issue: Issue, call: Call) -> dict[str, Any]:
        return self.views.comment(one, call.viewer, issue, properties=False)

    # --- rules ---------------------------------------------------------------------------------

    def _project(self, call: Call, key: str) -> Project:
        project = self.world.projects.get(key)
        if project is None or not self.world.may(call.viewer, project, "BROWSE_PROJECTS"):
            raise Refusal(404, f"No project could be found with key '{key}'.")
        return project

    def _body(self, body: Any, *, needed: bool = False) -> None:
        if body is None and not needed:
            return
        if self.world.cloud and not (isinstance(body, dict) and body.get("type") == "doc"
                                     and body.get("version") == 1):  # fmt: skip
            raise Refusal(400, comment="Comment body is not valid! INVALID_INPUT")
        if not self.world.cloud and not (isinstance(body, str) and len(body) <= _LONGEST_BODY):
            raise Refusal(400, comment="Operation value must be a string")

    def _labels(self, labels: list[str]) -> list[str]:
        for one in labels:
            if any(c.isspace() for c in one):
                raise Refusal(400, labels=f"The label '{one}' contains spaces which is invalid.")
        return list(labels)


def _documents(body: dict[str, Any]) -> dict[str, Any]:
    """Cloud takes text at v2, and keeps a document."""
    if isinstance(body.get("body"), str):
        body = {**body, "body": _document(body["body"])}
    fields = body.get("fields", {})
    if isinstance(fields.get("description"), str):
        body = {**body, "fields": {**fields, "description": _document(fields["description"])}}
    return body


def _document(text: str) -> dict[str, Any]:
    words = [{"type": "text", "text": text}] if text else []
    return {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": words}]}


def _texts(told: Any) -> Any:
    """And shows text there."""
    if isinstance(told, dict) and told.get("type") == "doc":
        return "\n\n".join(_words(block) for block in told.get("content", []))
    if isinstance(told, dict):
        return {name: _texts(value) for name, value in told.items()}
    return [_texts(one) for one in told] if isinstance(told, list) else told


def _words(node: dict[str, Any]) -> str:
    return str(node.get("text", "")) + "".join(_words(one) for one in node.get("content", []))


def _place(issue: Issue) -> int:
    return int(issue.key.rpartition("-")[2])
