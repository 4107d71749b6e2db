"""A forge that keeps all pull requests in one JSON file; git does the merging.

[defaults]
forge = "ledger"
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from orch.forges import rules
from orch.forges.merging import Merging
from orch.model.effect import Strategy
from orch.model.pull import Check, CheckState, PullRequest
from orch.model.repo import Repo
from orch.plugins import Premises
from orch.ports import Clock, Git

PLUGIN_API = 1


def make(premises: Premises) -> LedgerForge:
    return LedgerForge(premises.directory, premises.name, premises.clock, premises.git)


class Ledger(msgspec.Struct):
    """All of it: pull requests by repository, checks by repository and commit (`thing/4f1d…`)."""

    pulls: dict[str, list[PullRequest]] = {}
    checks: dict[str, dict[str, Check]] = {}


class LedgerForge:
    """`orch.ports.Forge` of a directory, which need not exist until there is a pull request."""

    def __init__(self, directory: Path, name: str, clock: Clock, git: Git) -> None:
        self.name = name
        self._path = directory / "ledger.json"
        self._clock = clock
        self._merging = Merging(self, git, clock)

    def open_pr(
        self, repo: Repo, *, head: str, base: str, head_sha: str, title: str, body: str,
        draft: bool, labels: Sequence[str], key: str,
    ) -> PullRequest:  # fmt: skip
        slug = rules.slug(repo)
        pull = PullRequest(
            repo=slug, number=0, url="", state="open", head=rules.text("head", head),
            base=rules.text("base", base), title=rules.text("title", title), head_sha=head_sha,
            body=rules.text("body", rules.with_marker(body, key)), draft=draft, forge=self.name,
            labels=tuple(rules.text("label", label) for label in labels), created=self._now(),
        )  # fmt: skip
        with self._changed() as ledger:
            pulls = ledger.pulls.setdefault(slug, [])
            if found := next((p for p in reversed(pulls) if p.head == head), None):
                return found
            number = len(pulls) + 1
            url = f"{self._path.as_uri()}#{slug}/{number}"
            pulls.append(msgspec.structs.replace(pull, number=number, url=url))
        return pulls[-1]

    def find_pr(self, repo: Repo, head: str) -> PullRequest | None:
        return next((pull for pull in self.list_prs(repo) if pull.head == head), None)

    def list_prs(self, repo: Repo | None = None) -> Sequence[PullRequest]:
        if repo is not None:
            return tuple(reversed(self._read().pulls.get(rules.slug(repo), [])))
        found = [pull for pulls in self._read().pulls.values() for pull in pulls]
        found.sort(key=lambda pull: (pull.created, pull.repo, pull.number), reverse=True)
        return tuple(found)

    def get_pr(self, repo: Repo, number: int) -> PullRequest:
        for pull in self.list_prs(repo):
            if pull.number == number:
                return pull
        raise rules.unknown(repo, number)

    def refresh_pr(self, repo: Repo, number: int) -> PullRequest:
        return self._merging.refresh(repo, number)

    def merge_pr(
        self, repo: Repo, number: int, *, strategy: Strategy, expected_head: str, key: str,
        message: str = "", ignore_checks: bool = False, trial: bool = False,
    ) -> PullRequest:  # fmt: skip
        return self._merging.merge(
            repo, number, strategy=strategy, expected_head=expected_head, key=key,
            message=message, ignore_checks=ignore_checks, trial=trial,
        )  # fmt: skip

    def close_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        return self._merging.close(repo, number, trial=trial)

    def reopen_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        return self._merging.reopen(repo, number, trial=trial)

    def delete_head(self, repo: Repo, number: int) -> bool:
        return self._merging.delete_head(repo, number)

    def checks(self, repo: Repo, head_sha: str) -> Sequence[Check]:
        found = self._read().checks.get(_place(repo, head_sha), {})
        return tuple(found[name] for name in sorted(found))

    def set_check(
        self, repo: Repo, head_sha: str, name: str, state: CheckState, *, url: str = "",
        summary: str = "",
    ) -> Check:  # fmt: skip
        place = _place(repo, head_sha)
        rules.check_words(name, state)
        check = Check(name=name, state=state, url=url, summary=summary, at=self._now())
        with self._changed() as ledger:
            ledger.checks.setdefault(place, {})[name] = check
        return check

    def change(self, repo: Repo, number: int, **fields: Any) -> PullRequest:
        """See `orch.forges.merging.Records`."""
        self.get_pr(repo, number)  # refuses an unknown one
        with self._changed() as ledger:
            pulls = ledger.pulls[repo.slug]
            if pulls[number - 1].state != "merged":
                pulls[number - 1] = msgspec.structs.replace(pulls[number - 1], **fields)
        return pulls[number - 1]

    def alone(self, repo: Repo) -> contextlib.AbstractContextManager[Any]:
        """See `orch.forges.merging.Records`. One merge at a time, whatever the repository."""
        return self._locked("merging")

    def _now(self) -> str:
        return rules.timestamp(self._clock.now())

    def _read(self) -> Ledger:
        if not self._path.exists():
            return Ledger()
        return msgspec.json.decode(self._path.read_bytes(), type=Ledger)

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._path.with_name(f"{name}.lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _changed(self) -> Iterator[Ledger]:
        """One at a time; whole or not at all."""
        with self._locked("ledger"):
            ledger = self._read()
            yield ledger
            fresh = self._path.with_suffix(".new")
            with fresh.open("wb") as file:
                file.write(msgspec.json.encode(ledger))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)


def _place(repo: Repo, head_sha: str) -> str:
    return f"{rules.slug(repo)}/{rules.commit_id(head_sha)}"
