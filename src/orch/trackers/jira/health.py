"""Whether a source can do its work, told in one sentence before it has to.

Invariant: it changes nothing, and asks for no more than what this source will do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orch.hosts.failures import Invalid, Missing

if TYPE_CHECKING:
    from orch.config.source_tree import SourceConfig
    from orch.hosts.jira.client import Jira

_RIGHTS = {
    "BROWSE_PROJECTS": "Browse Projects", "ADD_COMMENTS": "Add Comments",
    "EDIT_OWN_COMMENTS": "Edit Own Comments", "DELETE_OWN_COMMENTS": "Delete Own Comments",
    "TRANSITION_ISSUES": "Transition Issues", "EDIT_ISSUES": "Edit Issues",
}  # fmt: skip
_OF_WRITE = {"all": 6, "comments": 4, "none": 1}


def fault(jira: Jira, config: SourceConfig, scope: str) -> str:
    """What is missing first; empty when nothing is."""
    return next(_faults(jira, config, scope), "")


def _faults(jira: Jira, config: SourceConfig, scope: str) -> Iterator[str]:
    jira.server()
    account = jira.people.me()
    who = account.called or account.id
    try:
        jira.people.project(config.project)
        wanted = list(_RIGHTS)[: _OF_WRITE[config.write]]
        have = jira.people.mine(config.project, wanted)
    except Missing:
        yield f"There is no project {config.project} at {jira.place.name} that {who} may see."
        return
    lacking = [_RIGHTS[one] for one in wanted if one not in have]
    if lacking:
        yield f"{who} lacks the permission {', '.join(lacking)} in the project {config.project}."
    try:
        jira.issues.first(scope)
    except Invalid as error:
        yield f"Jira does not understand the query: {error.message}"
    if config.start == "never":
        return
    if not config.allowed_authors and not jira.people.may_ask(config.project):
        yield (
            f"{who} may not see who has rights in the project {config.project} (Administer Projects),"
            " so nobody's tickets can start work: name people in allowed_authors."
        )
