"""What forges over a `Service` do alike, whatever their server calls a pull request.

Invariants: as in `orch.ports.Forge`. What is refused is refused here, in one order for all; a
project is asked for once, and again where a repository has got another remote.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from msgspec.structs import replace

from orch.forges import remote, rules
from orch.hosts import shared
from orch.hosts.failures import Missing, Refused
from orch.model.pull import PullRequest

if TYPE_CHECKING:
    from orch.hosts.dialect import Dialect
    from orch.hosts.service import Service
    from orch.model.effect import Strategy
    from orch.model.repo import Repo
    from orch.plugins import Premises
    from orch.ports import Git

P = TypeVar("P")
T = TypeVar("T")


def service_of(dialect: Dialect, premises: Premises) -> Service:
    """The one that a forge is configured for."""
    settings = premises.settings
    return shared.service(
        dialect, premises.environ, url=settings.base_url if settings else "",
        token=settings.token if settings else shared.NO_TOKEN,
        purpose=f"{premises.table}.token", now=premises.clock.now,
        accounts=premises.accounts,
    )  # fmt: skip


class HostedForge(ABC, Generic[P, T]):
    """The part of `orch.ports.Forge` that is about pull requests. The server has projects (`P`) and
    pull requests (`T`); a draft is a title that begins with `draft`."""

    draft: ClassVar[str]
    longest_title: ClassVar[int]
    closing: ClassVar[Mapping[str, str]]
    """The field that closes a pull request, and the one that opens it again."""
    reopening: ClassVar[Mapping[str, str]]

    def __init__(self, name: str, service: Service, git: Git, projects: dict[str, str]) -> None:
        self.name = name
        self._service, self._git, self._chosen = service, git, projects
        self._known: dict[str, tuple[Repo, P]] = {}

    # --- what is there

    def find_pr(self, repo: Repo, head: str) -> PullRequest | None:
        """The newest of this project's own branch; a fork's branch of that name is another one."""
        found = self._with_head(self._project(repo), head)
        return self._pull(repo, found) if found is not None else None

    def list_prs(self, repo: Repo | None = None) -> Sequence[PullRequest]:
        """All, newest first; without a repository those of all that were spoken of so far."""
        if repo is not None:
            # What moves to the next page while pages are read comes twice.
            pulls = [self._pull(repo, one) for one in self._every(self._project(repo))]
            there = {pull.number: pull for pull in pulls}
            return tuple(there[number] for number in sorted(there, reverse=True))
        spoken_of = [known for known, _ in list(self._known.values())]
        return rules.newest_first(pull for known in spoken_of for pull in self.list_prs(known))

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
        if found := self.find_pr(repo, rules.text("head", head)):
            return found
        base = rules.text("base", base)
        words = remote.given_title(words, self.draft if draft else "", self.longest_title, head)
        try:
            return self._pull(repo, self._open(
                self._project(repo), head=head, base=base, title=words, body=text, labels=named
            ))  # fmt: skip
        except Refused:
            # Somebody was faster, or the list lagged behind.
            if found := self.find_pr(repo, head):
                return found
            raise

    def merge_pr(
        self, repo: Repo, number: int, *, strategy: Strategy, expected_head: str, key: str,
        message: str = "", ignore_checks: bool = False, trial: bool = False,
    ) -> PullRequest:  # fmt: skip
        rules.marker(key)  # refuses what is no key
        there = self._one(repo, number)
        pull = self._looked(repo, there)
        if rules.is_merged(pull, expected_head):
            return pull
        self._refuse(repo, there, pull, strategy, ignore_checks)
        if trial:
            return pull
        if pull.draft:
            self._change(self._project(repo), number, title=pull.title)
        words = remote.trailed(message or rules.merge_message(pull, strategy), key)
        return self._land(repo, pull, strategy, words)

    def close_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        pull = self.get_pr(repo, number)
        if pull.state == "merged":
            raise rules.merged(pull, "closed")
        if trial or pull.state == "closed":
            return pull
        return self._pull(repo, self._change(self._project(repo), number, **self.closing))

    def reopen_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        there = self._one(repo, number)
        pull = self._pull(repo, there)
        if rules.is_open(pull):
            return pull
        if not self._has_branch(self._project(repo), there):
            raise rules.head_gone(pull)
        if trial:
            return pull
        return self._pull(repo, self._change(self._project(repo), number, **self.reopening))

    def delete_head(self, repo: Repo, number: int) -> bool:
        there = self._one(repo, number)
        pull = self._pull(repo, there)
        if pull.state != "merged":
            raise rules.not_merged(pull)
        if self._of_a_fork(there):
            raise remote.foreign_branch(pull)
        return self._git.delete_at_remote(repo, pull.head, expected=pull.head_sha)

    # --- how

    def _path(self, repo: Repo) -> str:
        return remote.project_path(repo, self.name, self._service.place, self._chosen)

    def _project(self, repo: Repo) -> P:
        path = self._path(repo)
        known = self._known.get(repo.slug)
        if known is None or known[0].remote_url != repo.remote_url:
            known = (repo, self._ask_project(path))
            self._known[repo.slug] = known
        return known[1]

    def _one(self, repo: Repo, number: int) -> T:
        project = self._project(repo)
        if number < 1:
            raise rules.unknown(repo, number)
        try:
            return self._ask(project, number)
        except Missing as error:
            raise rules.unknown(repo, number) from error

    def _looked(self, repo: Repo, there: T) -> PullRequest:
        """With what only a look at the one pull request tells."""
        return replace(self._pull(repo, there), base_sha=self._base_sha(there))

    # --- what each server does its own way

    @abstractmethod
    def _ask_project(self, path: str) -> P: ...
    @abstractmethod
    def _ask(self, project: P, number: int) -> T:
        """`Missing`."""

    @abstractmethod
    def _every(self, project: P) -> Iterable[T]: ...
    @abstractmethod
    def _with_head(self, project: P, head: str) -> T | None:
        """The newest of the project's own branch; none for an empty one."""

    @abstractmethod
    def _has_branch(self, project: P, there: T) -> bool: ...
    @abstractmethod
    def _of_a_fork(self, there: T) -> bool: ...
    @abstractmethod
    def _base_sha(self, there: T) -> str: ...
    @abstractmethod
    def _pull(self, repo: Repo, there: T) -> PullRequest: ...
    @abstractmethod
    def _open(
        self, project: P, *, head: str, base: str, title: str, body: str, labels: Sequence[str]
    ) -> T:
        """`Refused` where there is one of that branch."""

    @abstractmethod
    def _change(self, project: P, number: int, **fields: str) -> T: ...
    @abstractmethod
    def _refuse(
        self, repo: Repo, there: T, pull: PullRequest, strategy: Strategy, ignore_checks: bool
    ) -> None:
        """What stands in the way of a merge of one that is open, in the server's order."""

    @abstractmethod
    def _land(self, repo: Repo, pull: PullRequest, strategy: Strategy, words: str) -> PullRequest:
        """Merge it with these words."""
