"""What our forges over remote services agree on: which project a repository is, and its words.

Invariant: pure. A repository is a project only where its remote is at the forge's own server, or
where the configuration says so (`options.projects` of `[forges.NAME]`: slug to path).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orch.forges import rules
from orch.hosts import remotes
from orch.model.errors import Conflict, MergeConflict, NotFound, UsageError
from orch.model.pull import PullRequest, spelled
from orch.model.repo import shown_url

if TYPE_CHECKING:
    from orch.hosts.dialect import Place
    from orch.model.repo import Repo
    from orch.plugins import Premises

_DRAFT = re.compile(r"\s*(?:\[draft\]|\(draft\)|draft:|draft\s-\s|\[wip\]|wip:)\s*", re.IGNORECASE)


def chosen_projects(premises: Premises) -> dict[str, str]:
    """`options.projects`: paths by slug. `UsageError(bad_option)`."""
    table = getattr(premises.settings, "options", {}).get("projects", {})
    good = isinstance(table, dict) and all(isinstance(path, str) for path in table.values())
    if not good:
        raise UsageError(
            f"`options.projects` of [forges.{premises.name}] is no table of projects by repository.",
            code="bad_option",
            hint=f'[forges.{premises.name}.options.projects] thing = "group/thing"',
        )
    return dict(table)


def project_path(repo: Repo, forge: str, place: Place, chosen: dict[str, str]) -> str:
    """The project's path. `UsageError` (`bad_name`, `no_project`)."""
    slug = rules.slug(repo)
    if path := chosen.get(slug) or remotes.project_of(repo.remote_url, place):
        return path
    remote = shown_url(repo.remote_url) or "it has none"
    raise UsageError(
        f"The remote of {slug} ({remote}) is no project at {place.name}.",
        code="no_project",
        hint=f'[forges.{forge}.options.projects] {slug} = "group/{slug}"',
    )


def bare_title(title: str) -> str:
    """Without the prefix that makes a draft of it."""
    while match := _DRAFT.match(title):
        title = title[match.end() :]
    return title


def given_title(title: str, prefix: str, longest: int, head: str) -> str:
    """A title that a service takes: one line, not empty or too long, a draft only by `prefix`."""
    line = " ".join("".join(c if c.isprintable() else " " for c in bare_title(title)).split())
    room = longest - len(prefix)
    line = line if len(line) <= room else f"{line[: room - 1]}…"
    return prefix + (line or head)


def trailed(message: str, key: str) -> str:
    """A commit's message with the key of the merge that makes it."""
    return f"{message.rstrip()}\n\nOrch-Key: {key}"


def foreign_branch(pull: PullRequest) -> Conflict:
    return Conflict(
        f"The branch {pull.head} of pull request {spelled(pull)} is in another project.",
        code="branch_foreign",
        hint=f"orch pr show {spelled(pull)}",
    )


def conflict(pull: PullRequest) -> MergeConflict:
    return MergeConflict(
        f"Pull request {spelled(pull)} is in conflict with {pull.base}.",
        hint=f"orch pr diff {spelled(pull)}",
        files=[],
    )


def unknown_reviewer(name: str, forge: str) -> NotFound:
    return NotFound(
        f"There is nobody called {name[:80]!r} at {forge}.",
        code="unknown_reviewer",
        hint="Look up the name at the service, then run the command again.",
    )


def blocked(pull: PullRequest, why: str, code: str) -> Conflict:
    name = spelled(pull)
    return Conflict(
        f"Pull request {name} is not merged: {why}.", code=code, hint=f"orch pr show {name}"
    )
