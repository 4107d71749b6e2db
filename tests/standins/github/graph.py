"""GraphQL of the stand-in: the documents that our client and the real `gh` send, by graphql-core.

Invariant: a document is checked against `schema.graphql` as GitHub checks one against its own, and
what is wrong is told in GitHub's words and form (`type`, `extensions.code`).
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    build_schema,
    execute_sync,
    parse,
    specified_rules,
    validate,
)

from tests.standins.github import pulls
from tests.standins.github.limits import Limits
from tests.standins.github.nodes import Nodes, connection, state_of
from tests.standins.github.views import stamp
from tests.standins.github.world import Board, Issue, Label, Refusal, Repo, User, World

SCHEMA = Path(__file__).with_name("schema.graphql")
CONTENT = {"createIssue", "addComment", "createPullRequest", "addPullRequestReview"}
# GitHub lets one name be of several types in several branches, and gh makes use of it.
RULES = [rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule]
_UNKNOWN = re.compile(r"Cannot query field '(\w+)' on type '(\w+)'")


class Graph:
    def __init__(self, world: World, limits: Limits, site: str) -> None:
        self.world, self.limits, self.site = world, limits, site
        self._schemas: dict[bool, GraphQLSchema] = {}
        self.old = False
        """An older server: without `blockedBy`."""

    def schema(self) -> GraphQLSchema:
        if self.old not in self._schemas:
            text = SCHEMA.read_text("utf-8")
            if self.old:
                text = re.sub(r"^  block(edBy|ing)\(.*\n", "", text, flags=re.M)
            self._schemas[self.old] = build_schema(text, assume_valid_sdl=False)
        return self._schemas[self.old]

    def run(self, viewer: User, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one document."""
        try:
            document = parse(request.get("query") or "")
        except GraphQLError as error:
            return {"errors": [{"message": error.message, "extensions": {"code": "parseError"}}]}
        if faults := validate(self.schema(), document, RULES):
            return {"errors": [_of_validation(fault) for fault in faults]}
        nodes = Nodes(self.world, self.site, viewer)
        with self.world.lock:
            done = execute_sync(
                self.schema(), document, Root(self, nodes), context_value=nodes,
                variable_values=request.get("variables") or {},
                type_resolver=lambda value, _info, _kind: _kind_of(value),
            )  # fmt: skip
        answer: dict[str, Any] = {"data": done.data}
        if done.errors:
            answer["errors"] = [_of_execution(error) for error in done.errors]
        return answer


def operation(request: dict[str, Any]) -> tuple[str, bool, bool]:
    """A document's name, and whether it writes, and whether content."""
    try:
        document = parse(request.get("query") or "")
    except GraphQLError:
        return "", False, False
    for part in document.definitions:
        if isinstance(part, OperationDefinitionNode):
            fields = {
                one.name.value
                for one in part.selection_set.selections
                if isinstance(one, FieldNode)
            }
            write = part.operation is OperationType.MUTATION
            return (part.name.value if part.name else ""), write, bool(fields & CONTENT)
    return "", False, False


def cost(request: dict[str, Any]) -> int:
    """Points: a hundredth of the lists that have to be opened, at least one."""
    try:
        document = parse(request.get("query") or "")
    except GraphQLError:
        return 1
    fragments = {
        part.name.value: part for part in document.definitions
        if not isinstance(part, OperationDefinitionNode)
    }  # fmt: skip
    variables = request.get("variables") or {}
    total = sum(
        _lists(part, 1, variables, fragments)
        for part in document.definitions
        if isinstance(part, OperationDefinitionNode)
    )
    return max(1, round(total / 100))


def _lists(node: Any, times: int, variables: dict[str, Any], fragments: dict[str, Any]) -> int:
    total = 0
    for one in node.selection_set.selections if node.selection_set else ():
        if isinstance(one, FragmentSpreadNode):
            total += _lists(fragments[one.name.value], times, variables, fragments)
            continue
        size = 0
        for argument in getattr(one, "arguments", None) or ():
            if argument.name.value in ("first", "last"):
                value = argument.value
                name = getattr(getattr(value, "name", None), "value", None)
                size = int(variables.get(name) or 0) if name else int(getattr(value, "value", 0))
        if size:
            total += times
        total += _lists(one, times * (size or 1), variables, fragments)
    return total


def _kind_of(value: Any) -> str:
    return value["kind"] if isinstance(value, dict) else value.kind


def _of_validation(error: GraphQLError) -> dict[str, Any]:
    match = _UNKNOWN.search(error.message)
    if match:
        name, kind = match.groups()
        return {
            "message": f"Field '{name}' doesn't exist on type '{kind}'", "path": ["query"],
            "extensions": {"code": "undefinedField", "typeName": kind, "fieldName": name},
        }  # fmt: skip
    return {"message": error.message, "extensions": {"code": "argumentLiteralsIncompatible"}}


