"""The REST routes of the stand-in: those that our client and the real `gh` use.

Invariant: a route answers as GitHub's description says, with its refusals; what has no route is
404 and is named in `Rest.unknown`, so that a test sees what somebody missed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.standins.github import pulls
from tests.standins.github.views import Views, stamp
from tests.standins.github.world import Issue, Refusal, Repo, User, World, invalid


@dataclass
class Page:
    """Part of a list; `more` are objects around it, `key` its name there."""

    items: list[Any]
    show: Callable[[Any], Any]
    key: str = ""
    around: dict[str, Any] = field(default_factory=dict)


@dataclass
class Call:
    """One request, its path's words in order."""

    viewer: User
    words: tuple[str, ...]
    query: dict[str, str]
    body: dict[str, Any]


@dataclass
class Answer:
    payload: Any
    status: int = 200


Route = Callable[["Rest", Call], "Any"]
_ROUTES: list[tuple[str, re.Pattern[str], Route, bool]] = []


def route(method: str, path: str, *, content: bool = False) -> Callable[[Route], Route]:
    """`*` stands for one word of a path, `**` for the rest of it."""
    pattern = re.escape(path).replace(r"\*\*", "(.+)").replace(r"\*", "([^/]+)")

    def taken(function: Route) -> Route:
        _ROUTES.append((method, re.compile(pattern), function, content))
        return function

    return taken


class Rest:
    def __init__(self, world: World, views: Views) -> None:
        self.world, self.views = world, views
        self.unknown: list[str] = []

    def find(self, method: str, path: str) -> tuple[Route, tuple[str, ...], bool] | None:
        for wanted, pattern, function, content in _ROUTES:
            if wanted == method and (match := pattern.fullmatch(path)):
                return function, tuple(unquote(word) for word in match.groups()), content
        self.unknown.append(f"{method} {path}")
        return None

    def repo(self, call: Call, right: str = "read") -> Repo:
        found = self.world.repo(call.viewer, call.words[0], call.words[1])
        self.world.demand(call.viewer, found, right)
        return found

    def issue(self, call: Call, right: str = "read") -> Issue:
        return self.world.issue(self.repo(call, right), int(call.words[2]))

    def pull(self, call: Call, right: str = "read") -> Issue:
        repo = self.repo(call, right)
        pulls.follow(self.world, repo)
        found = self.world.issue(repo, int(call.words[2]))
        if found.pull is None:
            raise Refusal(404, "Not Found")
        return found


R = "/repos/*/*"


# --- who, what, how much ------------------------------------------------------------------


@route("GET", "/user")
def _user(rest: Rest, call: Call) -> Any:
    if call.viewer.kind == "Bot":
        raise Refusal(403, "Resource not accessible by integration")
    return rest.views.user(call.viewer)


@route("GET", "/users/*")
def _someone(rest: Rest, call: Call) -> Any:
    if call.words[0] not in rest.world.users:
        raise Refusal(404, "Not Found")
    return rest.views.user(rest.world.users[call.words[0]])


@route("GET", "/")
def _root(rest: Rest, call: Call) -> Any:
    return {"current_user_url": f"{rest.views.site}/user"}


@route("GET", R)
def _repo(rest: Rest, call: Call) -> Any:
    return rest.views.repo(rest.repo(call), call.viewer)


@route("GET", f"{R}/collaborators/*/permission")
def _permission(rest: Rest, call: Call) -> Any:
    repo = rest.repo(call, "write")
    user = rest.world.users.get(call.words[2])
    if user is None:
        raise Refusal(404, "Not Found")
    right = rest.world.right(user, repo)
    legacy = {"maintain": "write", "triage": "read"}.get(right, right)
    return {"permission": legacy, "role_name": right, "user": rest.views.user(user)}


@route("GET", f"{R}/branches/*")
def _branch(rest: Rest, call: Call) -> Any:
    repo = rest.repo(call)
    sha = repo.git.tip(call.words[2])
    if not sha:
        raise Refusal(404, "Branch not found")
    return {"name": call.words[2], "commit": {"sha": sha}, "protected": False}


@route("DELETE", f"{R}/git/refs/heads/**")
def _delete_branch(rest: Rest, call: Call) -> Any:
    repo = rest.repo(call, "write")
    if not repo.git.tip(call.words[2]):
        raise Refusal(422, "Reference does not exist")
    repo.git.delete(call.words[2])
    pulls.follow(rest.world, repo)
    return Answer(None, 204)


