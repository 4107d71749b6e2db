"""The stand-in for Gitea: API v1 on loopback, as far as Orch and its tests ask.

    with GiteaStandIn(clock.now) as gitea:
        gitea.world.add_repo("octo/thing", octo="admin")
        environ = gitea.environ("octo")

Invariant: as in `tests.standins.served`. What Gitea does differently from its description, and its
code shows, is done here too: 500 for comments of what is not there, a timeline whose pages are short,
`refs/pull/5/head` for a branch that is gone, 50 of a page at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from tests.standins.gitea.world import Item, Line, Repo, User, World
from tests.standins.served import Answer, Ask, Refusal, Served, route

R = "/repos/{owner}/{repo}"
_MOST = 50
_RANK = ["none", "read", "write", "admin", "owner"]


class GiteaStandIn(Served):
    api = "/api/v1"

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.world = World(now)
        self.tokens: dict[str, User] = {}

    def environ(self, login: str) -> dict[str, str]:
        self.tokens[f"t-{login}"] = self.world.add_user(login)
        return {"GITEA_TOKEN": f"t-{login}"}

    def viewer(self, headers: Mapping[str, str]) -> User:
        word, _, token = headers.get("authorization", "").partition(" ")
        if word != "token" or token not in self.tokens:
            raise Refusal(401, "token is required")
        return self.tokens[token]

    def refused(self, refusal: Refusal) -> Any:
        return {"message": refusal.message, "url": f"{self.url}/api/swagger"}

    def page(self, items: list[Any], ask: Ask) -> Answer:
        size = min(_MOST, int(ask.query.get("limit", "30")))
        number = int(ask.query.get("page", "1"))
        headers = {"x-total-count": str(len(items))}
        if number * size < len(items):
            query = urlencode({**ask.query, "page": number + 1})
            headers["link"] = f'<http://configured.example/api/v1/x?{query}>; rel="next"'
        return Answer(items[(number - 1) * size : number * size], 200, headers)

    # --- people and repositories

    @route("GET", "/user")
    def _me(self, ask: Ask) -> Any:
        return _user(ask.who)

    @route("GET", R)
    def _shown(self, ask: Ask) -> Any:
        repo = self._in(ask)
        right = _RANK.index(repo.rights.get(ask.who.id, "read"))
        rights = {"pull": right > 0, "push": right > 1, "admin": right > 2}
        return {
            "id": repo.id, "full_name": repo.full_name, "has_issues": True, "archived": False,
            "permissions": rights, "internal_tracker": {"enable_issue_dependencies": True},
        }  # fmt: skip

    @route("GET", R + "/collaborators/{login}/permission")
    def _permission(self, ask: Ask) -> Any:
        repo = self._in(ask, "admin")
        for user in self.world.users.values():
            if user.login == ask.words["login"]:
                return {"permission": repo.rights.get(user.id, "read"), "user": _user(user)}
        raise Refusal(404, "user does not exist")

    # --- issues

    @route("GET", R + "/issues")
    def _issues(self, ask: Ask) -> Any:
        repo, query = self._in(ask), ask.query
        found = [one for one in repo.items.values() if self._seen(one.created)]
        if query.get("type") == "issues":
            found = [one for one in found if not one.pull]
        if query.get("state", "open") != "all":
            found = [one for one in found if one.state == query.get("state", "open")]
        if login := query.get("created_by"):
            found = [one for one in found if one.user.login == login]
        if since := query.get("since"):
            found = [one for one in found if _at(one.updated) >= _at(since)]
        found.sort(key=lambda one: (_at(one.created), one.id), reverse=True)
        return [self._issue(repo, one) for one in found]

    @route("POST", R + "/issues")
    def _create(self, ask: Ask) -> Any:
        repo = self._in(ask)
        if not ask.body.get("title") or len(ask.body["title"]) > 255:
            raise Refusal(422, "[Title]: Required")
        labels = tuple(repo.labels[number] for number in ask.body.get("labels") or [])
        item = self.world.add_issue(
            repo, ask.body["title"], ask.who.login, body=ask.body.get("body", ""), labels=labels
        )
        return Answer(self._issue(repo, item), 201)

    @route("GET", R + "/issues/{number}")
    def _one(self, ask: Ask) -> Any:
        return self._issue(self._in(ask), self._item(ask))

    @route("PATCH", R + "/issues/{number}")
    def _change(self, ask: Ask) -> Any:
        item = self._item(ask)
        if "state" in ask.body:
            self.world.close(item, ask.body["state"])
        return Answer(self._issue(self._in(ask, "write"), item), 201)

    @route("GET", R + "/issues/{number}/dependencies")
    def _waits(self, ask: Ask) -> Any:
        repo, item = self._in(ask), self._item(ask)
        found = [repo.items[right] for left, right in repo.waits if left == item.number]
        size, page = int(ask.query.get("limit", "30")), int(ask.query.get("page", "1"))
        return Answer([self._issue(repo, one) for one in found[(page - 1) * size : page * size]])

    @route("GET", R + "/issues/{number}/timeline")
    def _timeline(self, ask: Ask) -> Any:
        """Lines of reviewed code are left out of a page after it was cut."""
        repo, lines = self._in(ask), self._item(ask).lines
        size, page = min(_MOST, int(ask.query["limit"])), int(ask.query.get("page", "1"))
        shown = [one for one in lines[(page - 1) * size : page * size] if one.type != "code"]
        told = [
            {"id": one.id, "type": one.type, "user": _user(one.user), "body": one.body,
             "created_at": one.created, "updated_at": one.updated,
             "label": {"id": one.label, "name": repo.labels[one.label]} if one.label else None}
            for one in shown
        ]  # fmt: skip
        return Answer(told or None, 200, {"x-total-count": str(len(told))})

    # --- labels

    @route("GET", R + "/labels")
    def _labels(self, ask: Ask) -> Any:
        return [{"id": number, "name": name} for number, name in self._in(ask).labels.items()]

    @route("GET", "/orgs/{org}/labels")
    def _org_labels(self, ask: Ask) -> Any:
        raise Refusal(404, "The target couldn't be found.")

    @route("POST", R + "/labels")
    def _add_label(self, ask: Ask) -> Any:
        repo = self._in(ask, "write")
        made = self.world.number()
        repo.labels[made] = ask.body["name"]
        if len(ask.body["color"].lstrip("#")) != 6:
            raise Refusal(422, "Label color is not a valid color")
        return Answer({"id": made, "name": ask.body["name"]}, 201)

    @route("POST", R + "/issues/{number}/labels")
    def _put_labels(self, ask: Ask) -> Any:
        repo, item = self._in(ask, "write"), self._item(ask)
        self.world.relabel(repo, item, ask.body["labels"], [], ask.who)
        return []

    @route("DELETE", R + "/issues/{number}/labels/{label}")
    def _drop_label(self, ask: Ask) -> Any:
        repo, item = self._in(ask, "write"), self._item(ask)
        self.world.relabel(repo, item, [], [int(ask.words["label"])], ask.who)
        return Answer(None, 204)

    # --- comments

    @route("GET", R + "/issues/{number}/comments")
    def _comments(self, ask: Ask) -> Any:
        """All of them at once."""
        repo = self._in(ask)
        item = repo.items.get(int(ask.words["number"]))
        if item is None:
            raise Refusal(500, "")
        said = [one for one in item.lines if one.type == "comment" and self._seen(one.created)]
        told = [self._comment(repo, item, one) for one in said]
        return Answer(told, 200, {"x-total-count": str(len(told))})

    @route("POST", R + "/issues/{number}/comments")
    def _say(self, ask: Ask) -> Any:
        repo, item = self._in(ask), self._item(ask)
        line = self.world.say(item, ask.who.login, ask.body["body"])
        return Answer(self._comment(repo, item, line), 201)

    @route("GET", R + "/issues/comments")
    def _said_since(self, ask: Ask) -> Any:
        repo, since = self._in(ask), _at(ask.query["since"])
        said = [
            (item, one) for item in repo.items.values() for one in item.lines
            if one.type == "comment" and _at(one.updated) >= since and self._seen(one.created)
        ]  # fmt: skip
        said.sort(key=lambda pair: (_at(pair[1].created), pair[1].id))
        return [self._comment(repo, item, one) for item, one in said]

    @route("GET", R + "/issues/comments/{id}")
    def _said(self, ask: Ask) -> Any:
        item, line = self._line(ask)
        return self._comment(self._in(ask), item, line)

    @route("PATCH", R + "/issues/comments/{id}")
    def _edit(self, ask: Ask) -> Any:
        item, line = self._line(ask)
        self.world.edit(item, line, ask.body["body"])
        return self._comment(self._in(ask), item, line)

    @route("DELETE", R + "/issues/comments/{id}")
    def _unsay(self, ask: Ask) -> Any:
        item, line = self._line(ask)
        item.lines.remove(line)
        return Answer(None, 204)

    # --- pull requests

    @route("GET", R + "/pulls")
    def _pulls(self, ask: Ask) -> Any:
        repo = self._in(ask)
        found = [one for one in repo.items.values() if one.pull and self._seen(one.created)]
        found.sort(key=lambda one: (_at(one.created), one.id), reverse=True)
        return [self._pull(repo, one) for one in found]

    @route("POST", R + "/pulls")
    def _open(self, ask: Ask) -> Any:
        repo, body = self._in(ask, "read"), ask.body
        head, base = body["head"], body["base"]
        if self.world.grows:
            repo.branches.setdefault(head, self.world.grows)
            repo.branches.setdefault(base, self.world.grows)
        if head not in repo.branches or base not in repo.branches:
            raise Refusal(404, "The target couldn't be found.")
        if any(one.pull and one.state == "open" and one.pull["head"] == head
               and one.pull["base"] == base for one in repo.items.values()):  # fmt: skip
            raise Refusal(409, "pull request already exists for these targets")
        item = self.world.add_issue(
            repo, body["title"], ask.who.login, body=body.get("body", ""),
            labels=tuple(repo.labels[number] for number in body.get("labels") or []),
            pull={"head": head, "base": base, "sha": repo.branches[head], "reviews": [],
                  "start": repo.branches[base], "asked": []},
        )  # fmt: skip
        return Answer(self._pull(repo, item), 201)

    @route("GET", R + "/pulls/{number}")
    def _get(self, ask: Ask) -> Any:
        return self._pull(self._in(ask), self._item(ask, pull=True))

    @route("PATCH", R + "/pulls/{number}")
    def _alter(self, ask: Ask) -> Any:
        repo, item = self._in(ask, "write"), self._item(ask, pull=True)
        item.title = ask.body.get("title", item.title)
        if "state" in ask.body:
            self.world.close(item, ask.body["state"])
        return Answer(self._pull(repo, item), 201)

    @route("POST", R + "/pulls/{number}/merge")
    def _merge(self, ask: Ask) -> Any:
        repo, item = self._in(ask), self._item(ask, pull=True)
        shown = self._pull(repo, item)
        if _RANK.index(repo.rights.get(ask.who.id, "read")) < 2:
            raise Refusal(405, "User not allowed to merge PR")
        if item.state != "open":
            raise Refusal(405, "")
        if shown["draft"]:
            raise Refusal(405, "Work in progress PRs cannot be merged")
        if item.number in repo.conflicts:
            raise Refusal(405, "Please try again later")
        if ask.body.get("head_commit_id") not in (None, "", shown["head"]["sha"]):
            raise Refusal(409, "head out of date")
        self.world.settle(repo, item, "merged")
        item.pull["message"] = f"{ask.body['MergeTitleField']}\n\n{ask.body['MergeMessageField']}"
        item.pull["style"] = ask.body["Do"]
        return Answer(None, 200)

    @route("GET", R + "/pulls/{number}/reviews")
    def _reviews(self, ask: Ask) -> Any:
        found = self._item(ask, pull=True).pull["reviews"]
        size, page = int(ask.query["limit"]), int(ask.query.get("page", "1"))
        told = [{**one, "user": _user(one["user"])} for one in found]
        total = {"x-total-count": str(len(told))}
        return Answer(told[(page - 1) * size : page * size], 200, total)

    @route("POST", R + "/pulls/{number}/reviews")
    def _judge(self, ask: Ask) -> Any:
        item, event = self._item(ask, pull=True), ask.body["event"]
        if item.user is ask.who and event != "COMMENT":
            word = "approve" if event == "APPROVED" else "reject"
            raise Refusal(422, f"{word} your own pull is not allowed")
        self.judge(self._in(ask), item, ask.who.login, event, ask.body.get("body", ""))
        return Answer({}, 200)

    @route("GET", R + "/pulls/{number}/reviews/{review}/comments")
    def _lines(self, ask: Ask) -> Any:
        for one in self._item(ask, pull=True).pull["reviews"]:
            if one["id"] == int(ask.words["review"]):
                return Answer(one["lines"])
        raise Refusal(404, "not found")

    @route("POST", R + "/pulls/{number}/requested_reviewers")
    def _ask(self, ask: Ask) -> Any:
        item, names = self._item(ask, pull=True), ask.body["reviewers"]
        known = {user.login: user for user in self.world.users.values()}
        if any(name not in known for name in names):
            raise Refusal(404, "user does not exist")
        item.pull["asked"] += [known[name] for name in names]
        return Answer([], 201)

    # --- commits

    @route("GET", R + "/commits/{sha}/statuses")
    def _statuses(self, ask: Ask) -> Any:
        return list(reversed(self._in(ask).statuses.get(ask.words["sha"], [])))

    @route("POST", R + "/statuses/{sha}")
    def _set_status(self, ask: Ask) -> Any:
        kept = self._in(ask, "write").statuses.setdefault(ask.words["sha"], [])
        if ask.body["state"] not in ("pending", "success", "error", "failure", "warning"):
            raise Refusal(422, "bad state")
        kept.append({
            "id": self.world.number(), "status": ask.body["state"], "context": ask.body["context"],
            "description": ask.body["description"], "target_url": ask.body["target_url"],
            "created_at": self.world.stamp(), "updated_at": self.world.stamp(),
        })  # fmt: skip
        return Answer(kept[-1], 201)

    # --- what people do

    def judge(
        self, repo: Repo, item: Item, login: str, state: str, body: str = "",
        lines: tuple[dict[str, Any], ...] = (), **more: Any,
    ) -> dict[str, Any]:  # fmt: skip
        made = {
            "id": self.world.number(), "state": state, "user": self.world.add_user(login),
            "body": body, "commit_id": self._pull(repo, item)["head"]["sha"],
            "submitted_at": self.world.stamp(), "dismissed": False, "lines": list(lines), **more,
        }  # fmt: skip
        item.pull["reviews"].append(made)
        return made

    # --- how

    def _in(self, ask: Ask, right: str = "read") -> Repo:
        repo = self.world.repos.get(f"{ask.words['owner']}/{ask.words['repo']}")
        if repo is None:
            raise Refusal(404, "The target couldn't be found.")
        if _RANK.index(repo.rights.get(ask.who.id, "read")) < _RANK.index(right):
            raise Refusal(403, "user should have the right to it")
        return repo

    def _item(self, ask: Ask, *, pull: bool = False) -> Item:
        item = self._in(ask).items.get(int(ask.words["number"]))
        if item is None or (pull and not item.pull):
            raise Refusal(404, "The target couldn't be found.")
        return item

    def _line(self, ask: Ask) -> tuple[Item, Line]:
        for item in self._in(ask).items.values():
            for line in item.lines:
                if line.id == int(ask.words["id"]):
                    return item, line
        raise Refusal(404, "comment does not exist")

    def _seen(self, at: str) -> bool:
        return not self.lag_s or _at(at) <= self.now() - self.lag_s

    def _issue(self, repo: Repo, item: Item) -> dict[str, Any]:
        url = f"{self.url}/{repo.full_name}/{'pulls' if item.pull else 'issues'}/{item.number}"
        return {
            "id": item.id, "number": item.number, "title": item.title, "body": item.body,
            "state": item.state, "user": _user(item.user), "original_author": item.original,
            "labels": [{"id": one, "name": repo.labels[one]} for one in item.labels],
            "assignees": None, "milestone": None, "created_at": item.created,
            "updated_at": item.updated, "html_url": url,
            "pull_request": {"merged": False} if item.pull else None,
            "repository": {"id": repo.id, "full_name": repo.full_name},
        }  # fmt: skip

    def _pull(self, repo: Repo, item: Item) -> dict[str, Any]:
        more = item.pull
        merged, there = "merged_at" in more, more["head"] in repo.branches
        sha = more["sha"] if merged or not there else repo.branches[more["head"]]
        return self._issue(repo, item) | {
            "head": {"label": more["head"], "sha": sha, "repo_id": more.get("fork", repo.id),
                     "ref": more["head"] if there else f"refs/pull/{item.number}/head"},
            "base": {"label": more["base"], "ref": more["base"], "repo_id": repo.id, "sha": ""},
            "draft": item.title.lower().startswith(("wip:", "[wip]")),
            "merged": merged, "mergeable": item.number not in repo.conflicts,
            "merge_base": more["start"], "merged_at": more.get("merged_at"),
            "merge_commit_sha": more.get("merge_commit_sha"),
            "requested_reviewers": [_user(one) for one in more["asked"]],
        }  # fmt: skip

    def _comment(self, repo: Repo, item: Item, line: Line) -> dict[str, Any]:
        kind = "pulls" if item.pull else "issues"
        url = f"{self.url}/{repo.full_name}/{kind}/{item.number}"
        return {
            "id": line.id, "body": line.body, "user": _user(line.user),
            "original_author": line.original, "created_at": line.created,
            "updated_at": line.updated, "html_url": f"{url}#issuecomment-{line.id}",
            "issue_url": "" if item.pull else url, "pull_request_url": url if item.pull else "",
        }  # fmt: skip


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _user(user: User) -> dict[str, Any]:
    return {"id": user.id, "login": user.login, "full_name": "", "email": ""}