def _of_execution(error: GraphQLError) -> dict[str, Any]:
    cause = error.original_error
    if isinstance(cause, Refusal):
        told = [one if isinstance(one, str) else one.get("message", "") for one in cause.errors]
        words = next((one for one in told if one), cause.message)
        return {"type": cause.kind, "path": error.path, "message": words}
    if cause is not None:
        raise cause
    return {"message": error.message, "path": error.path, "extensions": {"code": "badInput"}}


def _fits(issue: Issue, name: str, value: str) -> bool:
    """Whether one word of a search is true of it; words that are not known are passed over."""
    words = {
        "repo": {issue.repo.full_name},
        "is": {"pr" if issue.pull else "issue", state_of(issue).lower(), issue.state},
        "type": {"pr" if issue.pull else "issue"},
        "state": {issue.state},
        "label": {label.name for label in issue.labels},
        "author": {issue.author.login if issue.author else "ghost"},
    }
    return value in words.get(name, {value})


class Root:
    """Queries and mutations."""

    def __init__(self, graph: Graph, nodes: Nodes) -> None:
        self._graph, self._nodes, self._world = graph, nodes, nodes.world
        self._me = nodes.viewer
        self.viewer = nodes.actor(nodes.viewer)

    def repository(self, _info: Any, owner: str, name: str, **_rest: Any) -> Any:
        owner, name = self._world.moved.get(f"{owner}/{name}", f"{owner}/{name}").split("/")
        try:
            return self._nodes.repo(self._world.repo(self._me, owner, name))
        except Refusal as error:
            words = f"Could not resolve to a Repository with the name '{owner}/{name}'."
            raise Refusal(404, words) from error

    def repositoryOwner(self, _info: Any, login: str) -> Any:  # noqa: N802
        return self._nodes.actor(self._world.users.get(login))

    def organization(self, _info: Any, login: str) -> Any:
        raise Refusal(404, f"Could not resolve to an Organization with the login of '{login}'.")

    def user(self, _info: Any, login: str) -> Any:
        return self._nodes.actor(self._world.users.get(login))

    def node(self, _info: Any, id: str) -> Any:
        return self._nodes.node(self._thing(id))

    def nodes(self, _info: Any, ids: list[str]) -> Any:
        return [self._nodes.node(self._thing(one)) for one in ids]

    def rateLimit(self, _info: Any, **_rest: Any) -> Any:  # noqa: N802
        window = self._graph.limits.window(self._me.login, "graphql")
        return {"cost": 1, "limit": window.limit, "used": window.used, "nodeCount": 1,
                "remaining": window.limit - window.used, "resetAt": stamp(window.reset)}  # fmt: skip

    def search(self, _info: Any, query: str, type: str, **page: Any) -> Any:
        """Issues and PRs by the words that gh uses: `repo:`, `is:`, `state:`, `label:`, `author:`."""
        words = [word.split(":", 1) for word in shlex.split(query) if ":" in word]
        found = [
            issue for repo in self._world.repos.values() for issue in repo.issues.values()
            if self._world.may(self._me, repo, "read") and all(_fits(issue, *word) for word in words)
        ]  # fmt: skip
        shown = connection(found, self._nodes.issue, lambda one: (-one.created, -one.id), page)
        return {"issueCount": shown["totalCount"], **shown}

    def _thing(self, node: str, kind: type | None = None) -> Any:
        thing = self._world.nodes.get(node)
        if thing is None or (kind and not isinstance(thing, kind)):
            raise Refusal(404, f"Could not resolve to a node with the global id of '{node}'")
        return thing

    def _issue(self, node: str) -> Issue:
        found = self._thing(node, Issue)
        assert isinstance(found, Issue)
        pulls.follow(self._world, found.repo)
        return found

    # --- issues ---------------------------------------------------------------------------

    def createIssue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        repo = self._thing(input["repositoryId"], Repo)
        made = self._world.new_issue(
            self._me, repo, input["title"], input.get("body"), labels=self._names(input)
        )
        if parent := input.get("parentIssueId"):
            self._world.add_child(self._issue(parent), made)
        self._people(made, input)
        return {"issue": self._nodes.issue(made)}

    def _names(self, given: dict[str, Any]) -> list[str]:
        return [self._thing(one, Label).name for one in given.get("labelIds") or ()]

    def _people(self, issue: Issue, given: dict[str, Any]) -> None:
        if (ids := given.get("assigneeIds")) is not None:
            issue.assignees = [self._thing(one, User) for one in ids]

    def _changed(self, issue: Issue, given: dict[str, Any]) -> None:
        if issue.author is not self._me:
            self._world.demand(self._me, issue.repo, "triage")
        state = given.get("state")
        self._world.edit_issue(
            self._me, issue, title=given.get("title"), body=given.get("body"),
            state=state.lower() if state else None,
        )  # fmt: skip
        if given.get("labelIds") is not None:
            issue.labels = []
            self._world.add_labels(self._me, issue, self._names(given))
        self._people(issue, given)

    def updateIssue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue = self._issue(input["id"])
        self._changed(issue, input)
        return {"issue": self._nodes.issue(issue)}

    def _stated(self, node: str, state: str, reason: str | None = None) -> Any:
        issue = self._issue(node)
        if issue.author is not self._me:
            self._world.demand(self._me, issue.repo, "triage")
        self._world.set_state(self._me, issue, state, reason.lower() if reason else None)
        return self._nodes.issue(issue)

    def closeIssue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        return {"issue": self._stated(input["issueId"], "closed", input.get("stateReason"))}

    def reopenIssue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        return {"issue": self._stated(input["issueId"], "open")}

    def addComment(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        made = self._world.new_comment(self._me, self._issue(input["subjectId"]), input["body"])
        return {"commentEdge": {"node": self._nodes.comment(made)}}

    def replaceActorsForAssignable(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue = self._issue(input["assignableId"])
        self._world.demand(self._me, issue.repo, "triage")
        people = [self._thing(one, User).login for one in input.get("actorIds") or ()]
        people += input.get("actorLogins") or []
        self._world.edit_issue(self._me, issue, assignees=people)
        return {}

    def addLabelsToLabelable(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue = self._issue(input["labelableId"])
        self._world.demand(self._me, issue.repo, "triage")
        self._world.add_labels(self._me, issue, self._names(input))
        return {}

    def removeLabelsFromLabelable(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue = self._issue(input["labelableId"])
        self._world.demand(self._me, issue.repo, "triage")
        for name in self._names(input):
            self._world.remove_label(self._me, issue, name)
        return {}

    def _pair(self, input: dict[str, Any], name: str) -> tuple[Issue, Issue]:
        issue, other = self._issue(input["issueId"]), self._issue(input[name])
        self._world.demand(self._me, issue.repo, "triage")
        return issue, other

    def addSubIssue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue, child = self._pair(input, "subIssueId")
        self._world.add_child(issue, child, replace=bool(input.get("replaceParent")))
        return {"issue": self._nodes.issue(issue), "subIssue": self._nodes.issue(child)}

    def removeSubIssue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue, child = self._pair(input, "subIssueId")
        self._world.remove_child(issue, child)
        return {"issue": self._nodes.issue(issue), "subIssue": self._nodes.issue(child)}

    def addBlockedBy(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue, other = self._pair(input, "blockingIssueId")
        self._world.block(issue, other)
        return {"issue": self._nodes.issue(issue)}

    def removeBlockedBy(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue, other = self._pair(input, "blockingIssueId")
        self._world.unblock(issue, other)
        return {"issue": self._nodes.issue(issue)}

    # --- pull requests --------------------------------------------------------------------

    def createPullRequest(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        repo = self._thing(input["repositoryId"], Repo)
        source = input.get("headRepositoryId")
        made = pulls.open_pull(
            self._world, self._me, repo, title=input["title"], head=input["headRefName"],
            base=input["baseRefName"], body=input.get("body"), draft=bool(input.get("draft")),
            head_repo=self._thing(source, Repo) if source else None,
        )  # fmt: skip
        return {"pullRequest": self._nodes.issue(made)}

    def _pull(self, input: dict[str, Any]) -> Issue:
        found = self._issue(input["pullRequestId"])
        if found.pull is None:
            raise Refusal(404, "Could not resolve to a PullRequest")
        return found

    def updatePullRequest(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue = self._pull(input)
        self._changed(issue, input)
        return {"pullRequest": self._nodes.issue(issue)}

    def closePullRequest(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        return {"pullRequest": self._stated(input["pullRequestId"], "closed")}

    def reopenPullRequest(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        return {"pullRequest": self._stated(input["pullRequestId"], "open")}

    def mergePullRequest(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue = self._pull(input)
        pulls.merge(
            self._world, self._me, issue, method=(input.get("mergeMethod") or "MERGE").lower(),
            sha=input.get("expectedHeadOid") or "", title=input.get("commitHeadline") or "",
            message=input.get("commitBody") or "",
        )  # fmt: skip
        assert state_of(issue) == "MERGED"
        return {"pullRequest": self._nodes.issue(issue)}

    def markPullRequestReadyForReview(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue = self._pull(input)
        assert issue.pull is not None
        issue.pull.draft = False
        return {"pullRequest": self._nodes.issue(issue)}

    def addPullRequestReview(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        issue = self._pull(input)
        pulls.review(
            self._world, self._me, issue, input.get("event") or "COMMENT", input.get("body") or ""
        )
        return {"pullRequestReview": None}

    # --- boards ---------------------------------------------------------------------------

    def addProjectV2ItemById(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        board, content = self._thing(input["projectId"], Board), self._issue(input["contentId"])
        if content.node not in board.cards:
            board.cards[content.node] = {"id": f"PVTI_{self._world.new_id()}"}
        return {"item": self._nodes.card(board, content.node)}

    def updateProjectV2ItemFieldValue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        board = self._thing(input["projectId"], Board)
        option = input["value"].get("singleSelectOptionId")
        if option not in dict(board.options):
            raise Refusal(422, "The single select option Id does not belong to the field")
        for content, card in board.cards.items():
            if card["id"] == input["itemId"]:
                card["option"] = option
                return {"projectV2Item": self._nodes.card(board, content)}
        raise Refusal(404, "Could not resolve to a node")
