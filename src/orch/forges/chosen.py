"""The forge of each repository, as the configuration chooses it.

Invariant: a repository is spoken of to its own forge and to no other; a listing of everything asks
each forge in use, and shows of it what is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from orch.model.effect import Strategy
from orch.model.pull import Check, CheckState, PullRequest
from orch.model.repo import Repo
from orch.ports import Forge

K = TypeVar("K", bound=Hashable)


class ChosenForges(Generic[K]):
    """`orch.ports.Forge` over several. `choose` gives what stands for the forge of a repository (by
    its slug), `chosen` all of that which is in use, `make` the forge that it stands for."""

    def __init__(
        self, choose: Callable[[str], K], chosen: Callable[[], Iterable[K]],
        make: Callable[[K], Forge], name: str = "chosen",
    ) -> None:  # fmt: skip
        self._choose = choose
        self._chosen = chosen
        self._make = make
        self._made: dict[K, Forge] = {}
        self.name = name

    def of(self, repo: Repo) -> Forge:
        """The forge of this repository; made when it is first needed."""
        return self._forge(self._choose(repo.slug))

    def open_pr(
        self, repo: Repo, *, head: str, base: str, head_sha: str, title: str, body: str,
        draft: bool, labels: Sequence[str], key: str,
    ) -> PullRequest:  # fmt: skip
        return self.of(repo).open_pr(
            repo, head=head, base=base, head_sha=head_sha, title=title, body=body, draft=draft,
            labels=labels, key=key,
        )  # fmt: skip

    def find_pr(self, repo: Repo, head: str) -> PullRequest | None:
        return self.of(repo).find_pr(repo, head)

    def list_prs(self, repo: Repo | None = None) -> Sequence[PullRequest]:
        if repo is not None:
            return self.of(repo).list_prs(repo)
        found = [
            pull
            for choice in self._in_use()
            for pull in self._forge(choice).list_prs()
            if self._choose(pull.repo) == choice
        ]
        found.sort(key=lambda pull: (pull.created, pull.repo, pull.number), reverse=True)
        return tuple(found)

    def get_pr(self, repo: Repo, number: int) -> PullRequest:
        return self.of(repo).get_pr(repo, number)

    def refresh_pr(self, repo: Repo, number: int) -> PullRequest:
        return self.of(repo).refresh_pr(repo, number)

    def merge_pr(
        self, repo: Repo, number: int, *, strategy: Strategy, expected_head: str, key: str,
        message: str = "", ignore_checks: bool = False, trial: bool = False,
    ) -> PullRequest:  # fmt: skip
        return self.of(repo).merge_pr(
            repo, number, strategy=strategy, expected_head=expected_head, key=key,
            message=message, ignore_checks=ignore_checks, trial=trial,
        )  # fmt: skip

    def close_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        return self.of(repo).close_pr(repo, number, trial=trial)

    def reopen_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        return self.of(repo).reopen_pr(repo, number, trial=trial)

    def delete_head(self, repo: Repo, number: int) -> bool:
        return self.of(repo).delete_head(repo, number)

    def checks(self, repo: Repo, head_sha: str) -> Sequence[Check]:
        return self.of(repo).checks(repo, head_sha)

    def set_check(
        self, repo: Repo, head_sha: str, name: str, state: CheckState, *, url: str = "",
        summary: str = "",
    ) -> Check:  # fmt: skip
        return self.of(repo).set_check(repo, head_sha, name, state, url=url, summary=summary)

    def problems(self) -> Sequence[str]:
        """What is broken in the records of each forge that keeps its own."""
        told: list[str] = []
        for choice in self._in_use():
            ask: Any = getattr(self._forge(choice), "problems", tuple)
            told += ask()
        return tuple(told)

    def _in_use(self) -> list[K]:
        return sorted(set(self._chosen()), key=str)

    def _forge(self, choice: K) -> Forge:
        if choice not in self._made:
            self._made[choice] = self._make(choice)
        return self._made[choice]
