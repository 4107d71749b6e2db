"""How the stand-in for Jira shows things: Cloud's way (v3) and Data Center's (v2)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.standins.jira.world import CATEGORIES, Comment, Issue, Status, Transition, User, World

_PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")


class Views:
    def __init__(self, world: World, url: str) -> None:
        self.world, self.url = world, url
        self.api = f"{url}/rest/api/{3 if world.cloud else 2}"

    def user(self, user: User | None, viewer: User) -> dict[str, Any] | None:
        if user is None:
            return None
        shown: dict[str, Any] = {"displayName": user.display, "active": True, "timeZone": user.zone}
        if self.world.cloud:
            who = f"{self.api}/user?accountId={user.account}"
            return {"self": who, "accountId": user.account, "accountType": user.kind, **shown}
        return {
            "self": f"{self.api}/user?key={user.key}",
            "key": user.key,
            "name": user.name,
            **shown,
        }

    def time(self, at: float, viewer: User) -> str:
        moment = datetime.fromtimestamp(at, ZoneInfo(viewer.zone))
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}" + (
            moment.strftime("%z"))  # fmt: skip

    def status(self, status: Status) -> dict[str, Any]:
        number, name, color = CATEGORIES[status.category]
        place = f"{self.api}/statuscategory/{number}"
        return {
            "self": f"{self.api}/status/{status.id}", "description": "", "name": status.name,
            "iconUrl": f"{self.url}/images/icons/statuses/generic.png", "id": status.id,
            "statusCategory": {"self": place, "id": number, "key": status.category,
                               "colorName": color, "name": name},
        }  # fmt: skip

    def comment(
        self, one: Comment, viewer: User, issue: Issue, *, properties: bool
    ) -> dict[str, Any]:
        shown = {
            "self": f"{self.api}/issue/{issue.id}/comment/{one.id}", "id": one.id, "body": one.body,
            "author": self.user(one.author, viewer),
            "updateAuthor": self.user(one.editor, viewer),
            "created": self.time(one.created, viewer), "updated": self.time(one.updated, viewer),
        }  # fmt: skip
        if self.world.cloud:
            shown["jsdPublic"] = True
        if properties:
            told = [{"key": key, "value": value} for key, value in one.properties.items()]
            shown["properties"] = told
        return shown

    def issue(
        self, issue: Issue, viewer: User, *, fields: list[str], expand: str, properties: list[str]
    ) -> dict[str, Any]:
        whole = self._fields(issue, viewer)
        wanted = whole if not fields or "*all" in fields or "*navigable" in fields else {
            name: whole[name] for name in fields if name in whole}  # fmt: skip
        shown: dict[str, Any] = {
            "expand": "renderedFields,names,schema,operations,editmeta,changelog", "id": issue.id,
            "self": f"{self.api}/issue/{issue.id}", "key": issue.key, "fields": wanted,
        }  # fmt: skip
        if properties and self.world.cloud:
            shown["properties"] = {
                p: issue.properties[p] for p in properties if p in issue.properties
            }
        if "changelog" in expand:
            told = [self.history(one, viewer) for one in issue.histories]
            told = told[::-1][:100] if self.world.cloud else told
            shown["changelog"] = {"startAt": 0, "maxResults": len(told),
                                  "total": len(issue.histories), "histories": told}  # fmt: skip
        return shown

    def history(self, one: dict[str, Any], viewer: User) -> dict[str, Any]:
        return {"id": one["id"], "author": self.user(one["author"], viewer),
                "created": self.time(one["created"], viewer), "items": one["items"]}  # fmt: skip

    def transition(self, one: Transition, *, fields: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": one.id, "name": one.name, "to": self.status(one.to), "hasScreen": bool(one.fields),
            "isGlobal": one.start is None, "isInitial": False, "isAvailable": True,
            "isConditional": False,
        }  # fmt: skip
        if fields:
            shown["fields"] = {
                name: {"required": True, "name": name.capitalize(), "key": name,
                       "operations": ["set"], "hasDefaultValue": False,
                       "schema": {"type": name, "system": name}, **more}
                for name, more in one.fields.items()
            }  # fmt: skip
        return shown

    def _fields(self, issue: Issue, viewer: User) -> dict[str, Any]:
        comments = [self.comment(one, viewer, issue, properties=False) for one in issue.comments]
        shown_comments = comments[-20:] if self.world.cloud else comments
        return {
            "summary": issue.summary, "description": issue.description,
            "status": self.status(issue.status), "labels": list(issue.labels),
            "priority": self._priority(issue.priority),
            "issuetype": {"self": f"{self.api}/issuetype/1", "id": "1", "name": issue.type,
                          "description": "", "iconUrl": "", "subtask": False},
            "project": {"self": f"{self.api}/project/{issue.project.id}", "id": issue.project.id,
                        "key": issue.project.key, "name": issue.project.key},
            "assignee": self.user(issue.assignee, viewer),
            "reporter": self.user(issue.reporter, viewer),
            "creator": self.user(issue.creator, viewer),
            "issuelinks": [self._link(one, issue) for one in issue.blockers] + [
                self._outward(one) for one in self.world.issues.values() if issue in one.blockers],
            "attachment": [self._file(name, place, viewer) for name, place in issue.attachments],
            "fixVersions": [{"self": f"{self.api}/version/1", "id": "1", **one}
                            for one in issue.versions],
            "components": [], "resolution": {"name": issue.resolution} if issue.resolution else None,
            "comment": {"comments": shown_comments, "self": f"{self.api}/issue/{issue.id}/comment",
                        "maxResults": len(shown_comments), "total": len(comments), "startAt": 0},
            "created": self.time(issue.created, viewer), "updated": self.time(issue.updated, viewer),
            **({"parent": self._other(issue.parent)} if issue.parent else {}), **issue.more,
        }  # fmt: skip

    def _priority(self, name: str | None) -> dict[str, Any] | None:
        if name is None:
            return None
        number = _PRIORITIES.index(name) + 1 if name in _PRIORITIES else 9
        return {"self": f"{self.api}/priority/{number}", "name": name, "id": str(number),
                "iconUrl": f"{self.url}/images/icons/priorities/{number}.svg"}  # fmt: skip

    def _other(self, issue: Issue) -> dict[str, Any]:
        fields = {"summary": issue.summary, "status": self.status(issue.status)}
        return {"id": issue.id, "key": issue.key, "self": f"{self.api}/issue/{issue.id}",
                "fields": fields}  # fmt: skip

    def _link(self, blocker: Issue, issue: Issue) -> dict[str, Any]:
        return {"id": f"{blocker.id}{issue.id}", "self": f"{self.api}/issueLink/{blocker.id}",
                "type": self._blocks(), "inwardIssue": self._other(blocker)}  # fmt: skip

    def _outward(self, blocked: Issue) -> dict[str, Any]:
        return {"id": f"1{blocked.id}", "self": f"{self.api}/issueLink/1{blocked.id}",
                "type": self._blocks(), "outwardIssue": self._other(blocked)}  # fmt: skip

    def _blocks(self) -> dict[str, Any]:
        return {"id": "10000", "name": "Blocks", "inward": "is blocked by", "outward": "blocks",
                "self": f"{self.api}/issueLinkType/10000"}  # fmt: skip

    def _file(self, name: str, place: str, viewer: User) -> dict[str, Any]:
        return {"self": f"{self.api}/attachment/1", "id": "1", "filename": name, "content": place,
                "size": 1, "mimeType": "image/png", "created": self.time(0, viewer)}  # fmt: skip
