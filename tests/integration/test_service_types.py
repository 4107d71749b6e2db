"""What our clients read of GitLab, Gitea and Linear is what others know of them, too.

The packages are installed once per checkout; without them these tests skip and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import msgspec
import pytest

from orch.hosts.gitea import shapes as gitea
from orch.hosts.gitlab import shapes as gitlab
from tests.real.parts import NotInstalled
from tests.standins.linear.server import SCHEMA
from tests.standins.typings import Typings

GITLAB = {
    "User": "UserSchema",
    "Project": "ProjectSchema",
    "Issue": "IssueSchema",
    "Linked": "IssueLinkSchema",
    "Note": "MergeRequestNoteSchema",
    "Member": "MemberSchema",
    "Merge": "ExpandedMergeRequestSchema",
    "Status": "CommitStatusSchema",
    "Pipeline": "PipelineSchema",
    "Version": "MergeRequestDiffVersionsSchema",
    "Reviewer": "MergeRequestReviewerSchema",
    "Approvals": "MergeRequestLevelMergeRequestApprovalSchema",
    "Branch": "BranchSchema",
}
GITEA = {
    "User": "User",
    "Label": "Label",
    "Repository": "Repository",
    "Issue": "Issue",
    "Comment": "Comment",
    "Happening": "TimelineComment",
    "Permission": "RepoCollaboratorPermission",
    "Side": "PRBranchInfo",
    "Pull": "PullRequest",
    "Review": "PullReview",
    "LineComment": "PullReviewComment",
    "Status": "CommitStatus",
    "Tracker": "InternalTracker",
    "Rights": "Permission",
}


LEFT_OUT = {
    "Issue.blocking_issues_count",  # of paid licences: gitlab.com MR 36398
    "Linked.references",  # every issue of API v4 has them
    "Note.position",  # of notes on lines: DiscussionNoteSchema
    "Note.resolved",
}
"""What @gitbeaker/core does not tell of GitLab, and GitLab itself does."""


def typings(service: str) -> Typings:
    try:
        return Typings(service)
    except NotInstalled as error:
        pytest.skip(f"the types of {service} could not be installed: {error}")


def unknown(room: ModuleType, names: Mapping[str, str], known: Typings) -> set[str]:
    """Fields of our shapes that the others do not have."""
    found = set()
    for ours, theirs in names.items():
        fields = known.fields(theirs)
        assert fields, theirs
        shape = getattr(room, ours)
        read = {field.encode_name for field in msgspec.structs.fields(shape)}
        found |= {f"{ours}.{name}" for name in read - fields}
    return found


def test_gitlabs_answers_have_what_we_read_of_them() -> None:
    assert unknown(gitlab, GITLAB, typings("gitlab")) == LEFT_OUT


def test_giteas_answers_have_what_we_read_of_them() -> None:
    assert unknown(gitea, GITEA, typings("gitea")) == set()


def test_the_schema_of_linears_stand_in_is_a_part_of_linears() -> None:
    known = typings("linear")
    missing = set()
    for name, kind in SCHEMA.type_map.items():
        fields = getattr(kind, "fields", None)
        if name.startswith("__") or fields is None or name in ("Query", "Mutation"):
            continue
        missing |= {f"{name}.{field}" for field in set(fields) - known.fields(name)}
    for root in ("Query", "Mutation"):
        missing |= set(SCHEMA.type_map[root].fields) - known.fields(root)
    assert missing == set()
