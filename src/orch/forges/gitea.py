"""Pull requests of Gitea and Forgejo.

Invariants: as in `orch.ports.Forge`.

- What is merged is what the server says is merged; the head whose checks were read is named in the
  request that merges it, and the server refuses another (H80, H81).
- A PR is found by its branch over all pages, newest first (H60): there is no list of one branch.
- A draft is a title that begins with `WIP:`; people see it there, and nobody here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orch.forges import remote, rules
from orch.hosts import shared
from orch.hosts.failures import Invalid, Missing, Refused
from orch.hosts.gitea.client import GITEA, LONGEST_TITLE, Gitea
from orch.hosts.gitea.shapes import Pull, Repository, Review, Status
from orch.hosts.gitea.talk import author, may_write, say
from orch.hosts.moments import utc
from orch.hosts.sticky import fitting
from orch.model import marks
from orch.model.errors import Conflict, MergeConflict, OrchError, ToolFailed
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
    settings = premises.settings
    service = shared.service(
        GITEA, premises.environ, url=settings.base_url if settings else "",
        token=settings.token if settings else shared.NO_TOKEN,
        purpose=f"forges.{premises.name}.token", now=premises.clock.now,
        accounts=premises.accounts,
    )  # fmt: skip
    return GiteaForge(premises.name, service, premises.git, remote.chosen_projects(premises))


class GiteaForge:
    """`orch.ports.Forge` and `orch.ports.reviews.Reviewed` of one server."""

    def __init__(self, name: str, service: Service, git: Git, projects: dict[str, str]) -> None:
        self.name = name
        self._service, self._git, self._chosen = service, git, projects
        self._gitea = Gitea(service)
        self._known: dict[str, tuple[Repo, Repository]] = {}

    # --- what is there

    def find_pr(self, repo: Repo, head: str) -> PullRequest | None:
        return self._with_head(repo, head)

    def list_prs(self, repo: Repo | None = None) -> Sequence[PullRequest]:
        """All, newest first; without a repository those of all that were spoken of so far."""
        if repo is not None:
            found = {one.number: one for one in self._gitea.pulls(self._place(repo))}
            return tuple(self._pull(repo, found[number]) for number in sorted(found, reverse=True))
        every = [pull for known, _ in list(self._known.values()) for pull in self.list_prs(known)]
        every.sort(key=lambda pull: (pull.created, pull.repo, pull.number), reverse=True)
        return tuple(every)

    def get_pr(self, repo: Repo, number: int) -> PullRequest:
        return self._pull(repo, self._one(repo, number))

    def refresh_pr(self, repo: Repo, number: int) -> PullRequest:
        """The server itself follows branches and sees what was merged by hand."""
        return self._looked(repo, self._one(repo, number))

    # --- what becomes of it

    def open_pr(
        self, repo: Repo, *, head: str, base: str, head_sha: str, title: str, body: str,
        draft: bool, labels: Sequence[str], key: str,
    ) -> PullRequest:  # fmt: skip
        self._path(repo)
        text = rules.with_marker(rules.text("body", body), key)
        words = rules.text("title", title)
        named = [rules.text("label", label) for label in labels]
        if found := self._with_head(repo, rules.text("head", head)):
            return found
        place = self._place(repo)
        fields = {
            "head": head, "base": rules.text("base", base), "body": text,
            "title": remote.given_title(words, "WIP: " if draft else "", LONGEST_TITLE, head),
            "labels": self._gitea.label_ids(place, named, _colour),
        }  # fmt: skip
        try:
            return self._pull(repo, self._gitea.open_pull(place, fields))
        except Refused:
            # Somebody was faster, or the list lagged behind.
            if found := self._with_head(repo, head):
                return found
            raise

    def merge_pr(
        self, repo: Repo, number: int, *, strategy: Strategy, expected_head: str, key: str,
        message: str = "", ignore_checks: bool = False, trial: bool = False,
    ) -> PullRequest:  # fmt: skip
        rules.marker(key)  # refuses what is no key
        there = self._one(repo, number)
        pull = self._looked(repo, there)
        if expected_head not in ("", pull.head_sha):
            raise rules.head_moved(pull, expected_head)
        if pull.state == "merged":
            return pull
        if pull.state == "closed":
            raise rules.closed(pull)
        if there.head.ref.startswith(_GONE):
            raise rules.head_gone(pull)
        if not ignore_checks:
            rules.refuse_unready(pull, self.checks(repo, pull.head_sha))
        if trial:
            return pull
        if pull.draft:
            self._gitea.change_pull(self._place(repo), number, title=pull.title)
        return self._landed(repo, pull, strategy, message, key)

    def close_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        pull = self.get_pr(repo, number)
        if pull.state == "merged":
            raise rules.merged(pull, "closed")
        return pull if trial or pull.state == "closed" else self._turned(repo, number, "closed")

    def reopen_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        there = self._one(repo, number)
        pull = self._pull(repo, there)
        if pull.state == "merged":
            raise rules.merged(pull, "opened again")
        if pull.state == "open":
            return pull
        if there.head.ref.startswith(_GONE):
            raise rules.head_gone(pull)
        return pull if trial else self._turned(repo, number, "open")

    def delete_head(self, repo: Repo, number: int) -> bool:
        there = self._one(repo, number)
        pull = self._pull(repo, there)
        if pull.state != "merged":
            raise rules.not_merged(pull)
        if _of_a_fork(there):
            raise remote.foreign_branch(pull)
        return self._git.delete_at_remote(repo, pull.head, expected=pull.head_sha)

    # --- what is known of commits

    def checks(self, repo: Repo, head_sha: str) -> Sequence[Check]:
        """The newest status of each context."""
        self._path(repo)
        sha = rules.commit_id(head_sha)
        try:
            statuses = self._gitea.statuses(self._place(repo), sha)
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
        return _check(self._gitea.set_status(self._place(repo), sha, fields))

    # --- people

    def verdicts(self, repo: Repo, number: int) -> Sequence[Verdict]:
        """See the port. A comment takes back nothing; a review that was dismissed is none."""
        place, me = self._place(repo), self._gitea.me()
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
        return say(self._gitea, self._place(repo), number, body, key=key, known=known)

    def judge(
        self, repo: Repo, number: int, *, approve: bool, body: str, head_sha: str, key: str
    ) -> None:
        """A review with the mark of `key`; on our own pull request a comment (H82)."""
        pull, place, me = self.get_pr(repo, number), self._place(repo), self._gitea.me()
        if head_sha not in ("", pull.head_sha):
            raise rules.head_moved(pull, head_sha)
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
            self._gitea.ask_reviewers(self._place(repo), number, wanted)
        except Missing as error:
            names_told = ", ".join(wanted)
            raise remote.unknown_reviewer(names_told, self._service.place.name) from error

    # --- how

    def _path(self, repo: Repo) -> str:
        return remote.project_path(repo, self.name, self._service.place, self._chosen)

    def _place(self, repo: Repo) -> str:
        """`owner/name` as the server spells it now, asked for once."""
        path = self._path(repo)
        known = self._known.get(repo.slug)
        if known is None or known[0].remote_url != repo.remote_url:
            known = (repo, self._gitea.repository(path))
            self._known[repo.slug] = known
        return known[1].full_name

    def _one(self, repo: Repo, number: int) -> Pull:
        place = self._place(repo)
        if number < 1:
            raise rules.unknown(repo, number)
        try:
            return self._gitea.pull(place, number)
        except Missing as error:
            raise rules.unknown(repo, number) from error

    def _with_head(self, repo: Repo, head: str) -> PullRequest | None:
        """The newest of this repository's own branch; a fork's branch of that name is another one."""
        place = self._place(repo)
        for one in self._gitea.pulls(place) if head else ():
            if one.head.label == head and not _of_a_fork(one):
                return self._pull(repo, one)
        return None

    def _turned(self, repo: Repo, number: int, state: str) -> PullRequest:
        return self._pull(repo, self._gitea.change_pull(self._place(repo), number, state=state))

    def _landed(
        self, repo: Repo, pull: PullRequest, strategy: Strategy, message: str, key: str
    ) -> PullRequest:
        words = remote.trailed(message or rules.merge_message(pull, strategy), key)
        title, _, rest = words.partition("\n")
        fields = {
            "Do": strategy, "MergeTitleField": title, "MergeMessageField": rest.strip(),
            "head_commit_id": pull.head_sha, "delete_branch_after_merge": False,
        }  # fmt: skip
        try:
            self._gitea.merge(self._place(repo), pull.number, fields)
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

    def _looked(self, repo: Repo, there: Pull) -> PullRequest:
        """With what only a look at the one pull request tells."""
        from msgspec.structs import replace

        return replace(self._pull(repo, there), base_sha=there.merge_base or "")

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


def _of_a_fork(there: Pull) -> bool:
    return there.head.repo_id != there.base.repo_id


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
        return MergeConflict(
            f"Pull request {spelled(pull)} is in conflict with {pull.base}.",
            hint=f"orch pr diff {spelled(pull)}",
            files=[],
        )
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
