"""Pull requests of Gitea and Forgejo.

Invariants: as in `orch.ports.Forge`.

- What is merged is what the server says is merged; the head whose checks were read is named in the
  request that merges it, and the server refuses another (H80, H81).
- A PR is found by its branch over all pages, newest first (H60): there is no list of one branch.
- A draft is a title that begins with `WIP:`; people see it there, and nobody here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from orch.forges import remote, rules
from orch.forges.hosted import HostedForge, service_of
from orch.hosts.failures import Invalid, Missing, Refused
from orch.hosts.gitea.client import GITEA, LONGEST_TITLE, Gitea
from orch.hosts.gitea.shapes import Pull, Review, Status
from orch.hosts.gitea.talk import author, may_write, say
from orch.hosts.moments import utc
from orch.hosts.sticky import fitting
from orch.model import marks
from orch.model.errors import Conflict, OrchError, ToolFailed
from orch.model.pull import Check, CheckState, LineRemark, PullRequest, Verdict, spelled

if TYPE_CHECKING:
    from orch.hosts.service import Service
    from orch.model.effect import Strategy
    from orch.model.repo import Repo
    from orch.plugins import Premises
    from orch.ports import Git

PLUGIN_API = 1
_SAID: dict[str, CheckState] = {
    "success": "success", "failure": "failure", "error": "failure", "warning": "neutral",
    "skipped": "neutral",
}  # fmt: skip
_SAYING = {"pending": "pending", "success": "success", "failure": "failure", "neutral": "warning"}
_GONE = "refs/pull/"
_LONGEST_REVIEW = 60_000


def make(premises: Premises) -> GiteaForge:
    service = service_of(GITEA, premises)
    return GiteaForge(premises.name, service, premises.git, remote.chosen_projects(premises))


class GiteaForge(HostedForge[str, Pull]):
    """`orch.ports.Forge` and `orch.ports.reviews.Reviewed` of one server. A project is `owner/name`
    as the server spells it now."""

    draft = "WIP: "
    longest_title = LONGEST_TITLE
    closing: ClassVar = {"state": "closed"}
    reopening: ClassVar = {"state": "open"}

    def __init__(self, name: str, service: Service, git: Git, projects: dict[str, str]) -> None:
        super().__init__(name, service, git, projects)
        self._gitea = Gitea(service)

    # --- what is known of commits

    def checks(self, repo: Repo, head_sha: str) -> Sequence[Check]:
        """The newest status of each context."""
        self._path(repo)
        sha = rules.commit_id(head_sha)
        try:
            statuses = self._gitea.statuses(self._project(repo), sha)
        except Missing:
            return ()  # a commit that the server has not seen
        newest = {one.context: one for one in sorted(statuses, key=lambda one: one.id)}
        return tuple(sorted(map(_check, newest.values()), key=lambda check: check.name))

    def set_check(
        self, repo: Repo, head_sha: str, name: str, state: CheckState, *, url: str = "",
        summary: str = "",
    ) -> Check:  # fmt: skip
        self._path(repo)
        sha = rules.commit_id(head_sha)
        rules.check_words(name, state)
        fields = {
            "state": _SAYING[state], "context": name, "target_url": url,
            "description": rules.text("check", summary),
        }  # fmt: skip
        return _check(self._gitea.set_status(self._project(repo), sha, fields))

    # --- people

    def verdicts(self, repo: Repo, number: int) -> Sequence[Verdict]:
        """See the port. A comment takes back nothing; a review that was dismissed is none."""
        place, me = self._project(repo), self._gitea.me()
        self._one(repo, number)
        newest: dict[int, Review] = {}
        reviews = self._gitea.reviews(place, number)
        for one in sorted(reviews, key=lambda one: one.id):
            judged = one.state in ("APPROVED", "REQUEST_CHANGES")
            if one.user is not None and judged and one.user.id != me.id:
                newest[one.user.id] = one
        kept = sorted((one for one in newest.values() if not one.dismissed), key=lambda one: one.id)
        return [self._verdict(place, number, one) for one in kept]

    def say(self, repo: Repo, number: int, body: str, *, key: str, known: str = "") -> str:
        self._one(repo, number)
        return say(self._gitea, self._project(repo), number, body, key=key, known=known)

    def judge(
        self, repo: Repo, number: int, *, approve: bool, body: str, head_sha: str, key: str
    ) -> None:
        """A review with the mark of `key`; on our own pull request a comment (H82)."""
        pull, place, me = self.get_pr(repo, number), self._project(repo), self._gitea.me()
        rules.refuse_moved(pull, head_sha)
        for one in self._gitea.reviews(place, number):
            if one.user == me and marks.has(one.body or "", key):
                return
        fields = {
            "event": "APPROVED" if approve else "REQUEST_CHANGES", "commit_id": pull.head_sha,
            "body": fitting(body, key, _LONGEST_REVIEW),
        }  # fmt: skip
        try:
            self._gitea.write_review(place, number, fields)
        except Invalid as error:
            if "your own pull" not in error.message:
                raise
            self.say(repo, number, body, key=key)

    def ask_reviewers(self, repo: Repo, number: int, names: Sequence[str]) -> None:
        there = {one.login.lower() for one in self._one(repo, number).requested_reviewers or []}
        bare = dict.fromkeys(name.lstrip("@") for name in names)
        wanted = [name for name in bare if name.lower() not in there]
        if not wanted:
            return
        try:
            self._gitea.ask_reviewers(self._project(repo), number, wanted)
        except Missing as error:
            names_told = ", ".join(wanted)
            raise remote.unknown_reviewer(names_told, self._service.place.name) from error

    # --- how

    def _ask_project(self, path: str) -> str:
        return self._gitea.repository(path).full_name

    def _ask(self, project: str, number: int) -> Pull:
        return self._gitea.pull(project, number)

    def _every(self, project: str) -> Iterable[Pull]:
        return self._gitea.pulls(project)

    def _with_head(self, project: str, head: str) -> Pull | None:
        for one in self._gitea.pulls(project) if head else ():
            if one.head.label == head and not self._of_a_fork(one):
                return one
        return None

    def _has_branch(self, project: str, there: Pull) -> bool:
        return not there.head.ref.startswith(_GONE)

    def _of_a_fork(self, there: Pull) -> bool:
        return there.head.repo_id != there.base.repo_id

    def _base_sha(self, there: Pull) -> str:
        return there.merge_base or ""

    def _open(
        self, project: str, *, head: str, base: str, title: str, body: str, labels: Sequence[str]
    ) -> Pull:
        ids = self._gitea.label_ids(project, labels, _colour)
        fields = {"head": head, "base": base, "title": title, "body": body, "labels": ids}
        return self._gitea.open_pull(project, fields)

    def _change(self, project: str, number: int, **fields: str) -> Pull:
        return self._gitea.change_pull(project, number, **fields)

    def _refuse(
        self, repo: Repo, there: Pull, pull: PullRequest, strategy: Strategy, ignore_checks: bool
    ) -> None:
        if not self._has_branch(self._project(repo), there):
            raise rules.head_gone(pull)
        if not ignore_checks:
            rules.refuse_unready(pull, self.checks(repo, pull.head_sha))

    def _land(self, repo: Repo, pull: PullRequest, strategy: Strategy, words: str) -> PullRequest:
        title, _, rest = words.partition("\n")
        fields = {
            "Do": strategy, "MergeTitleField": title, "MergeMessageField": rest.strip(),
            "head_commit_id": pull.head_sha, "delete_branch_after_merge": False,
        }  # fmt: skip
        try:
            self._gitea.merge(self._project(repo), pull.number, fields)
        except (Refused, Missing) as error:
            there = self._one(repo, pull.number)
            if not there.merged:
                raise _refused(self._looked(repo, there), pull.head_sha, there, error) from error
        else:
            there = self._one(repo, pull.number)
        if not there.merged:
            raise ToolFailed(
                f"{self._service.place.name} did not say what became of the merge of"
                f" {spelled(pull)}.",
                code="outcome_unknown",
                hint=f"orch pr show {spelled(pull)}",
            )
        return self._looked(repo, there)

    def _verdict(self, place: str, number: int, review: Review) -> Verdict:
        assert review.user is not None
        changes = review.state == "REQUEST_CHANGES"
        lines = self._gitea.review_lines(place, number, review.id) if changes else []
        return Verdict(
            id=str(review.id),
            reviewer=review.user.login,
            state="changes" if changes else "approved",
            body=review.body or "",
            commit=review.commit_id,
            at=utc(review.submitted_at),
            trusted=may_write(self._gitea, place, author(review.user)),
            remarks=tuple(
                LineRemark(one.path, one.position or one.original_position, one.body or "")
                for one in lines
                if one.resolver is None
            ),
        )

    def _pull(self, repo: Repo, there: Pull) -> PullRequest:
        return PullRequest(
            repo=repo.slug,
            number=there.number,
            url=there.html_url,
            state="merged" if there.merged else "open" if there.state == "open" else "closed",
            head=there.head.label,
            base=there.base.label,
            title=remote.bare_title(there.title) if there.draft else there.title,
            body=there.body or "",
            head_sha=there.head.sha,
            draft=there.draft,
            labels=tuple(label.name for label in there.labels or []),
            forge=self.name,
            created=utc(there.created_at),
            merged_sha=there.merge_commit_sha or "" if there.merged else "",
            merged_at=utc(there.merged_at) if there.merged else "",
        )


def _colour(name: str) -> str:
    """Of a label that the repository does not have yet."""
    return "c5def5"


def _check(status: Status) -> Check:
    return Check(
        name=status.context,
        state=_SAID.get(status.status, "pending"),
        url=status.target_url,
        summary=status.description,
        at=utc(status.updated_at or status.created_at),
    )


def _refused(pull: PullRequest, expected: str, there: Pull, error: OrchError) -> OrchError:
    """Why the server did not merge it, by what the pull request shows now and by its words."""
    words = error.message.lower()
    if pull.head_sha != expected:
        return rules.head_moved(pull, expected)
    if pull.state == "closed":
        return rules.closed(pull)
    if not there.mergeable or "conflict" in words:
        return remote.conflict(pull)
    for word, why, code in (
        ("try again later", "the server has not looked at it yet", "checks_pending"),
        ("approvals", "an approval is missing", "review_required"),
        ("review", "a review stands in the way", "review_required"),
        ("status check", "a check that the branch needs has not passed", "checks_pending"),
        ("out of date", "its base has moved on", "base_moved"),
    ):
        if word in words:
            return remote.blocked(pull, why, code)
    return Conflict(error.message, code="merge_refused", hint=f"orch pr show {spelled(pull)}")
