"""The tables of `config.toml` that say where tickets live, and how a forge is reached.

Invariant: data only; a credential is a reference, masked wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from orch.config.kinds import Choice, Names, Options, Seconds, Text, YesNo
from orch.config.secret import Secret
from orch.config.source_kinds import Credential, Credentials, Server, Words
from orch.model.repo import Repo

if TYPE_CHECKING:
    from orch.ports import Clock

NAME = r"[a-z0-9][a-z0-9_-]{0,39}"
_KIND = Text("the name of a kind (github, jira, ...)", r"[a-z][a-z0-9_-]{0,31}|")
_PLAIN = Text()
_LABEL = Text("a label", r"[^\x00-\x1f\x7f,]{0,100}")
_STARTS = ("label", "writers", "never")
_WRITES = ("all", "comments", "none")


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[sources.NAME]`: a project of a tracker (`kind`) whose tickets are for the repository `repo`.

    `project` is what the tracker calls it (`owner/name`, a Jira key, a Linear team); empty: what the
    repository's remote says. `base_url` is another server's. `user` and `token` sign in (Jira: an
    address and its token); empty: what the kind finds by itself. `query` narrows (Jira: JQL).
    `start` says which open tickets become tasks by themselves: those with the label `label` that
    somebody put there who may write, those of authors who may write (`writers`), or none (`never`).
    `allowed_authors` are people (id or name at the tracker) who count as such. `write` is what is
    written back: labels or transitions, comments and the end (`all`), `comments`, or `none`. `close`
    ends the ticket when its task is done. `states` maps the tracker's words for states to open,
    in_progress or closed, `transitions` our states to the tracker's, `priorities` its priorities to
    low, normal, high or urgent. `secrets` sign webhooks: the one in use, and while it is being
    exchanged the one before. Times in seconds.
    """

    kind: Annotated[str, _KIND] = ""
    repo: Annotated[str, Text("the slug of a repository")] = ""
    project: Annotated[str, _PLAIN] = ""
    base_url: Annotated[str, Server()] = ""
    user: Annotated[Secret, Credential()] = Secret("")
    token: Annotated[Secret, Credential()] = Secret("")
    query: Annotated[str, Text("a query on one line", r"[^\x00\r\n]*")] = ""
    label: Annotated[str, _LABEL] = "orch"
    start: Annotated[Literal["label", "writers", "never"], Choice(_STARTS)] = "label"
    allowed_authors: Annotated[tuple[str, ...], Names("people", r"[^\x00-\x1f\x7f]{1,200}")] = ()
    write: Annotated[Literal["all", "comments", "none"], Choice(_WRITES)] = "all"
    close: Annotated[bool, YesNo()] = True
    states: Annotated[dict[str, str], Words(("open", "in_progress", "closed"))] = {}
    transitions: Annotated[dict[str, str], Words()] = {}
    priorities: Annotated[dict[str, str], Words(("low", "normal", "high", "urgent"))] = {}
    interval_s: Annotated[float, Seconds()] = 120.0
    secrets: Annotated[tuple[Secret, ...], Credentials()] = ()
    options: Annotated[dict[str, Any], Options()] = {}


class ForgeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[forges.NAME]`: how the forge NAME is reached. `kind` is what it is (default: NAME itself),
    `base_url` another server's, `token` signs in; empty: what the kind finds by itself."""

    kind: Annotated[str, _KIND] = ""
    base_url: Annotated[str, Server()] = ""
    user: Annotated[Secret, Credential()] = Secret("")
    token: Annotated[Secret, Credential()] = Secret("")
    options: Annotated[dict[str, Any], Options()] = {}


class SourcePremises(msgspec.Struct, frozen=True, kw_only=True):
    """What a source gets to work with: its name, its table, the repository that it is for, a folder
    of its own in the home (made when it is needed), the service's environment, and where what is
    asked of remote services is entered (`orch.hosts.accounts.Accounts`, or None). Fields may be
    added."""

    name: str
    config: SourceConfig
    repo: Repo
    directory: Path
    environ: Mapping[str, str]
    clock: Clock
    accounts: Any = None
