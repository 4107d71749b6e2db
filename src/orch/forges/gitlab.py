"""Merge requests of GitLab as pull requests.

Invariants: as in `orch.ports.Forge`.

- What is merged is what GitLab says is merged; the head whose checks were read is named in the
  request that merges it, and GitLab refuses another (H80, H81).
- A draft is a title that begins with `Draft:`; people see it there, and nobody here.
- Which project a repository is, is asked once by its path and then known by its number.

How GitLab puts a merge into the base is a setting of the project (`merge_method`): the strategy
`rebase` needs one without merge commits, `merge` is done as the project does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from orch.forges import gitlab_reviews, remote, rules
from orch.forges.hosted import HostedForge, service_of
from orch.hosts.failures import Forbidden, Invalid, Missing, NoCredential, Refused
from orch.hosts.gitlab.client import GITLAB, LONGEST_TITLE, GitLab, inert
from orch.hosts.gitlab.shapes import Merge, Pipeline, Project, Status
from orch.hosts.gitlab.talk import say
from orch.hosts.moments import utc
from orch.model.errors import Conflict, OrchError, UsageError
from orch.model.pull import Check, CheckState, PullRequest, Verdict, spelled

if TYPE_CHECKING:
    from orch.hosts.service import Service
    from orch.model.effect import Strategy
    from orch.model.repo import Repo
    from orch.plugins import Premises
    from orch.ports import Git

PLUGIN_API = 1
_STATES = {"opened": "open", "locked": "open", "merged": "merged", "closed": "closed"}
_SAID: dict[str, CheckState] = {
    "success": "success", "failed": "failure", "canceled": "failure", "canceling": "failure",
    "skipped": "neutral", "manual": "neutral",
}  # fmt: skip
_SAYING = {"pending": "pending", "success": "success", "failure": "failed", "neutral": "skipped"}
_LONGEST_SUMMARY = 255
# https://docs.gitlab.com/api/merge_requests/#merge-status
_BLOCKED = {
    "need_rebase": (
        "its base has moved on, and the project takes only what is on top",
        "base_moved",
    ),
    "draft_status": ("it is a draft", "pr_draft"),
    "ci_must_pass": ("a pipeline has failed or is missing", "checks_failed"),
    "ci_still_running": ("a pipeline has not ended", "checks_pending"),
    "external_status_checks": ("an external check has not passed", "checks_pending"),
    "not_approved": ("an approval is missing", "review_required"),
    "requested_changes": ("a reviewer asks for changes", "review_required"),
    "discussions_not_resolved": ("a discussion is not resolved", "review_required"),
}


def make(premises: Premises) -> GitLabForge:
    service = service_of(GITLAB, premises)
    return GitLabForge(premises.name, service, premises.git, remote.chosen_projects(premises))


class GitLabForge(HostedForge[Project, Merge]):
    """`orch.ports.Forge` and `orch.ports.reviews.Reviewed` of one server."""

    draft = "Draft: "
    longest_title = LONGEST_TITLE
    closing: ClassVar = {"state_event": "close"}
    reopening: ClassVar = {"state_event": "reopen"}

    def __init__(self, name: str, service: Service, git: Git, projects: dict[str, str]) -> None:
        super().__init__(name, service, git, projects)
        self._gitlab = GitLab(service)

    # --- what is known of commits

    def checks(self, repo: Repo, head_sha: str) -> Sequence[Check]:
        """Jobs and statuses by their names, and each pipeline as a whole."""
        self._path(repo)
        sha = rules.commit_id(head_sha)
        project = self._project(repo)
        try:
            found = [_check(one) for one in self._gitlab.statuses(project.id, sha)]
            pipelines = self._gitlab.pipelines(project.id, sha)
        except Missing:
            return ()  # a commit that GitLab has not seen
        found += _of_pipelines(pipelines)
        return tuple(sorted({one.name: one for one in found}.values(), key=lambda one: one.name))

    def set_check(
        self, repo: Repo, head_sha: str, name: str, state: CheckState, *, url: str = "",
        summary: str = "",
    ) -> Check:  # fmt: skip
        self._path(repo)
        sha = rules.commit_id(head_sha)
        rules.check_words(name, state)
        project = self._project(repo)
        fields = {
            "state": _SAYING[state], "name": name, "target_url": url or None,
            "description": rules.text("check", summary)[:_LONGEST_SUMMARY],
        }  # fmt: skip
        try:
            return _check(self._gitlab.set_status(project.id, sha, fields))
        except Invalid as error:
            # "Cannot transition status via :run from :running": it says so already.
            same = [one for one in self.checks(repo, sha) if (one.name, one.state) == (name, state)]
            if "transition" not in error.message or not same:
                raise
            return same[0]

    # --- people

    def verdicts(self, repo: Repo, number: int) -> Sequence[Verdict]:
        self._one(repo, number)
        return gitlab_reviews.verdicts(self._gitlab, self._project(repo).id, number)

    def say(self, repo: Repo, number: int, body: str, *, key: str, known: str = "") -> str:
        self._one(repo, number)
        project = self._project(repo).id
        return say(self._gitlab, project, "merge_requests", number, body, key=key, known=known)

    def judge(
        self, repo: Repo, number: int, *, approve: bool, body: str, head_sha: str, key: str
    ) -> None:
        """GitLab's API can approve and not ask for changes: that is said in words, as is an approval
        of what is our own, where the project does not take it (H82)."""
        pull = self.get_pr(repo, number)
        rules.refuse_moved(pull, head_sha)
        self.say(repo, number, body, key=key)
        project, me = self._project(repo).id, self._gitlab.me()
        if not approve or any(one.id == me.id for one in self._gitlab.approvers(project, number)):
            return
        try:
            self._gitlab.approve(project, number, head_sha)
        except Refused as error:
            raise rules.head_moved(self.get_pr(repo, number), head_sha) from error
        except (NoCredential, Forbidden):
            return  # not one's own, says GitLab with 401; the words are there

    def ask_reviewers(self, repo: Repo, number: int, names: Sequence[str]) -> None:
        merge, wanted = self._one(repo, number), []
        there = {one.username.lower(): one.id for one in merge.reviewers}
        for name in dict.fromkeys(name.lstrip("@") for name in names):
            if name.lower() in there:
                continue
            found = self._gitlab.users_called(name)
            if not found:
                raise remote.unknown_reviewer(name, self._service.place.name)
            wanted.append(found[0].id)
        if wanted:
            ids = [*there.values(), *wanted]
            self._gitlab.change_merge(self._project(repo).id, number, reviewer_ids=ids)

    # --- how

    def _ask_project(self, path: str) -> Project:
        return self._gitlab.project(path)

    def _ask(self, project: Project, number: int) -> Merge:
        return self._gitlab.merge(project.id, number)

    def _every(self, project: Project) -> Iterable[Merge]:
        return self._gitlab.merges(project.id)

    def _with_head(self, project: Project, head: str) -> Merge | None:
        found = self._gitlab.merges(project.id, source_branch=head) if head else []
        own = [one for one in found if one.source_branch == head and not self._of_a_fork(one)]
        return max(own, key=lambda one: one.iid) if own else None

    def _has_branch(self, project: Project, there: Merge) -> bool:
        where = project.id if there.source_project_id is None else there.source_project_id
        return self._gitlab.branch(where, there.source_branch) is not None

    def _of_a_fork(self, there: Merge) -> bool:
        return there.source_project_id != there.target_project_id

    def _base_sha(self, there: Merge) -> str:
        return (there.diff_refs.base_sha if there.diff_refs else "") or ""

    def _open(
        self, project: Project, *, head: str, base: str, title: str, body: str, labels: Sequence[str]
    ) -> Merge:  # fmt: skip
        fields = {
            "source_branch": head, "target_branch": base, "title": title,
            "description": inert(body), "labels": ",".join(labels), "remove_source_branch": False,
        }  # fmt: skip
        return self._gitlab.open_merge(project.id, fields)

    def _change(self, project: Project, number: int, **fields: str) -> Merge:
        return self._gitlab.change_merge(project.id, number, **fields)

    def _refuse(
        self, repo: Repo, there: Merge, pull: PullRequest, strategy: Strategy, ignore_checks: bool
    ) -> None:
        if not ignore_checks:
            rules.refuse_unready(pull, self.checks(repo, pull.head_sha))
        project = self._project(repo)
        _refuse_strategy(pull, project, strategy)
        if there.detailed_merge_status == "conflict":
            raise remote.conflict(pull)
        if not self._has_branch(project, there):
            raise rules.head_gone(pull)

    def _land(self, repo: Repo, pull: PullRequest, strategy: Strategy, words: str) -> PullRequest:
        squash = strategy == "squash"
        fields = {
            "sha": pull.head_sha, "squash": squash, "should_remove_source_branch": False,
            "squash_commit_message" if squash else "merge_commit_message": words,
        }  # fmt: skip
        try:
            merge = self._gitlab.accept(self._project(repo).id, pull.number, fields)
        except (Refused, Invalid, NoCredential) as error:
            merge = self._one(repo, pull.number)
            if merge.state != "merged":
                raise _refused(self._looked(repo, merge), pull.head_sha, merge, error) from error
        return self._looked(repo, merge)

    def _pull(self, repo: Repo, merge: Merge) -> PullRequest:
        landed = merge.state == "merged"
        commit = merge.merge_commit_sha or merge.squash_commit_sha or merge.sha or ""
        return PullRequest(
            repo=repo.slug,
            number=merge.iid,
            url=merge.web_url,
            state=_STATES.get(merge.state, "closed"),
            head=merge.source_branch,
            base=merge.target_branch,
            title=remote.bare_title(merge.title) if merge.draft else merge.title,
            body=merge.description or "",
            head_sha=merge.sha or "",
            draft=merge.draft,
            labels=tuple(merge.labels),
            forge=self.name,
            created=utc(merge.created_at),
            merged_sha=commit if landed else "",
            merged_at=utc(merge.merged_at) if landed else "",
        )


def _check(status: Status) -> Check:
    said = _SAID.get(status.status, "pending")
    return Check(
        name=status.name,
        state="neutral" if status.allow_failure and said == "failure" else said,
        url=status.target_url or "",
        summary=status.description or "",
        at=utc(status.finished_at or status.created_at),
    )


def _of_pipelines(pipelines: Sequence[Pipeline]) -> list[Check]:
    """The newest of each source. One that other programs' statuses made (`external`) is no news."""
    newest: dict[str, Pipeline] = {}
    for one in sorted(pipelines, key=lambda one: one.id):
        newest[one.source] = one
    return [
        Check(
            name=f"pipeline ({source})" if source else "pipeline",
            state=_SAID.get(one.status, "pending"), url=one.web_url, at=utc(one.updated_at),
        )
        for source, one in newest.items() if source != "external"
    ]  # fmt: skip


def _refuse_strategy(pull: PullRequest, project: Project, strategy: Strategy) -> None:
    if strategy == "rebase" and project.merge_method == "merge":
        raise UsageError(
            f"Pull request {spelled(pull)} cannot be rebased: {project.path_with_namespace} merges"
            " with merge commits.",
            code="strategy_refused",
            hint=f"orch pr merge {spelled(pull)} --strategy squash",
        )


def _refused(pull: PullRequest, expected: str, merge: Merge, error: OrchError) -> OrchError:
    """Why GitLab did not merge it, by what the merge request shows now."""
    if pull.head_sha != expected:
        return rules.head_moved(pull, expected)
    if pull.state == "closed":
        return rules.closed(pull)
    if merge.detailed_merge_status == "conflict":
        return remote.conflict(pull)
    if isinstance(error, NoCredential):  # GitLab's word for who may not merge
        return Forbidden(error.message, hint=GITLAB.rights)
    if why := _BLOCKED.get(merge.detailed_merge_status):
        return remote.blocked(pull, *why)
    return Conflict(error.message, code="merge_refused", hint=f"orch pr show {spelled(pull)}")
