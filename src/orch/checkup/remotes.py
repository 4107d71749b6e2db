"""The checks of `orch doctor` that ask others: whether git can read each remote, and whether each
source of tickets and each remote forge can be read.

Invariant: all are asked at once and nobody is waited for longer than `PATIENCE_S`; who does not
answer by then is told of as such. Nothing is changed anywhere.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from shlex import quote
from typing import NamedTuple

from orch.api import ticket_sources
from orch.api.facade import Orch
from orch.api.preflight import OLDEST_GIT
from orch.checkup.look import Check
from orch.model.errors import OrchError
from orch.model.repo import Repo, shown_url
from orch.ports import Forge
from orch.ports.reviews import Chosen

PATIENCE_S = 8.0
BRANCH = "orch/doctor"
"""A branch that nobody has: asking for its pull request shows whether one may ask."""
_HERE = "local"


class _Asked(NamedTuple):
    """`ask` gives the verdict, and may take as long as it likes."""

    name: str
    ask: Callable[[], Check]


def looks(orch: Orch, *, patience_s: float = PATIENCE_S) -> Iterator[Check]:
    """One `Check` for each remote of a repository, each source and each forge elsewhere."""
    asked = [*_remotes(orch), *_sources(orch), *_forges(orch)]
    answers: dict[str, Check] = {}
    threads = [
        # Daemons: who hangs in the network must not keep the process from ending.
        threading.Thread(target=_answered, args=(one, answers), daemon=True, name=one.name)
        for one in asked
    ]
    for thread in threads:
        thread.start()
    clock = orch.rooms.clock
    deadline = clock.monotonic() + patience_s
    for one, thread in zip(asked, threads, strict=True):
        thread.join(max(0.0, deadline - clock.monotonic()))
        told = f"no answer in {patience_s:g} s"
        silent = Check(one.name, False, told, "look at the network, then: orch doctor")
        yield answers.get(one.name, silent)


def _answered(one: _Asked, answers: dict[str, Check]) -> None:
    try:
        answers[one.name] = one.ask()
    except OrchError as error:
        answers[one.name] = Check(one.name, False, error.message, error.hint)


def _remotes(orch: Orch) -> Iterator[_Asked]:
    try:
        if orch.rooms.git.version() < OLDEST_GIT:
            return
    except OrchError:
        return  # the check of git says so; the remotes are not to blame
    for repo in orch.store.repos():
        if repo.remote_url:
            yield _Asked(f"remote of {repo.slug}", partial(_remote_check, orch, repo))


def _remote_check(orch: Orch, repo: Repo) -> Check:
    """As the service's git asks it, with the credentials that it has."""
    name, by_hand = f"remote of {repo.slug}", f"git -C {quote(repo.local_path)} fetch"
    try:
        tip = orch.rooms.git.remote_tip(repo, repo.default_branch)
    except OrchError as error:
        helps = error.hint if "orch doctor" not in error.hint else ""
        return Check(name, False, error.message, helps or by_hand)
    if not tip:
        told = f"{shown_url(repo.remote_url)} has no branch {repo.default_branch}"
        return Check(name, False, told, f"git -C {quote(repo.local_path)} push")
    return Check(name, True, f"git can read {shown_url(repo.remote_url)}")


def _sources(orch: Orch) -> Iterator[_Asked]:
    for name, config in sorted(orch.rooms.config(None).sources.items()):
        told = f"{config.kind} tickets for {config.repo} can be read"
        yield _Asked(f"source {name}", partial(_source_check, orch, name, told))


def _source_check(orch: Orch, name: str, good: str) -> Check:
    lacks, fix = ticket_sources.probed(orch, name)
    said = f"orch config explain sources.{name}"
    return Check(f"source {name}", not lacks, lacks or good, fix or said)


def _forges(orch: Orch) -> Iterator[_Asked]:
    found: dict[int, tuple[Forge, list[Repo]]] = {}
    chosen = orch.rooms.forge
    for repo in orch.store.repos():
        try:
            forge = chosen.of(repo) if isinstance(chosen, Chosen) else chosen
        except OrchError as error:  # its table, or its plugin
            check = Check(f"forge of {repo.slug}", False, error.message, error.hint)
            yield _Asked(check.name, partial(_said, check))
            continue
        if forge.name != _HERE:
            found.setdefault(id(forge), (forge, []))[1].append(repo)
    named = Counter(forge.name for forge, _ in found.values())
    for forge, repos in sorted(found.values(), key=lambda one: (one[0].name, one[1][0].slug)):
        name = forge.name if named[forge.name] == 1 else f"{forge.name} of {repos[0].slug}"
        yield _Asked(f"forge {name}", partial(_forge_check, name, forge, repos))


def _said(check: Check) -> Check:
    return check


def _forge_check(name: str, forge: Forge, repos: list[Repo]) -> Check:
    for repo in repos:
        forge.find_pr(repo, BRANCH)
    told = ", ".join(repo.slug for repo in repos[:5]) + (", ..." if len(repos) > 5 else "")
    return Check(f"forge {name}", True, f"pull requests of {told} can be read")
