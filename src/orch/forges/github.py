"""Pull requests of GitHub: the forge `github`.

Invariants, beside those of `orch.ports.Forge`:

- A PR is ours by its head branch in the repository itself: one of a fork with a branch of the same
  name is a stranger's (H65, H94), and every state and page is looked at before another is made (H60).
- What GitHub says is the truth; nothing is kept here but names.
- What got no answer is `outcome_unknown`: the same call again looks first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from orch.forges import remote, rules
from orch.forges.github_merging import Merging
from orch.forges.github_project import Projects, numbered, shown
from orch.forges.github_reviews import Reviewing
from orch.hosts.failures import Invalid, Missing
from orch.hosts.github import shared
from orch.hosts.github.checks import LONGEST
from orch.hosts.github.facts import Label
from orch.hosts.github.voice import LONGEST as LONGEST_BODY, Voice
from orch.hosts.service import sure
from orch.model import marks
from orch.model.effect import Strategy
from orch.model.errors import Conflict, ToolFailed
from orch.model.pull import Check, CheckState, PullRequest, Verdict, spelled
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.hosts.github.client import GitHub
    from orch.hosts.github.facts import Pull
    from orch.plugins import Premises

PLUGIN_API = 1
_LONGEST_TITLE = 256
_log = logging.getLogger(__name__)


def make(premises: Premises) -> GitHubForge:
    settings = premises.settings
    client = shared.client(
        premises.environ, url=settings.base_url if settings else "",
        token=settings.token if settings else None, purpose=f"{premises.table}.token",
        accounts=premises.accounts,
    )  # fmt: skip
    return GitHubForge(premises, client)


class GitHubForge:
    """The `Forge` and `Reviewed` of all repositories whose remote is at this GitHub.

    Options (`[forges.NAME.options]`): `projects` gives `owner/name` by slug where the remote does
    not say it; `reviewers` (people) and `milestone` (its title) are given to each new PR.
    """

    def __init__(
        self, premises: Premises, github: GitHub, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.name = premises.name
        self._github, self._git = github, premises.git
        self._options: dict[str, Any] = dict(getattr(premises.settings, "options", {}))
        self._projects = Projects(
            github, premises.clock, premises.name, remote.chosen_projects(premises)
        )
        self._voice = Voice(github, now=premises.clock.now)
        self._reviewing = Reviewing(github, self._voice)
        self._merging = Merging(
            self.name, github, premises.git, premises.clock, checks=self.checks,
            verdicts=self.verdicts, sleep=sleep,
        )  # fmt: skip

    # --- pull requests ------------------------------------------------------------------------

    def open_pr(
        self, repo: Repo, *, head: str, base: str, head_sha: str, title: str, body: str,
        draft: bool, labels: Sequence[str], key: str,
    ) -> PullRequest:  # fmt: skip
        """See the port. The newest PR of that branch is the answer, an open one before all others."""
        title, body = rules.text("title", title), rules.text("body", body)
        whole = _fitting(body, key)
        labels = [rules.text("label", label) for label in labels]
        project = self._projects.of(repo)
        found = self._found(project, rules.text("head", head))
        if found is None:
            found = self._created(
                project, head=head, base=rules.text("base", base), body=whole, draft=draft,
                title=title[:_LONGEST_TITLE] if title.strip() else head,
            )  # fmt: skip
        if found.state == "open" and key and marks.has(found.body, key):
            found = self._dressed(project, found, labels)
        return shown(repo, found, self.name)

    def find_pr(self, repo: Repo, head: str) -> PullRequest | None:
        found = self._found(self._projects.of(repo), head) if head else None
        return shown(repo, found, self.name) if found else None

    def list_prs(self, repo: Repo | None = None) -> Sequence[PullRequest]:
        """See the port. Without a repository: of those that this process has spoken of."""
        repos = [repo] if repo else list(self._projects.known.values())
        found = [
            shown(one, pull, self.name)
            for one in repos
            for pull in self._github.pulls.all(self._projects.of(one))
            if not pull.foreign
        ]
        if repo:
            return tuple(sorted(found, key=lambda pull: pull.number, reverse=True))
        return rules.newest_first(found)

    def get_pr(self, repo: Repo, number: int) -> PullRequest:
        return shown(repo, self._got(repo, number), self.name)

    def refresh_pr(self, repo: Repo, number: int) -> PullRequest:
        """As `get_pr`: GitHub itself follows the branch, and sees who merged."""
        return self.get_pr(repo, number)

    def merge_pr(
        self, repo: Repo, number: int, *, strategy: Strategy, expected_head: str, key: str,
        message: str = "", ignore_checks: bool = False, trial: bool = False,
    ) -> PullRequest:  # fmt: skip
        """See the port; besides: `Conflict` (`changes_requested`, `merge_refused` where GitHub wants
        something else first)."""
        rules.marker(key)  # refuses what is no key
        project = self._projects.of(repo)
        with numbered(repo, number):
            return self._merging.merge(
                repo, project, number, strategy=strategy, expected_head=expected_head, key=key,
                message=message, ignore_checks=ignore_checks, trial=trial,
            )  # fmt: skip

    def close_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        pull = self._got(repo, number)
        if pull.state == "open" and not trial:
            pull = self._set(repo, number, "closed")
        if pull.state == "merged":
            raise rules.merged(shown(repo, pull, self.name), "closed")
        return shown(repo, pull, self.name)

    def reopen_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        """See the port; besides `Conflict(pr_exists)` where another open PR has its branch."""
        pull = self._got(repo, number)
        record = shown(repo, pull, self.name)
        if rules.is_open(record):
            return record
        if not self._github.repositories.branch(pull.head_repo or pull.repo, pull.head):
            raise rules.head_gone(record)
        if trial:
            return record
        try:
            return shown(repo, self._set(repo, number, "open"), self.name)
        except Invalid as refused:
            raise Conflict(
                f"Pull request {spelled(record)} cannot be opened again: {refused.message}",
                code="pr_exists",
                hint=f"Look whether another one has the branch {record.head}: orch pr list",
            ) from refused

    def delete_head(self, repo: Repo, number: int) -> bool:
        """See the port. Git does it, because it compares the branch with what was merged."""
        pull = self._got(repo, number)
        record = shown(repo, pull, self.name)
        if pull.state != "merged":
            raise rules.not_merged(record)
        if pull.foreign:
            raise Conflict(
                f"The branch {pull.head} of pull request {spelled(record)} is in another repository.",
                code="branch_foreign",
                hint=f"orch pr show {spelled(record)}",
            )
        return self._git.delete_at_remote(repo, pull.head, expected=pull.head_sha)

    # --- checks -------------------------------------------------------------------------------

    def checks(self, repo: Repo, head_sha: str) -> Sequence[Check]:
        sha, project = rules.commit_id(head_sha), self._projects.of(repo)
        try:
            return tuple(self._github.checks.of(project, sha))
        except (Invalid, Missing) as error:
            if "No commit found" in error.message:
                return ()  # nothing of it has been pushed
            raise

    def set_check(
        self, repo: Repo, head_sha: str, name: str, state: CheckState, *, url: str = "",
        summary: str = "",
    ) -> Check:  # fmt: skip
        """See the port. It becomes a status: neutral is shown as success, and 140 characters of what
        it says. Not written where it is there already."""
        sha = rules.commit_id(head_sha)
        rules.check_words(name, state)
        wanted = Check(
            name=name, state="success" if state == "neutral" else state,
            url=rules.text("check", url), summary=rules.text("check", summary)[:LONGEST],
        )  # fmt: skip
        for known in self.checks(repo, sha):
            same = (known.name, known.state, known.url, known.summary)
            if same == (wanted.name, wanted.state, wanted.url, wanted.summary):
                return known
        return sure(self._github.checks.set_status(self._projects.of(repo), sha, wanted))

    # --- people -------------------------------------------------------------------------------

    def verdicts(self, repo: Repo, number: int) -> Sequence[Verdict]:
        project = self._projects.of(repo)
        with numbered(repo, number):
            return tuple(self._reviewing.verdicts(project, number))

    def say(self, repo: Repo, number: int, body: str, *, key: str, known: str = "") -> str:
        project = self._projects.of(repo)
        with numbered(repo, number):
            return self._voice.say(project, number, body, key=key, known=known)

    def judge(
        self, repo: Repo, number: int, *, approve: bool, body: str, head_sha: str, key: str
    ) -> None:
        sha, project = rules.commit_id(head_sha), self._projects.of(repo)
        with numbered(repo, number):
            self._reviewing.judge(
                project, number, approve=approve, body=body, head_sha=sha, key=key
            )

    def ask_reviewers(self, repo: Repo, number: int, names: Sequence[str]) -> None:
        project = self._projects.of(repo)
        with numbered(repo, number):
            self._reviewing.ask(project, number, names)

    # --- how ----------------------------------------------------------------------------------

    def _got(self, repo: Repo, number: int) -> Pull:
        project = self._projects.of(repo)
        with numbered(repo, number):
            return self._github.pulls.get(project, number)

    def _set(self, repo: Repo, number: int, state: str) -> Pull:
        return sure(self._github.pulls.update(self._projects.of(repo), number, state=state))

    def _found(self, project: str, head: str) -> Pull | None:
        ours = [one for one in self._github.pulls.with_head(project, head) if not one.foreign]
        return next((one for one in ours if one.state == "open"), ours[0] if ours else None)

    def _created(self, project: str, **words: Any) -> Pull:
        try:
            return sure(self._github.pulls.create(project, **words))
        except Invalid as refused:
            if refused.code != "pull_exists":
                raise
            if found := self._found(project, words["head"]):
                return found
            # It is there and no list shows it yet.
            raise ToolFailed(
                f"{refused.message.rstrip('.')}, and no list shows it yet.",
                code="outcome_unknown",
                hint="It is looked for again; or: orch pr list",
            ) from refused

    def _dressed(self, project: str, pull: Pull, labels: Sequence[str]) -> Pull:
        """What a PR of ours gets beside its text, as far as it has not got it yet."""
        missing = {label.lower() for label in labels} - {name.lower() for name in pull.labels}
        wanted = [label for label in labels if label.lower() in missing]
        if wanted:
            sure(self._github.labels.ensure(project, [Label(name) for name in wanted]))
            sure(self._github.labels.change(project, pull.number, add=wanted))
        title = self._options.get("milestone")
        if title and pull.milestone is None:
            self._put_milestone(project, pull.number, str(title))
        if reviewers := self._options.get("reviewers"):
            try:
                self._reviewing.ask(project, pull.number, list(map(str, reviewers)))
            except Invalid as refused:  # the PR is there, and whoever reads the log can mend it
                _log.warning("nobody was asked to review %s: %s", pull.url, refused.message)
        return self._github.pulls.get(project, pull.number) if wanted or title else pull

    def _put_milestone(self, project: str, number: int, title: str) -> None:
        for milestone in self._github.repositories.milestones(project, state="open"):
            if milestone.title == title:
                sure(self._github.issues.update(project, number, milestone=milestone.number))
                return
        _log.warning("%s has no open milestone %r", project, title)


def _fitting(body: str, key: str) -> str:
    """The body with its marker, within what GitHub takes."""
    whole = rules.with_marker(body, key)
    if len(whole) <= LONGEST_BODY:
        return whole
    return rules.with_marker(f"{body[: LONGEST_BODY - 300]}\n\n…", key)
