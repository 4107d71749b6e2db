"""The GraphQL documents that are sent, each with what it costs at most.

Invariant: valid by GitHub's published schema, apart from `blockedBy` and its mutations, which are
younger than it and which an older server of one's own has not; there the document without them is
asked. (A point is a hundred of the lists that a document opens, rounded up.)
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.hosts.github.graph import Asked

SYNC_PAGE = 100
BATCH = 40
"""Issues whose relations are asked for at once."""

_ACTOR = "{__typename login ...on User{databaseId} ...on Bot{databaseId}}"
_WHO = f"author{_ACTOR}"
_OTHER = "{number state repository{nameWithOwner}}"
_BLOCKED = f"blockedBy(first:50){{totalCount nodes{_OTHER}}}"
_RELATED = f"parent{_OTHER} subIssues(first:100){{totalCount nodes{_OTHER}}}"


def _fields(*, blocked: bool) -> str:
    """All that a ticket needs of an issue. `lastEditedAt` is of the body; a new title is an event."""
    return (
        "id fullDatabaseId number url title body state stateReason createdAt updatedAt closedAt"
        f" locked authorAssociation lastEditedAt {_WHO} editor{_ACTOR}"
        " assignees(first:20){totalCount nodes{login databaseId}}"
        " labels(first:100){totalCount nodes{name}}"
        " milestone{number title state dueOn}"
        " timelineItems(last:1,itemTypes:[RENAMED_TITLE_EVENT]){nodes{"
        f"...on RenamedTitleEvent{{createdAt actor{_ACTOR}}}}}}}"
        f" comments{{totalCount}} {_RELATED} {_BLOCKED if blocked else ''}"
    )


def sync(*, blocked: bool, open_only: bool = False) -> Asked:
    """One page of the issues that changed, or of those that are open."""
    states = ",states:[OPEN]" if open_only else ""
    return Asked(
        name="Sync",
        text=(
            "query Sync($owner:String!,$name:String!,$since:DateTime,$after:String,$first:Int!){"
            "repository(owner:$owner,name:$name){nameWithOwner"
            " issues(first:$first,after:$after,orderBy:{field:UPDATED_AT,direction:ASC},"
            f"filterBy:{{since:$since{states}}}){{"
            f"pageInfo{{hasNextPage endCursor}} nodes{{{_fields(blocked=blocked)}}}}}}}}}"
        ),
        cost=6,
    )


TAIL = Asked(
    name="Tail",
    text=(
        "query Tail($owner:String!,$name:String!,$last:Int!){repository(owner:$owner,name:$name){"
        "issues(last:$last,orderBy:{field:UPDATED_AT,direction:ASC}){"
        "pageInfo{startCursor} nodes{updatedAt}}}}"
    ),
)
"""The newest changes, whatever their state: where a later sync may begin."""


def one(*, blocked: bool) -> Asked:
    """One issue as a sync shows it, and where it lives now."""
    return Asked(
        name="One",
        text=(
            "query One($owner:String!,$name:String!,$number:Int!){"
            "repository(owner:$owner,name:$name){nameWithOwner issue(number:$number){"
            f"repository{{nameWithOwner}} {_fields(blocked=blocked)}}}}}}}"
        ),
        tolerates=frozenset({"NOT_FOUND"}),
    )


def relations(numbers: Sequence[int], *, blocked: bool) -> Asked:
    """Parents, children and blockers of many issues; numbers that are no issue are null."""
    fields = f"number {_RELATED} {_BLOCKED if blocked else ''}"
    issues = " ".join(f"i{int(n)}:issue(number:{int(n)}){{{fields}}}" for n in numbers)
    return Asked(
        name="Relations",
        text=(
            "query Relations($owner:String!,$name:String!){"
            f"repository(owner:$owner,name:$name){{{issues}}}}}"
        ),
        cost=2,
        tolerates=frozenset({"NOT_FOUND"}),
    )


def _mutation(name: str, kind: str, result: str) -> Asked:
    field = name[0].lower() + name[1:]
    return Asked(
        name=name, text=f"mutation {name}($input:{kind}!){{{field}(input:$input){{{result}}}}}"
    )


ADD_CHILD = _mutation("AddSubIssue", "AddSubIssueInput", "issue{id}")
REMOVE_CHILD = _mutation("RemoveSubIssue", "RemoveSubIssueInput", "issue{id}")
ADD_BLOCKER = _mutation("AddBlockedBy", "AddBlockedByInput", "clientMutationId")
REMOVE_BLOCKER = _mutation("RemoveBlockedBy", "RemoveBlockedByInput", "clientMutationId")
ADD_CARD = _mutation("AddProjectV2ItemById", "AddProjectV2ItemByIdInput", "item{id}")
SET_CARD = _mutation(
    "UpdateProjectV2ItemFieldValue", "UpdateProjectV2ItemFieldValueInput", "projectV2Item{id}"
)
READY = _mutation(
    "MarkPullRequestReadyForReview", "MarkPullRequestReadyForReviewInput", "clientMutationId"
)

BOARD = Asked(
    name="Board",
    text=(
        "query Board($owner:String!,$number:Int!,$field:String!){repositoryOwner(login:$owner){"
        "...on ProjectV2Owner{projectV2(number:$number){id number title field(name:$field){"
        "...on ProjectV2SingleSelectField{id options{id name}}}}}}}"
    ),
    tolerates=frozenset({"NOT_FOUND"}),
)
_CARDS = (
    "projectItems(first:50,after:$after,includeArchived:true){pageInfo{hasNextPage endCursor}"
    " nodes{id project{id} fieldValueByName(name:$field){"
    "...on ProjectV2ItemFieldSingleSelectValue{name}}}}"
)
CARDS = Asked(
    name="Cards",
    text=(
        "query Cards($id:ID!,$after:String,$field:String!){node(id:$id){"
        f"...on Issue{{{_CARDS}}} ...on PullRequest{{{_CARDS}}}}}}}"
    ),
)
