"""Jira, Cloud and Data Center, as a source of tickets (kind `jira`).

Invariant: importing it loads no client; `make` refuses a table that cannot be right, asks nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orch.config.source_tree import SourcePremises
    from orch.trackers.jira.source import JiraSource

PLUGIN_API = 1
ASKS = (
    ("base_url", "Address of the Jira", "https://YOUR-SITE.atlassian.net"),
    ("project", "Key of the project", ""),
    ("user", "Address of the account (none: the token is a bearer token)", ""),
    ("token", "Token (env:NAME, file:PATH or cmd:WORDS)", "env:JIRA_TOKEN"),
)
"""What a person is asked where it is not said: key of the table, question, what is usual."""


def make(premises: SourcePremises) -> JiraSource:
    """The source of these premises. `ConfigError` (`bad_url`, `bad_project`, `bad_query`,
    `bad_options`), `SecretUnavailable`."""
    from orch.config.secret import Secret, resolve
    from orch.hosts.jira.client import joined
    from orch.trackers.jira.source import JiraSource, checked

    name, config = premises.name, premises.config
    checked(name, config)

    def resolved(field: str, reference: Secret) -> Secret | None:
        if not reference.reveal():
            return None
        return resolve(reference, premises.environ, purpose=f"sources.{name}.{field}")

    jira = joined(
        premises.environ, url=config.base_url, user=resolved("user", config.user),
        token=resolved("token", config.token), source=name, now=premises.clock.now,
        accounts=premises.accounts,
    )  # fmt: skip
    if premises.accounts is not None:
        premises.accounts.follow(
            jira.caller.budget, credential=f"the token of {name}", whose=lambda: name
        )
    return JiraSource(premises, jira)
