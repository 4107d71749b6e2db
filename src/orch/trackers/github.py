"""Issues of GitHub as tickets: the source `github`.

Invariants, beside those of `orch.ports.tickets`:

- A sync is one GraphQL query over what changed. It goes on at a position over (updated, id) that lies
  before the newest seen: two minutes, or one to three pages, whatever is less. What GitHub shows
  later than that is found by the next whole look.
- Pull requests are no issues there (H45), and a number means an issue of this project only (H94).
- Labels are changed one by one, comments are ours by their author's id, and what got no answer is
  `outcome_unknown`: the same call again looks first.

Blockers that this credential may not see cannot be known to be open: they hold nothing back.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orch.hosts.failures import Invalid, Missing
from orch.hosts.github import shared
from orch.hosts.github.address import repository
from orch.hosts.github.remote import project_of
from orch.hosts.github.voice import Voice, fitting
from orch.hosts.moments import before
from orch.hosts.service import sure
from orch.model import marks
from orch.model.errors import ConfigError, NotFound
from orch.model.tracked import Approval, Author, Batch, Remark, Tracked
from orch.trackers import sources
from orch.trackers.github_board import Cards, options_of
from orch.trackers.github_hooks import GitHubHooks
from orch.trackers.github_words import STATUS, author, label_of, person, remark, tracked

if TYPE_CHECKING:
    from orch.config.source_tree import SourcePremises
    from orch.hosts.github.client import GitHub
    from orch.hosts.github.facts import Issue
    from orch.model.task import TaskState

PLUGIN_API = 1
OVERLAP_S = 120.0
"""Much longer than GitHub's lists lag behind its writes."""
_PAGES = 2
_BEGINNING = "1970-01-01T00:00:00Z"
_MOST_KNOWN = 300


def make(premises: SourcePremises) -> GitHubSource:
    config = premises.config
    client = shared.client(
        premises.environ, url=config.base_url, token=config.token,
        purpose=f"sources.{premises.name}.token", accounts=premises.accounts,
    )  # fmt: skip
    return GitHubSource(premises, client)


