"""Repositories, who may do what in them, their branches and milestones, and who we are.

Invariant: what somebody may is asked of GitHub, never read off a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.hosts.failures import Invalid, Missing, Unknown
from orch.hosts.github.address import repository
from orch.hosts.github.app import App
from orch.hosts.github.facts import Milestone, Person, Repository, Viewer
from orch.hosts.github.shapes import (
    BranchShape,
    MilestoneShape,
    PermissionShape,
    RepositoryShape,
    UserShape,
    person,
)
from orch.hosts.service import segment

if TYPE_CHECKING:
    from orch.hosts.github.calls import Caller

_MAY_WRITE = frozenset({"admin", "maintain", "write", "push"})


class Repositories:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def get(self, repo: str) -> Repository:
        """One that was renamed comes with its new name."""
        return self._caller.read(f"/repos/{repository(repo)}", RepositoryShape).fact()

    def permission(self, repo: str, login: str) -> str:
        """`admin`, `write`, `read` or `none`."""
        path = f"/repos/{repository(repo)}/collaborators/{segment(login)}/permission"
        try:
            return self._caller.read(path, PermissionShape).permission
        except Missing:
            return "none"

    def may_write(self, repo: str, login: str) -> bool:
        return self.permission(repo, login) in _MAY_WRITE

    def may_person_write(self, repo: str, who: Person) -> bool:
        """The same of the person with that id. A login is only what somebody is called now: where
        somebody else bears it by now, the answer is about them and counts for nothing."""
        path = f"/repos/{repository(repo)}/collaborators/{segment(who.login)}/permission"
        try:
            told = self._caller.read(path, PermissionShape)
        except Missing:
            return False
        return bool(
            who.id and told.user and told.user.id == who.id and told.permission in _MAY_WRITE
        )

    def branch(self, repo: str, name: str) -> str:
        """The commit at its tip, empty where there is no such branch."""
        path = f"/repos/{repository(repo)}/branches/{segment(name)}"
        try:
            return self._caller.read(path, BranchShape).commit.sha
        except Missing:
            return ""

    def delete_branch(self, repo: str, name: str, *, expected: str) -> bool | Unknown:
        """Delete it while its tip is `expected`; False when it is gone or went on. GitHub compares
        nothing itself: between look and act another push may slip in, so use git where you can."""
        if self.branch(repo, name) != expected:
            return False
        path = f"/repos/{repository(repo)}/git/refs/heads/{'/'.join(map(segment, name.split('/')))}"
        try:
            done = self._caller.write("DELETE", path, type(None))
        except (Missing, Invalid) as error:
            if isinstance(error, Invalid) and "does not exist" not in error.message:
                raise
            return False
        return done if isinstance(done, Unknown) else True

    def milestones(self, repo: str, *, state: str = "all") -> list[Milestone]:
        path = f"/repos/{repository(repo)}/milestones"
        found = [s.fact() for s in self._caller.pages(path, MilestoneShape, {"state": state})]
        return list({milestone.number: milestone for milestone in found}.values())

    def viewer(self) -> Viewer:
        """Who we are: a person, or a GitHub App's own account."""
        credential = self._caller.credential
        if isinstance(credential, App):
            login = credential.login()
            shape = self._caller.read(f"/users/{segment(login)}", UserShape)
            return Viewer(person=Person(shape.login, shape.id, shape.type or "Bot"))
        shape, scopes = self._caller.read_with("/user", UserShape, "x-oauth-scopes")
        words = tuple(word.strip() for word in scopes.split(",") if word.strip())
        return Viewer(person=person(shape), scopes=words)
