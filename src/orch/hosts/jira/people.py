"""Who somebody is to a Jira, and what they may do in a project.

Invariant: an answer about rights is yes only where Jira says so of that very account; who may not
ask about others gets `Forbidden`, never a no that looks like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orch.hosts.failures import Forbidden, Invalid, Missing
from orch.hosts.jira.shapes import Grants, Permissions, Project, TypeStatuses, User
from orch.hosts.service import segment

if TYPE_CHECKING:
    from orch.hosts.jira.client import Jira

EDIT = "EDIT_ISSUES"
_ASKING = ("ADMINISTER_PROJECTS", "ADMINISTER")


class People:
    def __init__(self, jira: Jira) -> None:
        self._jira = jira

    def me(self) -> User:
        """Whose token it is."""
        return self._jira.caller.read(f"{self._jira.api}/myself", User)

    def mine(self, project: str, permissions: Sequence[str]) -> set[str]:
        """Which of these we have in the project. `Missing` for one that we cannot see."""
        query = {"projectKey": project, "permissions": ",".join(permissions)}
        path = f"{self._jira.api}/mypermissions"
        told = self._jira.caller.read(path, Permissions, query).permissions
        return {name for name in permissions if name in told and told[name].havePermission}

    def may_ask(self, project: str) -> bool:
        """Whether Jira tells us of the rights of others there."""
        return bool(self.mine(project, _ASKING))

    def may_edit(self, account: str, project: Project) -> bool:
        """Whether that account may edit the project's issues. `Forbidden` for who may not ask."""
        return (
            self._granted(account, project) if self._jira.cloud else self._listed(account, project)
        )

    def project(self, key: str) -> Project:
        return self._jira.caller.read(f"{self._jira.api}/project/{segment(key)}", Project)

    def statuses(self, key: str) -> list[TypeStatuses]:
        """The types of issues of a project, each with its states."""
        path = f"{self._jira.api}/project/{segment(key)}/statuses"
        return self._jira.caller.read(path, list[TypeStatuses])

    def _granted(self, account: str, project: Project) -> bool:
        """By the question for administrators of Jira, or by the one for those of the project."""
        wanted = {"permissions": [EDIT], "projects": [int(project.id)]}
        body = {"accountId": account, "projectPermissions": [wanted]}
        try:
            grants = self._jira.caller.inquire(f"{self._jira.api}/permissions/check", Grants, body)
        except (Forbidden, Invalid):
            query = {"accountId": account, "permissions": EDIT, "projectKey": project.key}
            return self._found(account, query)
        return any(
            one.permission == EDIT and int(project.id) in one.projects
            for one in grants.projectPermissions
        )

    def _listed(self, account: str, project: Project) -> bool:
        """Data Center looks people up by their name; who they are is their key."""
        try:
            user = self._jira.caller.read(f"{self._jira.api}/user", User, {"key": account})
        except Missing:
            return False
        if not user.name:
            return False
        query = {"username": user.name, "permissions": EDIT, "projectKey": project.key}
        return self._found(account, query)

    def _found(self, account: str, query: dict[str, str]) -> bool:
        path = f"{self._jira.api}/user/permission/search"
        return any(one.id == account for one in self._jira.caller.read(path, list[User], query))