@route("GET", f"{R}/milestones")
def _milestones(rest: Rest, call: Call) -> Any:
    state = call.query.get("state", "open")
    found = [one for one in rest.repo(call).milestones if state in ("all", one.state)]
    return Page(found, rest.views.milestone)


# --- issues -------------------------------------------------------------------------------


@route("GET", f"{R}/issues")
def _issues(rest: Rest, call: Call) -> Any:
    query = call.query
    repo = rest.repo(call)
    pulls.follow(rest.world, repo)
    found = rest.world.listed(repo.issues.values())
    state = query.get("state", "open")
    found = [one for one in found if state in ("all", one.state)]
    if since := query.get("since"):
        found = [one for one in found if (stamp(one.updated) or "") >= since]
    if creator := query.get("creator"):
        found = [one for one in found if one.author and one.author.login == creator]
    for name in filter(None, query.get("labels", "").split(",")):
        found = [one for one in found if name.lower() in {x.name.lower() for x in one.labels}]
    return Page(_ordered(found, query), rest.views.issue)


def _ordered(found: list[Any], query: dict[str, str]) -> list[Any]:
    field_of = {"updated": lambda one: (one.updated, one.id)}
    key = field_of.get(query.get("sort", "created"), lambda one: (one.created, one.id))
    return sorted(found, key=key, reverse=query.get("direction", "desc") == "desc")


@route("POST", f"{R}/issues", content=True)
def _new_issue(rest: Rest, call: Call) -> Any:
    body = call.body
    made = rest.world.new_issue(
        call.viewer, rest.repo(call), _text(body, "title", "Issue"), body.get("body"),
        labels=[x if isinstance(x, str) else x["name"] for x in body.get("labels") or []],
        assignees=body.get("assignees") or [], milestone=body.get("milestone"),
    )  # fmt: skip
    return Answer(rest.views.issue(made), 201)


