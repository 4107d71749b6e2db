"""The stand-in for GitLab: REST v4 on loopback, as far as Orch and its tests ask.

    with GitLabStandIn(clock.now) as gitlab:
        gitlab.world.add_project("group/thing", octo=40)
        environ = gitlab.environ("octo")

Invariant: as in `tests.standins.served`. Fields, statuses and orders are those of GitLab's own
description of its API; what is not modelled is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from tests.standins.gitlab.world import Item, Note, Project, User, World
from tests.standins.served import Answer, Ask, Refusal, Served, route

P = "/projects/{project}"
_DRAFT = "Draft: "


class GitLabStandIn(Served):
    api = "/api/v4"

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.world = World(now)
        self.tokens: dict[str, User] = {}

    def environ(self, name: str) -> dict[str, str]:
        user = self.world.add_user(name)
        self.tokens[f"glpat-{name}"] = user
        return {"GITLAB_TOKEN": f"glpat-{name}"}

    def viewer(self, headers: Mapping[str, str]) -> User:
        word, _, token = headers.get("authorization", "").partition(" ")
        if word != "Bearer" or token not in self.tokens:
            raise Refusal(401, "401 Unauthorized")
        return self.tokens[token]

    def page(self, items: list[Any], ask: Ask) -> Answer:
        size = min(100, int(ask.query.get("per_page", "20")))
        number = int(ask.query.get("page", "1"))
        more = number * size < len(items)
        headers = {
            "x-page": str(number), "x-per-page": str(size), "x-total": str(len(items)),
            "x-next-page": str(number + 1) if more else "",
        }  # fmt: skip
        if more:
            query = urlencode({**ask.query, "page": number + 1})
            headers["link"] = f'<https://elsewhere.example/api/v4/x?{query}>; rel="next"'
        return Answer(items[(number - 1) * size : number * size], 200, headers)

    # --- people

    @route("GET", "/user")
    def _me(self, ask: Ask) -> Any:
        return _user(ask.who) | {"bot": ask.who.bot}

    @route("GET", "/users")
    def _users(self, ask: Ask) -> Any:
        name = ask.query["username"].lower()
        return [_user(one) for one in self.world.users.values() if one.username.lower() == name]

    @route("GET", "/users/{user}")
    def _user(self, ask: Ask) -> Any:
        user = self.world.users.get(int(ask.words["user"]))
        if user is None:
            raise Refusal(404, "404 User Not Found")
        return _user(user) | {"bot": user.bot}

    @route("GET", P)
    def _project(self, ask: Ask) -> Any:
        project = self._in(ask)
        return {
            "id": project.id, "path_with_namespace": project.path,
            "web_url": f"{self.url}/{project.path}", "merge_method": project.merge_method,
            "issues_enabled": True, "archived": False,
        }  # fmt: skip

    @route("GET", P + "/members/all/{user}")
    def _member(self, ask: Ask) -> Any:
        number = int(ask.words["user"])
        level = self._in(ask).members.get(number)
        if level is None:
            raise Refusal(404, "404 Not found")
        return _user(self.world.users[number]) | {"access_level": level}

    @route("GET", P + "/repository/branches/{branch}")
    def _branch(self, ask: Ask) -> Any:
        tip = self._in(ask).branches.get(ask.words["branch"])
        if tip is None:
            raise Refusal(404, "404 Branch Not Found")
        return {"name": ask.words["branch"], "commit": {"id": tip}}

    # --- issues

    @route("GET", P + "/issues")
    def _issues(self, ask: Ask) -> Any:
        project = self._in(ask)
        return [self._issue(project, one) for one in self._listed(project.issues, ask)]

    @route("POST", P + "/issues")
    def _create(self, ask: Ask) -> Any:
        project = self._in(ask, 10)
        _titled(ask.body)
        labels = [one for one in str(ask.body.get("labels", "")).split(",") if one]
        words, name = ask.body.get("description"), ask.who.username
        item = self.world.add_issue(
            project, ask.body["title"], name, body=words, labels=tuple(labels)
        )
        return Answer(self._issue(project, item), 201)

    @route("GET", P + "/issues/{iid}")
    def _one(self, ask: Ask) -> Any:
        return self._issue(self._in(ask), self._item(ask, "issues"))

    @route("PUT", P + "/issues/{iid}")
    def _change(self, ask: Ask) -> Any:
        project, item = self._in(ask, 20), self._item(ask, "issues")
        self._put(item, ask)
        return self._issue(project, item)

    @route("GET", P + "/issues/{iid}/links")
    def _links(self, ask: Ask) -> Any:
        project, item = self._in(ask), self._item(ask, "issues")
        found = [(right, "is_blocked_by") for left, right in project.links if left == item.iid]
        found += [(left, "blocks") for left, right in project.links if right == item.iid]
        return [
            self._issue(project, project.issues[iid]) | {"link_type": kind, "issue_link_id": 1}
            for iid, kind in found
        ]

    @route("GET", P + "/issues/{iid}/resource_label_events")
    def _events(self, ask: Ask) -> Any:
        events = self._item(ask, "issues").events
        return [
            {**event, "user": _user(event["user"]), "resource_type": "Issue"} for event in events
        ]

    # --- notes

    @route("GET", P + "/{kind}/{iid}/notes")
    def _notes(self, ask: Ask) -> Any:
        word = ask.query.get("order_by", "created_at")
        down = ask.query.get("sort", "desc") == "desc"
        notes = [one for one in self._item(ask).notes if self._seen(one.created_at)]
        notes.sort(key=lambda one: (getattr(one, word), one.id), reverse=down)
        return [_note(one) for one in notes]

    @route("POST", P + "/{kind}/{iid}/notes")
    def _say(self, ask: Ask) -> Any:
        self._in(ask, 10)
        if not str(ask.body.get("body", "")).strip():
            raise Refusal(400, {"note": ["can't be blank"]})
        note = self.world.say(self._item(ask), ask.who.username, ask.body["body"])
        return Answer(_note(note), 201)

    @route("GET", P + "/{kind}/{iid}/notes/{note}")
    def _said(self, ask: Ask) -> Any:
        return _note(self._noted(ask))

    @route("PUT", P + "/{kind}/{iid}/notes/{note}")
    def _edit(self, ask: Ask) -> Any:
        note = self._noted(ask)
        if note.author is not ask.who:
            raise Refusal(403, "403 Forbidden")
        self.world.edit(self._item(ask), note, ask.body["body"])
        return _note(note)

    @route("DELETE", P + "/{kind}/{iid}/notes/{note}")
    def _unsay(self, ask: Ask) -> Any:
        self._item(ask).notes.remove(self._noted(ask))
        return Answer(None, 204)

    # --- merge requests

    @route("GET", P + "/merge_requests")
    def _merges(self, ask: Ask) -> Any:
        project = self._in(ask)
        found = self._listed(project.merges, ask)
        if branch := ask.query.get("source_branch"):
            found = [one for one in found if one.more["source_branch"] == branch]
        return [self._merge(project, one) for one in found]

    @route("POST", P + "/merge_requests")
    def _open(self, ask: Ask) -> Any:
        project, body, world = self._in(ask, 30), ask.body, self.world
        _titled(body)
        head, base = body["source_branch"], body["target_branch"]
        if head not in project.branches and world.grows:
            project.branches[head] = world.grows
        if any(one.state == "opened" and one.more["source_branch"] == head
               and one.more["target_branch"] == base for one in project.merges.values()):  # fmt: skip
            raise Refusal(
                409, ["Another open merge request already exists for this source branch: !1"]
            )
        if head not in project.branches:
            raise Refusal(400, {"source_branch": ["does not exist"]})
        now, iid = world.stamp(), max(project.merges, default=0) + 1
        item = Item(world.number(), iid, body["title"], body.get("description"), ask.who, now, now)
        project.merges[iid] = item
        item.more |= {
            "source_branch": head, "target_branch": base, "approved": [], "reviewers": {},
            "sha": project.branches[head], "start": project.branches.get(base, ""),
        }  # fmt: skip
        item.more["versions"] = [{"head_commit_sha": item.more["sha"], "created_at": now}]
        labels = [one for one in str(body.get("labels", "")).split(",") if one]
        world.relabel(item, labels, [], ask.who)
        return Answer(self._merge(project, item), 201)

    @route("GET", P + "/merge_requests/{iid}")
    def _shown(self, ask: Ask) -> Any:
        return self._merge(self._in(ask), self._item(ask, "merge_requests"))

    @route("PUT", P + "/merge_requests/{iid}")
    def _alter(self, ask: Ask) -> Any:
        project, item = self._in(ask, 30), self._item(ask, "merge_requests")
        self._put(item, ask)
        if "reviewer_ids" in ask.body:
            kept = item.more["reviewers"]
            item.more["reviewers"] = {
                n: kept.get(n, "unreviewed") for n in ask.body["reviewer_ids"]
            }
        return self._merge(project, item)

    @route("PUT", P + "/merge_requests/{iid}/merge")
    def _accept(self, ask: Ask) -> Any:
        project, item = self._in(ask, 40), self._item(ask, "merge_requests")
        shown = self._merge(project, item)
        if ask.body.get("sha") not in (None, shown["sha"]):
            raise Refusal(409, "SHA does not match HEAD of source branch: " + str(shown["sha"]))
        if shown["detailed_merge_status"] != "mergeable":
            raise Refusal(405, "405 Method Not Allowed")
        self.world.settle(project, item, "merged")
        item.more["message"] = ask.body.get("merge_commit_message", "")
        if ask.body.get("squash"):
            item.more["squash_commit_sha"] = item.more["merge_commit_sha"]
            item.more["message"] = ask.body.get("squash_commit_message", "")
        return self._merge(project, item)

    @route("POST", P + "/merge_requests/{iid}/approve")
    def _approve(self, ask: Ask) -> Any:
        project, item = self._in(ask, 30), self._item(ask, "merge_requests")
        if ask.body.get("sha") not in (None, self._merge(project, item)["sha"]):
            raise Refusal(409, "SHA does not match HEAD of source branch")
        if ask.who in item.more["approved"] or (item.author is ask.who and not project.approve_own):
            raise Refusal(401, "401 Unauthorized")
        self.judge(item, ask.who.username, "approved")
        return Answer({"approved_by": []}, 201)

    @route("GET", P + "/merge_requests/{iid}/approvals")
    def _approvals(self, ask: Ask) -> Any:
        found = self._item(ask, "merge_requests").more["approved"]
        return {"approved_by": [{"user": _user(one)} for one in found]}

    @route("GET", P + "/merge_requests/{iid}/reviewers")
    def _reviewers(self, ask: Ask) -> Any:
        found = self._item(ask, "merge_requests").more["reviewers"]
        return [{"user": _user(self.world.users[n]), "state": state,
                 "created_at": self.world.stamp()} for n, state in found.items()]  # fmt: skip

    @route("GET", P + "/merge_requests/{iid}/versions")
    def _versions(self, ask: Ask) -> Any:
        return self._item(ask, "merge_requests").more["versions"][::-1]

    # --- commits

    @route("GET", P + "/repository/commits/{sha}/statuses")
    def _statuses(self, ask: Ask) -> Any:
        return self._in(ask).statuses.get(ask.words["sha"], [])

    @route("POST", P + "/statuses/{sha}")
    def _set_status(self, ask: Ask) -> Any:
        states = ("pending", "running", "success", "failed", "canceled", "skipped")
        if ask.body.get("state") not in states or len(ask.body.get("description") or "") > 255:
            raise Refusal(400, "400 Bad request")
        kept = self._in(ask, 30).statuses.setdefault(ask.words["sha"], [])
        kept[:] = [one for one in kept if one["name"] != ask.body["name"]]
        made = {
            "id": self.world.number(), "name": ask.body["name"], "status": ask.body["state"],
            "target_url": ask.body.get("target_url"), "description": ask.body.get("description"),
            "created_at": self.world.stamp(), "finished_at": None, "allow_failure": False,
        }  # fmt: skip
        kept.append(made)
        return Answer(made, 201)

    @route("GET", P + "/pipelines")
    def _pipelines(self, ask: Ask) -> Any:
        return self._in(ask).pipelines.get(ask.query["sha"], [])

    # --- what people do

    def judge(self, merge: Item, name: str, state: str) -> None:
        """Somebody approves, asks for changes (`requested_changes`), or takes it back."""
        user = self.world.add_user(name)
        merge.more["reviewers"][user.id] = state
        approved = [one for one in merge.more["approved"] if one is not user]
        merge.more["approved"] = [*approved, user] if state == "approved" else approved
        words = {
            "approved": "approved this merge request",
            "requested_changes": "requested changes",
        }
        self.world.say(merge, name, words.get(state, "unapproved this merge request"), system=True)

    def push(self, project: Project, branch: str, sha: str) -> None:
        project.branches[branch] = sha
        for item in project.merges.values():
            if item.state == "opened" and item.more["source_branch"] == branch:
                item.more["sha"] = sha
                version = {"head_commit_sha": sha, "created_at": self.world.stamp()}
                item.more["versions"].append(version)
                self.world.touch(item)

    # --- how

    def _in(self, ask: Ask, level: int = 0) -> Project:
        word = ask.words["project"]
        for project in self.world.projects.values():
            if word in (str(project.id), project.path):
                had = project.members.get(ask.who.id, 0)
                if had < max(level, 1):
                    raise Refusal(
                        403 if had else 404, "403 Forbidden" if had else "404 Project Not Found"
                    )
                return project
        raise Refusal(404, "404 Project Not Found")

    def _item(self, ask: Ask, kind: str = "") -> Item:
        project = self._in(ask)
        kind = kind or ask.words["kind"]
        found = project.issues if kind == "issues" else project.merges
        item = found.get(int(ask.words["iid"]))
        if item is None:
            raise Refusal(404, "404 Not found")
        return item

    def _noted(self, ask: Ask) -> Note:
        for note in self._item(ask).notes:
            if note.id == int(ask.words["note"]):
                return note
        raise Refusal(404, "404 Not found")

    def _seen(self, at: str) -> bool:
        """Whether a list that lags has it already."""
        return not self.lag_s or at <= World(lambda: self.now() - self.lag_s).stamp()

    def _listed(self, items: dict[int, Item], ask: Ask) -> list[Item]:
        query = ask.query
        found = [one for one in items.values() if self._seen(one.created_at)]
        if query.get("state", "all") != "all":
            found = [one for one in found if one.state == query["state"]]
        if author := query.get("author_id"):
            found = [one for one in found if one.author.id == int(author)]
        if since := query.get("updated_after"):
            found = [one for one in found if _full(one.updated_at) >= _full(since)]
        word, down = query.get("order_by", "created_at"), query.get("sort", "desc") == "desc"
        return sorted(found, key=lambda one: (getattr(one, word), one.id), reverse=down)

    def _put(self, item: Item, ask: Ask) -> None:
        body = ask.body
        for name in ("title", "description"):
            if name in body:
                setattr(item, name, body[name])
        lists = [[one for one in body.get(word, "").split(",") if one]
                 for word in ("add_labels", "remove_labels")]  # fmt: skip
        self.world.relabel(item, lists[0], lists[1], ask.who)
        event = body.get("state_event")
        if event and item.state != "merged":
            item.state = "closed" if event == "close" else "opened"

    def _issue(self, project: Project, item: Item) -> dict[str, Any]:
        shown = self._common(project, item, "issues") | {
            "references": {"full": f"{project.path}#{item.iid}"}, "issue_type": "issue",
        }  # fmt: skip
        if self.world.premium:
            shown["blocking_issues_count"] = sum(right == item.iid for _, right in project.links)
        return shown

    def _merge(self, project: Project, item: Item) -> dict[str, Any]:
        more = item.more
        draft = item.title.startswith(_DRAFT)
        status = "mergeable"
        if item.state != "opened":
            status = "not_open"
        elif draft:
            status = "draft_status"
        elif more["source_branch"] not in project.branches:
            status = "commits_status"
        elif item.iid in project.conflicts:
            status = "conflict"
        sha = more["sha"]
        return self._common(project, item, "merge_requests") | {
            "source_branch": more["source_branch"], "target_branch": more["target_branch"],
            "sha": sha, "draft": draft, "source_project_id": more.get("fork", project.id),
            "target_project_id": project.id, "merged_at": more.get("merged_at"),
            "merge_commit_sha": more.get("merge_commit_sha"),
            "squash_commit_sha": more.get("squash_commit_sha"),
            "detailed_merge_status": status,
            "merge_status": "can_be_merged" if status == "mergeable" else "cannot_be_merged",
            "diff_refs": {"base_sha": more["start"], "head_sha": sha, "start_sha": more["start"]},
            "reviewers": [_user(self.world.users[number]) for number in more["reviewers"]],
        }  # fmt: skip

    def _common(self, project: Project, item: Item, kind: str) -> dict[str, Any]:
        return {
            "id": item.id, "iid": item.iid, "project_id": project.id, "title": item.title,
            "description": item.description, "state": item.state, "labels": item.labels,
            "author": _user(item.author), "assignees": [_user(one) for one in item.assignees],
            "milestone": {"title": item.milestone} if item.milestone else None,
            "created_at": item.created_at, "updated_at": item.updated_at,
            "web_url": f"{self.url}/{quote(project.path)}/-/{kind}/{item.iid}",
        }  # fmt: skip


def _full(at: str) -> str:
    """With thousandths, so that times compare as text."""
    return at if "." in at else at.replace("Z", ".000Z")


def _user(user: User) -> dict[str, Any]:
    return {"id": user.id, "username": user.username, "name": user.username.title(),
            "state": user.state, "avatar_url": None}  # fmt: skip


def _note(note: Note) -> dict[str, Any]:
    return {
        "id": note.id, "body": note.body, "author": _user(note.author), "system": note.system,
        "created_at": note.created_at, "updated_at": note.updated_at,
        "resolvable": note.resolvable, "resolved": note.resolved, "position": note.position,
        "type": "DiffNote" if note.position else None, "confidential": False, "internal": False,
    }  # fmt: skip


def _titled(body: dict[str, Any]) -> None:
    if not str(body.get("title", "")).strip() or len(body["title"]) > 255:
        raise Refusal(400, {"title": ["can't be blank"]})