class GitHubSource:
    """The `TicketSource` of one repository at GitHub."""

    kind = "github"
    tells_by_labels = True

    def __init__(self, premises: SourcePremises, github: GitHub) -> None:
        self._premises, self._github = premises, github
        self._config = premises.config
        self._voice = Voice(github, now=premises.clock.now)
        self._lock = threading.Lock()
        self._labels: set[str] = set()
        self._cards: Cards | None = None

    @property
    def project(self) -> str:
        """`owner/name`: what is configured, else what the repository's remote says."""
        if self._config.project:
            return repository(self._config.project)
        url = self._premises.repo.remote_url
        if found := project_of(url, self._github.address):
            return found
        name, slug = self._premises.name, self._premises.repo.slug
        told = "has no remote" if not url else f"has a remote that is not at {self._host}"
        raise ConfigError(
            f"The source {name} has no project, and the repository {slug!r} {told}.",
            code="no_project",
            hint=f'Set project = "OWNER/NAME" below [sources.{name}] in config.toml.',
        )

    @property
    def hooks(self) -> GitHubHooks:
        """See `orch.ports.webhooks`."""
        return GitHubHooks(self._github, self.project)

    def me(self) -> Author:
        return author(self._voice.me())

    # --- reading ------------------------------------------------------------------------------

    def look(self, cursor: str) -> Batch:
        """See the port. A cursor is `SINCE POSITION`; GitHub's positions are used as they are, and
        one that it does not know any more is done without."""
        since, _, after = cursor.partition(" ")
        project, related = self.project, self._github.related
        if not since:
            # Where the next look begins is asked first: what changes meanwhile is news to it.
            newest, after = related.tail(project)
            since = before(newest, OVERLAP_S) if newest else _BEGINNING
            whole = related.window(project, open_only=True).issues
            return self._batch(whole, since, after, whole=True)
        try:
            changed = related.window(project, since=since, after=after)
        except Invalid:
            if not after:
                raise
            changed, after = related.window(project, since=since), ""
        if len(changed.ends) > _PAGES:
            after = changed.ends[-_PAGES - 1]
        if changed.issues:
            newest = max(issue.updated for issue in changed.issues)
            since = max(since, before(newest, OVERLAP_S))
        return self._batch(changed.issues, since, after, whole=False)

    def get(self, source_id: str) -> Tracked:
        return self._ticket(self._issue(source_id))

    def remarks(self, cursor: str) -> tuple[Sequence[Remark], str]:
        """See the port: comments below issues and PRs and on lines of PRs, in two questions that
        cost nothing while nothing is new. (What a review says as a whole is a `Verdict`.) A cursor
        is `SINCE ID@DIGEST ...`: what was told already of what lies behind it."""
        since, *told = cursor.split(" ")
        project = self.project
        if not since:
            newest = self._github.comments.newest_change(project)
            since = before(newest, OVERLAP_S) if newest else _BEGINNING
        found = self._github.comments.of_repository(project, since=since)
        found += self._github.pulls.line_comments_of_repository(project, since=since)
        remarks = sorted(map(remark, found), key=lambda one: (one.updated, len(one.id), one.id))
        fresh = [one for one in remarks if sources.seen(one) not in told] if cursor else []
        newest = max((one.updated for one in remarks), default="")
        since = max(since, before(newest, OVERLAP_S)) if newest else since
        behind = [sources.seen(one) for one in remarks if one.updated >= since][-_MOST_KNOWN:]
        return tuple(fresh), " ".join([since, *behind])

    def may_write(self, author: Author) -> bool:
        """See the port; believed for ten minutes."""
        return self._voice.may_write(self.project, person(author))

    def approval(self, source_id: str, label: str) -> Approval | None:
        number = _number(source_id)
        with _about(source_id):
            events = self._github.issues.happenings(self.project, number)
        wanted = label.lower()
        last = [one for one in events if one.label.lower() == wanted
                and one.kind in ("labeled", "unlabeled")][-1:]  # fmt: skip
        if not last or last[0].kind == "unlabeled" or not last[0].actor.id:
            return None
        return Approval(author=author(last[0].actor), at=last[0].at)

    def probe(self) -> str:
        """What is missing, in one sentence; empty when all is well. Errors say what they say."""
        there, me = self._github.repositories.get(self.project), self._voice.me()
        if not there.has_issues:
            return f"{there.name} has its issues turned off."
        self._github.related.tail(there.name)  # whether this credential may read them
        if self._config.write == "none":
            return ""
        if there.archived:
            return f'{there.name} is archived, so nothing can be written back: set write = "none".'
        if there.permission == "pull" and me.kind != "Bot" and self._config.write == "all":
            return (
                f"{me.login} may only read {there.name}, and labels take the right to triage:"
                ' give it that, or set write = "comments".'
            )
        return ""

    # --- writing ------------------------------------------------------------------------------

    def create(self, title: str, *, body: str, labels: Sequence[str], key: str) -> Tracked:
        me, project = self._voice.me(), self.project
        for issue in self._github.issues.created_by(project, me.login):
            if issue.author.id == me.id and marks.has(issue.body, key):
                return self._ticket(issue)
        self._ensure(labels)
        made = self._github.issues.create(
            project, title=title, body=fitting(body, key), labels=labels
        )
        return self._ticket(sure(made))

    def put_state(self, source_id: str, state: TaskState) -> None:
        """See the port; and where a board is configured, its card goes along."""
        number, label = _number(source_id), f"{STATUS}{state}"
        options = options_of(self._premises.name, self._config.options.get("board"))
        if options is not None and self._cards is None:
            self._cards = Cards(self._github, options)
        self._ensure([label])
        with _about(source_id):
            sure(self._github.labels.exchange(self.project, number, prefix=STATUS, to=label))
            if self._cards is not None and self._cards.shows(state):
                self._cards.put(self._issue(source_id).node, state)

    def put_labels(self, source_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
        number = _number(source_id)
        self._ensure(add)
        with _about(source_id):
            sure(self._github.labels.change(self.project, number, add=add, remove=remove))

    def put_comment(self, source_id: str, body: str, *, key: str, known: str = "") -> str:
        number = _number(source_id)
        with _about(source_id):
            return self._voice.say(self.project, number, body, key=key, known=known)

    def close(self, source_id: str, *, done: bool) -> None:
        """See the port. The reason is `completed` or `not_planned`."""
        issue = self._issue(source_id)
        if issue.state == "closed":
            return
        reason = "completed" if done else "not_planned"
        with _about(source_id):
            sure(self._github.issues.close(self.project, issue.number, reason=reason))

    # --- how ----------------------------------------------------------------------------------

    @property
    def _host(self) -> str:
        return self._github.address.name

    def _issue(self, source_id: str) -> Issue:
        with _about(source_id):
            return self._github.related.one(self.project, _number(source_id))

    def _batch(self, issues: Sequence[Issue], since: str, after: str, *, whole: bool) -> Batch:
        tickets = tuple(self._ticket(issue) for issue in issues)
        return Batch(tickets=tickets, cursor=f"{since} {after}".rstrip(), whole=whole)

    def _ticket(self, issue: Issue) -> Tracked:
        return tracked(
            issue, source=self._premises.name, repo=self._premises.repo.slug, config=self._config
        )

    def _ensure(self, labels: Sequence[str]) -> None:
        """Labels of ours are made with their colours; once they are there nobody looks again."""
        with self._lock:
            wanted = [name for name in labels if name.lower() not in self._labels]
        if not wanted:
            return
        sure(self._github.labels.ensure(self.project, [label_of(name) for name in wanted]))
        with self._lock:
            self._labels.update(name.lower() for name in wanted)


def _number(source_id: str) -> int:
    if not (source_id.isascii() and source_id.isdigit() and len(source_id) < 16):
        raise _unknown(source_id, "that is no number")
    return int(source_id)


def _unknown(source_id: str, why: str) -> NotFound:
    return NotFound(
        f"There is no issue {source_id[:40]!r}: {why.rstrip('.')}.",
        code="unknown_issue",
        hint="orch tickets list",
    )


@contextlib.contextmanager
def _about(source_id: str) -> Iterator[None]:
    """What GitHub does not show is an unknown ticket."""
    try:
        yield
    except Missing as error:
        raise _unknown(source_id, error.message) from error
