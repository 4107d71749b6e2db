"""Which project of GitHub a repository is, and its pull requests in our words.

Invariant: a repository is spoken of by the name that GitHub has for it now (under an old one,
branches are looked for at an owner who has none); numbers and heads mean something only there (H94).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from orch.forges import rules
from orch.hosts.failures import Missing
from orch.hosts.github.address import repository
from orch.hosts.github.remote import project_of
from orch.model.errors import ConfigError
from orch.model.pull import PullRequest
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.hosts.github.client import GitHub
    from orch.hosts.github.facts import Pull
    from orch.ports import Clock

_BELIEVED_S = 600.0
_LARGEST_NUMBER = 2**31


class Projects:
    """For the forge `forge`; `chosen` gives `owner/name` by slug where the remote does not say it."""

    def __init__(self, github: GitHub, clock: Clock, forge: str, chosen: Mapping[str, str]) -> None:
        self._github, self._clock, self._forge, self._chosen = github, clock, forge, chosen
        self._lock = threading.Lock()
        self._names: dict[str, tuple[float, str]] = {}
        self.known: dict[str, Repo] = {}
        """The repositories that were spoken of, by slug."""

    def of(self, repo: Repo) -> str:
        """`owner/name`. `UsageError(bad_name)`, `ConfigError(no_project)`, `NotFound`."""
        told = self._told(repo)
        with self._lock:
            self.known[repo.slug] = repo
            at, name = self._names.get(told, (0.0, ""))
        now = self._clock.now()
        if not name or not 0 <= now - at < _BELIEVED_S:
            name = self._github.repositories.get(told).name
            with self._lock:
                self._names[told] = (now, name)
        return name

    def _told(self, repo: Repo) -> str:
        slug = rules.slug(repo)
        if name := self._chosen.get(slug):
            return repository(name)
        if found := project_of(repo.remote_url, self._github.address):
            return found
        why = "has no remote" if not repo.remote_url else "has another remote"
        raise ConfigError(
            f"The repository {slug!r} {why}, so nobody knows what it is at"
            f" {self._github.address.name}.",
            code="no_project",
            hint=f'[forges.{self._forge}.options.projects] {slug} = "OWNER/NAME"',
        )


@contextlib.contextmanager
def numbered(repo: Repo, number: int) -> Iterator[None]:
    """What GitHub does not show is an unknown PR."""
    if not 0 < number < _LARGEST_NUMBER:
        raise rules.unknown(repo, number)
    try:
        yield
    except Missing as error:
        raise rules.unknown(repo, number) from error


def shown(repo: Repo, pull: Pull, forge: str, *, merge_key: str = "") -> PullRequest:
    """GitHub's PR as ours. `base_sha` is the commit of the base that it was last compared with."""
    return PullRequest(
        repo=repo.slug,
        number=pull.number,
        url=pull.url,
        state=pull.state,
        head=pull.head,
        base=pull.base,
        title=pull.title,
        body=pull.body,
        head_sha=pull.head_sha,
        draft=pull.draft,
        labels=pull.labels,
        forge=forge,
        created=pull.created,
        base_sha=pull.base_sha,
        merged_sha=pull.merged_sha,
        merged_at=pull.merged_at,
        merge_key=merge_key,
    )
