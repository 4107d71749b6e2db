"""How the stand-in shows what it knows over REST: GitHub's names, nulls and URLs.

Invariant: pure; what is gone is null as it is there (a ghost's `user`, a deleted fork's `repo`).
"""

from __future__ import annotations

import time
from typing import Any

from tests.standins.github import pulls
from tests.standins.github.world import (
    Check,
    Comment,
    Issue,
    Label,
    Milestone,
    Repo,
    Review,
    Status,
    User,
    World,
)


def stamp(at: float | None) -> str | None:
    return None if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


class Views:
    """`site` is where the stand-in is: pages and API alike."""

    def __init__(self, world: World, site: str) -> None:
        self.world, self.site = world, site

    def user(self, user: User | None) -> dict[str, Any] | None:
        if user is None:
            return None
        return {
            "login": user.login, "id": user.id, "node_id": user.node, "type": user.kind,
            "site_admin": False, "url": f"{self.site}/users/{user.login}",
            "html_url": f"{self.site}/{user.login}", "avatar_url": "",
        }  # fmt: skip

    def repo(self, repo: Repo, viewer: User) -> dict[str, Any]:
        right = self.world.right(viewer, repo)
        order = ["pull", "triage", "push", "maintain", "admin"]
        have = ["none", "read", "triage", "write", "maintain", "admin"].index(right)
        return {
            "id": repo.id, "node_id": repo.node, "name": repo.name, "full_name": repo.full_name,
            "owner": self.user(repo.owner), "private": repo.private, "fork": bool(repo.parent),
            "archived": repo.archived, "default_branch": repo.default_branch, "has_issues": True,
            "description": None, "html_url": f"{self.site}/{repo.full_name}",
            "url": f"{self.site}/repos/{repo.full_name}",
            "clone_url": f"{self.site}/{repo.full_name}.git",
            "permissions": {word: n < have for n, word in enumerate(order)},
            "allow_merge_commit": True, "allow_squash_merge": True, "allow_rebase_merge": True,
            **({"parent": {"full_name": repo.parent.full_name}} if repo.parent else {}),
        }  # fmt: skip

    def label(self, label: Label) -> dict[str, Any]:
        return {
            "id": label.id, "node_id": f"LA_{label.id}", "name": label.name, "color": label.color,
            "default": False, "description": label.description, "url": "",
        }  # fmt: skip

    def milestone(self, one: Milestone | None) -> dict[str, Any] | None:
        if one is None:
            return None
        return {
            "id": one.id, "node_id": f"MI_{one.id}", "number": one.number, "title": one.title,
            "state": one.state, "due_on": one.due_on, "description": None, "open_issues": 0,
            "closed_issues": 0,
        }  # fmt: skip

    def association(self, issue: Issue, user: User | None) -> str:
        if user is None:
            return "NONE"
        if user is issue.repo.owner:
            return "OWNER"
        return "COLLABORATOR" if self.world.may(user, issue.repo, "triage") else "NONE"

    def issue(self, issue: Issue) -> dict[str, Any]:
        api = f"{self.site}/repos/{issue.repo.full_name}"
        kind = "pull" if issue.pull else "issues"
        shown = {
            "id": issue.id, "node_id": issue.node, "number": issue.number, "title": issue.title,
            "url": f"{api}/issues/{issue.number}", "repository_url": api,
            "html_url": f"{self.site}/{issue.repo.full_name}/{kind}/{issue.number}",
            "body": issue.body, "state": issue.state, "state_reason": issue.reason,
            "user": self.user(issue.author), "locked": issue.locked,
            "author_association": self.association(issue, issue.author),
            "labels": [self.label(label) for label in issue.labels],
            "assignees": [self.user(user) for user in issue.assignees],
            "assignee": self.user(issue.assignees[0]) if issue.assignees else None,
            "milestone": self.milestone(issue.milestone), "comments": len(issue.comments),
            "created_at": stamp(issue.created), "updated_at": stamp(issue.updated),
            "closed_at": stamp(issue.closed),
        }  # fmt: skip
        if issue.pull:
            shown["pull_request"] = {
                "url": f"{api}/pulls/{issue.number}", "merged_at": stamp(issue.pull.merged_at),
                "html_url": shown["html_url"],
            }  # fmt: skip
        return shown

    def comment(self, comment: Comment) -> dict[str, Any]:
        issue = comment.issue
        api = f"{self.site}/repos/{issue.repo.full_name}"
        kind = "pull" if issue.pull else "issues"
        page = f"{self.site}/{issue.repo.full_name}/{kind}/{issue.number}"
        shown = {
            "id": comment.id, "node_id": f"IC_{comment.id}", "body": comment.body,
            "user": self.user(comment.author), "created_at": stamp(comment.created),
            "updated_at": stamp(comment.updated), "html_url": f"{page}#issuecomment-{comment.id}",
            "author_association": self.association(issue, comment.author),
        }  # fmt: skip
        if comment.path:
            return shown | {
                "pull_request_url": f"{api}/pulls/{issue.number}", "path": comment.path,
                "line": comment.line, "commit_id": comment.commit, "diff_hunk": "",
                "pull_request_review_id": comment.review.id if comment.review else None,
                "url": f"{api}/pulls/comments/{comment.id}",
            }  # fmt: skip
        return shown | {
            "issue_url": f"{api}/issues/{issue.number}",
            "performed_via_github_app": None,
            "url": f"{api}/issues/comments/{comment.id}",
        }

    def event(self, event: dict[str, Any]) -> dict[str, Any]:
        shown = {
            "id": event["id"], "event": event["event"], "actor": self.user(event["actor"]),
            "created_at": stamp(event["at"]), "commit_id": None,
        }  # fmt: skip
        if label := event.get("label"):
            shown["label"] = {"name": label.name, "color": label.color}
        if event["event"] == "renamed":
            shown["rename"] = {"from": event["was"], "to": event["title"]}
        return shown

    def pull(self, issue: Issue, *, whole: bool = False) -> dict[str, Any]:
        pull, repo = issue.pull, issue.repo
        assert pull is not None
        head = pull.head_repo
        shown = self.issue(issue)
        shown.pop("pull_request")
        for name in ("comments", "repository_url", "state_reason"):
            shown.pop(name)
        shown |= {
            "url": f"{self.site}/repos/{repo.full_name}/pulls/{issue.number}",
            "draft": pull.draft, "merged_at": stamp(pull.merged_at),
            "merge_commit_sha": pull.merge_sha or "f" * 40, "requested_teams": [],
            "requested_reviewers": [self.user(user) for user in pull.reviewers],
            "head": {
                "label": f"{pull.head_owner}:{pull.head}", "ref": pull.head, "sha": pull.head_sha,
                "user": self.user(self.world.users.get(pull.head_owner)) if head else None,
                "repo": {"id": head.id, "full_name": head.full_name} if head else None,
            },
            "base": {
                "label": f"{repo.owner.login}:{pull.base}", "ref": pull.base, "sha": pull.base_sha,
                "user": self.user(repo.owner), "repo": {"id": repo.id, "full_name": repo.full_name},
            },
        }  # fmt: skip
        if whole:
            able = pulls.mergeable(issue)
            if self.world.undecided and able is not None:
                self.world.undecided -= 1
                able = None
            shown |= {
                "merged": pull.merged_at is not None, "merged_by": self.user(pull.merged_by),
                "mergeable": able, "rebaseable": able, "comments": len(issue.comments),
                "mergeable_state": {True: "clean", False: "dirty", None: "unknown"}[able],
                "review_comments": len(pull.line_comments), "maintainer_can_modify": False,
                "commits": repo.git.ahead(pull.base_sha, pull.head_sha),
            }  # fmt: skip
        return shown

    def file(self, entry: tuple[str, str, int, int]) -> dict[str, Any]:
        path, letter, added, removed = entry
        status = {"A": "added", "D": "removed", "M": "modified"}.get(letter, "changed")
        return {
            "sha": None, "filename": path, "status": status, "additions": added,
            "deletions": removed, "changes": added + removed,
        }  # fmt: skip

    def review(self, review: Review, issue: Issue) -> dict[str, Any]:
        page = f"{self.site}/{issue.repo.full_name}/pull/{issue.number}"
        return {
            "id": review.id, "node_id": f"PRR_{review.id}", "user": self.user(review.author),
            "body": review.body, "state": review.state, "commit_id": review.commit,
            "submitted_at": stamp(review.at), "html_url": f"{page}#pullrequestreview-{review.id}",
            "author_association": self.association(issue, review.author),
        }  # fmt: skip

    def check(self, check: Check) -> dict[str, Any]:
        at = stamp(self.world.clock())
        return {
            "id": check.id, "node_id": f"CR_{check.id}", "name": check.name, "head_sha": check.sha,
            "status": check.status, "details_url": None, "html_url": f"{self.site}/runs/{check.id}",
            "conclusion": check.conclusion if check.status == "completed" else None,
            "started_at": at, "completed_at": at if check.status == "completed" else None,
            "app": {"id": 1, "slug": check.app, "name": check.app},
            "output": {"title": None, "summary": None, "text": None, "annotations_count": 0},
        }  # fmt: skip

    def status(self, status: Status) -> dict[str, Any]:
        return {
            "id": status.id, "context": status.context, "state": status.state,
            "target_url": status.url, "description": status.description,
            "created_at": stamp(status.at), "updated_at": stamp(status.at),
        }  # fmt: skip
