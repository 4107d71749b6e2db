"""What the stand-in knows as GraphQL shows it: one class for each type of the schema.

Invariant: an attribute or method has the schema's name; what takes arguments is a method whose first
is the resolver's info. `kind` is the type's name, which unions and interfaces go by.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from tests.standins.github import pulls
from tests.standins.github.views import stamp
from tests.standins.github.world import (
    Board,
    Check,
    Comment,
    Issue,
    Label,
    Milestone,
    Refusal,
    Repo,
    Review,
    Status,
    User,
    World,
)


class Nodes:
    """Makes them, for one viewer."""

    def __init__(self, world: World, site: str, viewer: User) -> None:
        self.world, self.site, self.viewer = world, site, viewer

    def node(self, thing: Any) -> Any:
        makers: dict[type, Callable[[Any], Any]] = {
            Issue: self.issue, User: self.actor, Repo: self.repo, Board: self.board,
            Label: label, Comment: self.comment,
        }  # fmt: skip
        return makers[type(thing)](thing)

    def actor(self, user: User | None) -> Any:
        return Actor(self, user) if user else None

    def repo(self, repo: Repo | None) -> Any:
        return RepoNode(self, repo) if repo else None

    def issue(self, issue: Issue | None) -> Any:
        if issue is None:
            return None
        return PullNode(self, issue) if issue.pull else IssueNode(self, issue)

    def comment(self, one: Comment) -> dict[str, Any]:
        page = f"{self.site}/{one.issue.repo.full_name}/issues/{one.issue.number}"
        return {
            "kind": "IssueComment", "id": f"IC_{one.id}", "databaseId": one.id, "body": one.body,
            "author": self.actor(one.author), "authorAssociation": "NONE",
            "createdAt": stamp(one.created), "updatedAt": stamp(one.updated),
            "includesCreatedEdit": one.updated > one.created, "isMinimized": False,
            "reactionGroups": [], "url": f"{page}#issuecomment-{one.id}",
            "viewerDidAuthor": one.author is self.viewer,
        }  # fmt: skip

    def board(self, board: Board) -> dict[str, Any]:
        options = [{"id": option, "name": name} for option, name in board.options]

        def field(_info: Any, name: str) -> dict[str, Any] | None:
            if name.lower() == "status":
                kind = "ProjectV2SingleSelectField"
                return {"kind": kind, "id": f"{board.id}_F", "name": "Status", "options": options}
            if name == "Notes":
                return {"kind": "ProjectV2Field", "id": f"{board.id}_N", "name": "Notes"}
            return None

        return {"kind": "ProjectV2", "id": board.id, "number": board.number, "title": board.title,
                "closed": False, "field": field}  # fmt: skip

    def cards(self, issue: Issue) -> list[dict[str, Any]]:
        return [
            self.card(board, issue.node) for board in self.world.boards if issue.node in board.cards
        ]

    def card(self, board: Board, content: str) -> dict[str, Any]:
        card = board.cards[content]

        def value(_info: Any, name: str) -> dict[str, Any] | None:
            if name != "Status" or not card.get("option"):
                return None
            text = dict(board.options)[card["option"]]
            return {"kind": "ProjectV2ItemFieldSingleSelectValue", "id": "v", "name": text,
                    "optionId": card["option"]}  # fmt: skip

        return {"kind": "ProjectV2Item", "id": card["id"], "project": self.board(board),
                "isArchived": False, "fieldValueByName": value}  # fmt: skip


class Actor:
    def __init__(self, nodes: Nodes, user: User) -> None:
        self._nodes = nodes
        self.kind, self.id, self.login, self.name = user.kind, user.node, user.login, user.name
        if self.kind == "Bot":
            self.login = user.login.removesuffix("[bot]")
        self.databaseId, self.url = user.id, f"{nodes.site}/{user.login}"

    def projectV2(self, _info: Any, number: int) -> Any:  # noqa: N802
        for board in self._nodes.world.boards:
            if (board.owner, board.number) == (self.login, number):
                return self._nodes.board(board)
        raise Refusal(404, f"Could not resolve to a ProjectV2 with the number {number}.")


class RepoNode:
    kind = "Repository"
    sshUrl, description, hasWikiEnabled, hasIssuesEnabled = "", "", False, True  # noqa: N815
    mergeCommitAllowed = rebaseMergeAllowed = squashMergeAllowed = True  # noqa: N815
    deleteBranchOnMerge = False  # noqa: N815

    def __init__(self, nodes: Nodes, repo: Repo) -> None:
        self._nodes, self._repo = nodes, repo
        self.id, self.databaseId, self.name = repo.node, repo.id, repo.name
        self.nameWithOwner, self.url = repo.full_name, f"{nodes.site}/{repo.full_name}"
        self.owner, self.parent = nodes.actor(repo.owner), nodes.repo(repo.parent)
        self.isArchived, self.isFork, self.isPrivate = (
            repo.archived,
            bool(repo.parent),
            repo.private,
        )
        self.viewerPermission = nodes.world.right(nodes.viewer, repo).upper()
        self.defaultBranchRef = {"kind": "Ref", "id": "REF", "name": repo.default_branch}

    def _of_kind(self, *, pull: bool) -> list[Issue]:
        listed = self._nodes.world.listed(self._repo.issues.values())
        return [one for one in listed if bool(one.pull) is pull]

    def issues(
        self, _info: Any, orderBy: Any = None, states: Any = None, labels: Any = None,  # noqa: N803
        filterBy: Any = None, **page: Any,  # noqa: N803
    ) -> Any:  # fmt: skip
        wanted = filterBy or {}
        found = self._of_kind(pull=False)
        if states := states or wanted.get("states"):
            found = [one for one in found if one.state.upper() in states]
        if since := wanted.get("since"):
            found = [one for one in found if (stamp(one.updated) or "") >= since]
        for name in labels or wanted.get("labels") or ():
            found = [one for one in found if name in {x.name for x in one.labels}]
        if login := wanted.get("createdBy"):
            found = [one for one in found if one.author and one.author.login == login]
        return connection(found, self._nodes.issue, by(orderBy), page)

    def pullRequests(  # noqa: N802
        self, _info: Any, orderBy: Any = None, states: Any = None, baseRefName: str = "",  # noqa: N803
        headRefName: str = "", labels: Any = None, **page: Any,  # noqa: N803
    ) -> Any:  # fmt: skip
        pulls.follow(self._nodes.world, self._repo)
        found = [one for one in self._of_kind(pull=True) if one.pull]
        if states:
            found = [one for one in found if state_of(one) in states]
        if headRefName:
            found = [one for one in found if one.pull and one.pull.head == headRefName]
        if baseRefName:
            found = [one for one in found if one.pull and one.pull.base == baseRefName]
        return connection(found, self._nodes.issue, by(orderBy), page)

    def _numbered(self, number: int, what: str, *, pull: bool | None) -> Any:
        issue = self._repo.issues.get(number)
        if issue is None or (pull is not None and bool(issue.pull) is not pull):
            raise Refusal(404, f"Could not resolve to {what} with the number of {number}.")
        pulls.follow(self._nodes.world, self._repo)
        return self._nodes.issue(issue)

    def issue(self, _info: Any, number: int) -> Any:
        return self._numbered(number, "an Issue", pull=False)

    def pullRequest(self, _info: Any, number: int) -> Any:  # noqa: N802
        return self._numbered(number, "a PullRequest", pull=True)

    def issueOrPullRequest(self, _info: Any, number: int) -> Any:  # noqa: N802
        return self._numbered(number, "an issue or pull request", pull=None)

    def labels(self, _info: Any, query: str = "", orderBy: Any = None, **page: Any) -> Any:  # noqa: N803
        found = [one for one in self._repo.labels if (query or "").lower() in one.name.lower()]
        return connection(found, label, lambda one: (one.id,), page)

    def milestones(self, _info: Any, states: Any = None, **page: Any) -> Any:
        found = [one for one in self._repo.milestones if not states or one.state.upper() in states]
        return connection(found, milestone, lambda one: (one.id,), page)

    def assignableUsers(self, _info: Any, query: str = "", **page: Any) -> Any:  # noqa: N802
        world = self._nodes.world
        found = [user for user in world.users.values() if world.may(user, self._repo, "triage")]
        return connection(found, self._nodes.actor, lambda one: (one.id,), page)


class Thing:
    """What issues and PRs have in common."""

    reactionGroups: tuple[()] = ()  # noqa: N815
    issueType = None  # noqa: N815
    isPinned = False  # noqa: N815

    def __init__(self, nodes: Nodes, issue: Issue) -> None:
        self._nodes, self._issue = nodes, issue
        self.id, self.number, self.title = issue.node, issue.number, issue.title
        self.databaseId, self.fullDatabaseId = issue.id, str(issue.id)
        self.body, self.locked, self.author = (
            issue.body or "",
            issue.locked,
            nodes.actor(issue.author),
        )
        self.state = state_of(issue)
        self.createdAt, self.updatedAt = stamp(issue.created), stamp(issue.updated)
        self.closedAt = stamp(issue.closed)
        self.authorAssociation = "OWNER" if issue.author is issue.repo.owner else "NONE"
        page = "pull" if issue.pull else "issues"
        self.url = f"{nodes.site}/{issue.repo.full_name}/{page}/{issue.number}"
        self.milestone = milestone(issue.milestone) if issue.milestone else None
        self.repository = nodes.repo(issue.repo)

    def assignees(self, _info: Any, **page: Any) -> Any:
        return connection(self._issue.assignees, self._nodes.actor, None, page)

    def labels(self, _info: Any, **page: Any) -> Any:
        return connection(self._issue.labels, label, None, page)

    def comments(self, _info: Any, **page: Any) -> Any:
        listed = self._nodes.world.listed(self._issue.comments)
        return connection(listed, self._nodes.comment, lambda one: (one.id,), page)

    def projectItems(self, _info: Any, includeArchived: bool = True, **page: Any) -> Any:  # noqa: N802, N803
        return connection(self._nodes.cards(self._issue), lambda one: one, None, page)


class IssueNode(Thing):
    kind = "Issue"

    def __init__(self, nodes: Nodes, issue: Issue) -> None:
        super().__init__(nodes, issue)
        total, done = len(issue.children), sum(one.state == "closed" for one in issue.children)
        percent = 100 * done // total if total else 0
        self.lastEditedAt, self.editor = stamp(issue.edited), nodes.actor(issue.editor)
        self.subIssuesSummary = {"total": total, "completed": done, "percentCompleted": percent}

    def timelineItems(self, _info: Any, itemTypes: Any = None, **page: Any) -> Any:  # noqa: N802, N803
        def shown(one: dict[str, Any]) -> dict[str, Any]:
            return {"kind": "RenamedTitleEvent", "id": f"RTE_{one['id']}",
                    "createdAt": stamp(one["at"]), "actor": self._nodes.actor(one["actor"]),
                    "currentTitle": one["title"], "previousTitle": one["was"]}  # fmt: skip

        renamed = [one for one in self._issue.events if one["event"] == "renamed"]
        return connection(renamed, shown, None, page)

    def parent(self, _info: Any) -> Any:
        return self._nodes.issue(self._issue.parent)

    def stateReason(self, _info: Any, enableDuplicate: bool = False) -> str | None:  # noqa: N802, N803
        return self._issue.reason.upper() if self._issue.reason else None

    def _others(self, others: Iterable[Issue], page: dict[str, Any]) -> Any:
        world, viewer = self._nodes.world, self._nodes.viewer

        def shown(one: Issue) -> Any:
            return self._nodes.issue(one) if world.may(viewer, one.repo, "read") else None

        return connection(list(others), shown, None, page)

    def subIssues(self, _info: Any, **page: Any) -> Any:  # noqa: N802
        return self._others(self._issue.children, page)

    def blockedBy(self, _info: Any, **page: Any) -> Any:  # noqa: N802
        return self._others(self._issue.blocked_by, page)

    def blocking(self, _info: Any, **page: Any) -> Any:
        repos = self._nodes.world.repos.values()
        every = [one for repo in repos for one in repo.issues.values()]
        return self._others([one for one in every if self._issue in one.blocked_by], page)


class PullNode(Thing):
    kind = "PullRequest"
    autoMergeRequest = None  # noqa: N815
    maintainerCanModify = isInMergeQueue = isMergeQueueEnabled = False  # noqa: N815

    def __init__(self, nodes: Nodes, issue: Issue) -> None:
        super().__init__(nodes, issue)
        pull = issue.pull
        assert pull is not None
        self._pull = pull
        self.isDraft, self.mergedAt = pull.draft, stamp(pull.merged_at)
        self.mergedBy = nodes.actor(pull.merged_by)
        self.headRefName, self.headRefOid = pull.head, pull.head_sha
        self.headRepository = nodes.repo(pull.head_repo)
        self.headRepositoryOwner = nodes.actor(pull.head_repo.owner) if pull.head_repo else None
        self.baseRefName, self.baseRefOid = pull.base, pull.base_sha
        self.isCrossRepository = pull.head_repo is not issue.repo
        self.mergeCommit = (
            {"kind": "Commit", "id": "C", "oid": pull.merge_sha} if pull.merge_sha else None
        )

    def mergeable(self, _info: Any) -> str:
        return {True: "MERGEABLE", False: "CONFLICTING", None: "UNKNOWN"}[
            pulls.mergeable(self._issue)
        ]

    def mergeStateStatus(self, _info: Any) -> str:  # noqa: N802
        able = pulls.mergeable(self._issue)
        return "DRAFT" if self.isDraft else {True: "CLEAN", False: "DIRTY", None: "UNKNOWN"}[able]

    def _files(self) -> list[tuple[str, str, int, int]]:
        return self._issue.repo.git.files(self._pull.base, self._pull.head_sha)

    def additions(self, _info: Any) -> int:
        return sum(one[2] for one in self._files())

    def deletions(self, _info: Any) -> int:
        return sum(one[3] for one in self._files())

    def changedFiles(self, _info: Any) -> int:  # noqa: N802
        return len(self._files())

    def reviewDecision(self, _info: Any) -> str | None:  # noqa: N802
        newest = {
            one.author and one.author.id: one.state
            for one in self._pull.reviews
            if one.state != "COMMENTED"
        }
        states = set(newest.values())
        return next((one for one in ("CHANGES_REQUESTED", "APPROVED") if one in states), None)

    def commits(self, _info: Any, **page: Any) -> Any:
        repo, sha = self._issue.repo, self._pull.head_sha
        rollup = Rollup(self._nodes, repo, sha)
        commit = {"kind": "Commit", "id": f"C_{sha}", "oid": sha,
                  "statusCheckRollup": rollup if rollup.all else None}  # fmt: skip
        return {"totalCount": repo.git.ahead(self._pull.base_sha, sha), "pageInfo": NO_MORE,
                "nodes": [{"kind": "PullRequestCommit", "id": "PC", "commit": commit}]}  # fmt: skip

    def reviews(self, _info: Any, **page: Any) -> Any:
        def shown(one: Review) -> dict[str, Any]:
            commit = {"kind": "Commit", "id": "C", "oid": one.commit}
            return {"kind": "PullRequestReview", "id": f"PRR_{one.id}", "state": one.state,
                    "author": self._nodes.actor(one.author), "authorAssociation": "NONE",
                    "submittedAt": stamp(one.at), "body": one.body, "commit": commit,
                    "reactionGroups": [], "url": self.url}  # fmt: skip

        return connection(self._pull.reviews, shown, None, page)

    def reviewRequests(self, _info: Any, **page: Any) -> Any:  # noqa: N802
        def shown(user: User) -> dict[str, Any]:
            return {
                "kind": "ReviewRequest",
                "id": "RR",
                "requestedReviewer": self._nodes.actor(user),
            }

        return connection(self._pull.reviewers, shown, None, page)

    def closingIssuesReferences(self, _info: Any, **page: Any) -> Any:  # noqa: N802
        return connection([], self._nodes.issue, None, page)


class Rollup:
    kind = "StatusCheckRollup"

    def __init__(self, nodes: Nodes, repo: Repo, sha: str) -> None:
        self.id = f"SCR_{sha}"
        checks = {one.name: one for one in repo.checks if one.sha == sha}
        statuses = {one.context: one for one in repo.statuses if one.sha == sha}
        self.all = [*map(self._check, checks.values()), *map(self._status, statuses.values())]
        states = {one.get("conclusion") or one["state"] for one in self.all}
        self.state = "SUCCESS" if states <= {"SUCCESS", "NEUTRAL", "SKIPPED"} else "PENDING"
        self.state = "FAILURE" if states & {"FAILURE", "ERROR"} else self.state

    def contexts(self, _info: Any, **page: Any) -> Any:
        return connection(self.all, lambda one: one, None, page)

    @staticmethod
    def _check(one: Check) -> dict[str, Any]:
        done = one.status == "completed"
        return {"kind": "CheckRun", "id": f"CR_{one.id}", "name": one.name, "state": "PENDING",
                "status": one.status.upper(), "checkSuite": None, "isRequired": False,
                "conclusion": (one.conclusion or "").upper() or None if done else None,
                "startedAt": "2026-01-01T00:00:00Z",
                "completedAt": "2026-01-01T00:01:00Z" if done else None,
                "detailsUrl": None}  # fmt: skip

    @staticmethod
    def _status(one: Status) -> dict[str, Any]:
        return {"kind": "StatusContext", "id": f"SC_{one.id}", "context": one.context,
                "state": one.state.upper(), "targetUrl": one.url, "createdAt": stamp(one.at),
                "description": one.description, "isRequired": False}  # fmt: skip


NO_MORE = {"hasNextPage": False, "endCursor": None, "hasPreviousPage": False, "startCursor": None}


def state_of(issue: Issue) -> str:
    return "MERGED" if issue.pull and issue.pull.merged_at else issue.state.upper()


def label(one: Label) -> dict[str, Any]:
    return {"kind": "Label", "id": f"LA_{one.id}", "name": one.name, "color": one.color,
            "description": one.description}  # fmt: skip


def milestone(one: Milestone) -> dict[str, Any]:
    return {"kind": "Milestone", "id": f"MI_{one.id}", "number": one.number, "title": one.title,
            "description": None, "dueOn": one.due_on, "state": one.state.upper()}  # fmt: skip


def by(order: dict[str, str] | None) -> Callable[[Any], Any]:
    """The key of an order; newest first is a key that falls."""
    order = order or {"field": "CREATED_AT", "direction": "ASC"}
    sign = -1 if order["direction"] == "DESC" else 1
    if order["field"] == "UPDATED_AT":
        return lambda one: (sign * one.updated, sign * one.id)
    return lambda one: (sign * one.created, sign * one.id)


def _cursor(key: tuple[float, ...]) -> str:
    text = ":".join(repr(float(part)) for part in key)
    return base64.b64encode(text.encode()).decode()


def _position(after: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in base64.b64decode(after).decode().split(":"))
    except ValueError as error:
        words = f"`{after}` does not appear to be a valid cursor."
        raise Refusal(422, words, kind="INVALID_CURSOR_ARGUMENTS") from error


def connection(
    items: list[Any], show: Callable[[Any], Any], key: Callable[[Any], Any] | None,
    page: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """A page of a list. With a key its cursors are of the key, so that they hold when things move;
    without one they count."""
    ranked = [(key(one) if key else (number,), one) for number, one in enumerate(items)]
    ranked.sort(key=lambda pair: pair[0])
    total = len(ranked)
    if after := page.get("after"):
        start = _position(after)
        ranked = [pair for pair in ranked if pair[0] > start]
    first, last = page.get("first"), page.get("last")
    more = first is not None and len(ranked) > first
    chosen = ranked[-last:] if last is not None else ranked[:first]
    start_of = _cursor(chosen[0][0]) if chosen else None
    end = _cursor(chosen[-1][0]) if chosen else None
    info = {**NO_MORE, "hasNextPage": more, "endCursor": end, "startCursor": start_of}
    return {"totalCount": total, "nodes": [show(one) for _, one in chosen], "pageInfo": info}