def _text(body: dict[str, Any], name: str, resource: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise invalid(resource, name, "missing_field")
    return value


@route("GET", f"{R}/issues/comments")
def _all_comments(rest: Rest, call: Call) -> Any:
    found = [one for issue in rest.repo(call).issues.values() for one in issue.comments]
    return Page(_ordered(_since(rest, found, call), call.query), rest.views.comment)


def _since(rest: Rest, found: list[Any], call: Call) -> list[Any]:
    since = call.query.get("since", "")
    return [one for one in rest.world.listed(found) if (stamp(one.updated) or "") >= since]


@route("GET", f"{R}/issues/comments/*")
def _comment(rest: Rest, call: Call) -> Any:
    return rest.views.comment(rest.world.comment(rest.repo(call), int(call.words[2])))


@route("PATCH", f"{R}/issues/comments/*")
def _edit_comment(rest: Rest, call: Call) -> Any:
    comment = rest.world.comment(rest.repo(call), int(call.words[2]))
    _own(rest, call, comment)
    comment.body = _text(call.body, "body", "IssueComment")
    comment.updated = rest.world.clock()
    rest.world.touch(comment.issue)
    return rest.views.comment(comment)


@route("DELETE", f"{R}/issues/comments/*")
def _delete_comment(rest: Rest, call: Call) -> Any:
    comment = rest.world.comment(rest.repo(call), int(call.words[2]))
    _own(rest, call, comment)
    comment.issue.comments.remove(comment)
    return Answer(None, 204)


def _own(rest: Rest, call: Call, comment: Any) -> None:
    if comment.author is not call.viewer:
        rest.world.demand(call.viewer, comment.issue.repo, "write")


@route("GET", f"{R}/issues/*")
def _issue(rest: Rest, call: Call) -> Any:
    return rest.views.issue(rest.issue(call))


@route("PATCH", f"{R}/issues/*")
def _edit_issue(rest: Rest, call: Call) -> Any:
    issue = rest.issue(call)
    if issue.author is not call.viewer:
        rest.world.demand(call.viewer, issue.repo, "triage")
    body = dict(call.body)
    if "milestone" in body and body["milestone"] is None:
        body["milestone"] = 0
    if "labels" in body:
        issue.labels = []
        rest.world.add_labels(call.viewer, issue, body.pop("labels"))
    body["reason"] = body.pop("state_reason", None)
    rest.world.edit_issue(call.viewer, issue, **body)
    return rest.views.issue(issue)


@route("GET", f"{R}/issues/*/comments")
def _comments(rest: Rest, call: Call) -> Any:
    found = _since(rest, rest.issue(call).comments, call)
    return Page(sorted(found, key=lambda one: one.id), rest.views.comment)


@route("POST", f"{R}/issues/*/comments", content=True)
def _new_comment(rest: Rest, call: Call) -> Any:
    issue = rest.issue(call)
    made = rest.world.new_comment(call.viewer, issue, _text(call.body, "body", "IssueComment"))
    return Answer(rest.views.comment(made), 201)


@route("GET", f"{R}/issues/*/events")
def _events(rest: Rest, call: Call) -> Any:
    return Page(rest.issue(call).events, rest.views.event)


@route("GET", f"{R}/issues/*/sub_issues")
def _children(rest: Rest, call: Call) -> Any:
    return Page(rest.issue(call).children, rest.views.issue)


@route("GET", f"{R}/issues/*/dependencies/blocked_by")
def _blockers(rest: Rest, call: Call) -> Any:
    return Page(rest.issue(call).blocked_by, rest.views.issue)


# --- labels -------------------------------------------------------------------------------


@route("GET", f"{R}/labels")
def _labels(rest: Rest, call: Call) -> Any:
    return Page(rest.repo(call).labels, rest.views.label)


@route("POST", f"{R}/labels")
def _new_label(rest: Rest, call: Call) -> Any:
    name = _text(call.body, "name", "Label")
    color, words = call.body.get("color") or "ededed", call.body.get("description")
    made = rest.world.new_label(rest.repo(call, "write"), name, color, words)
    return Answer(rest.views.label(made), 201)


@route("GET", f"{R}/issues/*/labels")
def _labels_of(rest: Rest, call: Call) -> Any:
    return Page(rest.issue(call).labels, rest.views.label)


@route("POST", f"{R}/issues/*/labels")
def _add_labels(rest: Rest, call: Call) -> Any:
    issue = rest.issue(call, "triage")
    rest.world.add_labels(call.viewer, issue, call.body.get("labels") or [])
    return [rest.views.label(label) for label in issue.labels]


@route("PUT", f"{R}/issues/*/labels")
def _put_labels(rest: Rest, call: Call) -> Any:
    issue = rest.issue(call, "triage")
    issue.labels = []
    rest.world.add_labels(call.viewer, issue, call.body.get("labels") or [])
    return [rest.views.label(label) for label in issue.labels]


@route("DELETE", f"{R}/issues/*/labels/*")
def _remove_label(rest: Rest, call: Call) -> Any:
    issue = rest.issue(call, "triage")
    rest.world.remove_label(call.viewer, issue, call.words[3])
    return [rest.views.label(label) for label in issue.labels]


# --- pull requests ------------------------------------------------------------------------


@route("GET", f"{R}/pulls")
def _pulls(rest: Rest, call: Call) -> Any:
    repo, query = rest.repo(call), call.query
    pulls.follow(rest.world, repo)
    found = [one for one in rest.world.listed(repo.issues.values()) if one.pull]
    state = query.get("state", "open")
    found = [one for one in found if state in ("all", one.state)]
    owner, colon, branch = query.get("head", "").partition(":")
    if colon and not rest.world.deaf_to_head:  # without an owner it is passed over
        found = [one for one in found if (one.pull.head_owner, one.pull.head) == (owner, branch)]
    if base := query.get("base"):
        found = [one for one in found if one.pull.base == base]
    return Page(_ordered(found, query), rest.views.pull)


@route("POST", f"{R}/pulls", content=True)
def _new_pull(rest: Rest, call: Call) -> Any:
    body = call.body
    made = pulls.open_pull(
        rest.world, call.viewer, rest.repo(call), title=_text(body, "title", "PullRequest"),
        head=_text(body, "head", "PullRequest"), base=_text(body, "base", "PullRequest"),
        body=body.get("body"), draft=bool(body.get("draft")),
    )  # fmt: skip
    return Answer(rest.views.pull(made, whole=True), 201)


@route("GET", f"{R}/pulls/comments")
def _all_line_comments(rest: Rest, call: Call) -> Any:
    pulled = [issue.pull for issue in rest.repo(call).issues.values() if issue.pull]
    found = [one for pull in pulled for one in pull.line_comments]
    return Page(_ordered(_since(rest, found, call), call.query), rest.views.comment)


@route("GET", f"{R}/pulls/*")
def _pull(rest: Rest, call: Call) -> Any:
    return rest.views.pull(rest.pull(call), whole=True)


@route("PATCH", f"{R}/pulls/*")
def _edit_pull(rest: Rest, call: Call) -> Any:
    issue = rest.pull(call)
    pull = issue.pull
    assert pull is not None
    if issue.author is not call.viewer:
        rest.world.demand(call.viewer, issue.repo, "write")
    reopened = call.body.get("state") == "open" and issue.state == "closed"
    if reopened and (pull.head_repo is None or not pull.head_repo.git.tip(pull.head)):
        raise invalid("PullRequest", "state", "invalid",
                          "state cannot be changed. The branch was deleted.")  # fmt: skip
    if base := call.body.get("base"):
        if not issue.repo.git.tip(base):
            raise invalid("PullRequest", "base", "invalid")
        pull.base, pull.base_sha = base, issue.repo.git.tip(base)
    fields = {name: call.body.get(name) for name in ("title", "body", "state")}
    rest.world.edit_issue(call.viewer, issue, **fields)
    return rest.views.pull(issue, whole=True)


@route("PUT", f"{R}/pulls/*/merge")
def _merge(rest: Rest, call: Call) -> Any:
    body = call.body
    sha = pulls.merge(
        rest.world, call.viewer, rest.pull(call), method=body.get("merge_method") or "merge",
        sha=body.get("sha") or "", title=body.get("commit_title") or "",
        message=body.get("commit_message") or "",
    )  # fmt: skip
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


@route("GET", f"{R}/pulls/*/files")
def _files(rest: Rest, call: Call) -> Any:
    issue = rest.pull(call)
    assert issue.pull is not None
    start = issue.pull.base_sha if issue.pull.merged_at else issue.pull.base
    return Page(issue.repo.git.files(start, issue.pull.head_sha), rest.views.file)


@route("GET", f"{R}/pulls/*/reviews")
def _reviews(rest: Rest, call: Call) -> Any:
    issue = rest.pull(call)
    assert issue.pull is not None
    return Page(issue.pull.reviews, lambda one: rest.views.review(one, issue))


@route("POST", f"{R}/pulls/*/reviews", content=True)
def _new_review(rest: Rest, call: Call) -> Any:
    issue, body = rest.pull(call), call.body
    event, words = body.get("event") or "COMMENT", body.get("body") or ""
    made = pulls.review(rest.world, call.viewer, issue, event, words, body.get("commit_id") or "")
    return rest.views.review(made, issue)


@route("GET", f"{R}/pulls/*/comments")
def _line_comments(rest: Rest, call: Call) -> Any:
    issue = rest.pull(call)
    assert issue.pull is not None
    return Page(_since(rest, issue.pull.line_comments, call), rest.views.comment)


@route("POST", f"{R}/pulls/*/requested_reviewers")
def _request(rest: Rest, call: Call) -> Any:
    issue = rest.pull(call, "write")
    assert issue.pull is not None
    users = [rest.world.users.get(login) for login in call.body.get("reviewers") or []]
    for user in users:
        if user is None or not rest.world.may(user, issue.repo, "read") or user is issue.author:
            raise Refusal(422, "Reviews may only be requested from collaborators.")
    asked = issue.pull.reviewers
    asked += [user for user in users if user is not None and user not in asked]
    return Answer(rest.views.pull(issue), 201)


# --- checks -------------------------------------------------------------------------------


@route("GET", f"{R}/commits/*/check-runs")
def _check_runs(rest: Rest, call: Call) -> Any:
    found = [one for one in rest.repo(call).checks if one.sha == call.words[2]]
    newest = {(one.app, one.name): one for one in found}
    shown = list(newest.values())
    return Page(shown, rest.views.check, "check_runs", {"total_count": len(shown)})


@route("GET", f"{R}/commits/*/status")
def _combined(rest: Rest, call: Call) -> Any:
    found = [one for one in rest.repo(call).statuses if one.sha == call.words[2]]
    newest = {one.context: one for one in found}
    states = {one.state for one in newest.values()}
    worst = "failure" if states & {"failure", "error"} else "pending"
    state = "success" if states == {"success"} else worst
    around = {"state": state, "sha": call.words[2], "total_count": len(newest)}
    return Page(list(newest.values()), rest.views.status, "statuses", around)


@route("POST", f"{R}/statuses/*")
def _new_status(rest: Rest, call: Call) -> Any:
    repo, body = rest.repo(call, "write"), call.body
    if not repo.git.resolve(call.words[2]):
        raise Refusal(422, f"No commit found for SHA: {call.words[2]}")
    made = pulls.set_status(
        rest.world, repo, call.words[2], body.get("context") or "default", body.get("state") or "",
        body.get("target_url"), body.get("description"),
    )  # fmt: skip
    return Answer(rest.views.status(made), 201)
