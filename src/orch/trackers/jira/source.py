"""One project of a Jira as a ticket source.

Invariants: those of `orch.ports.tickets`; and a look reaches back further than Jira's search lags
behind its writes, in Jira's own time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from orch.hosts.failures import Forbidden, Unknown
from orch.hosts.jira import jql
from orch.hosts.jira.issues import FIELDS
from orch.hosts.jira.shapes import PROPERTY, Project, key_in
from orch.model import marks
from orch.model.errors import ConfigError, UsageError
from orch.model.tracked import Approval, Author, Batch, Remark, Tracked
from orch.trackers import sources
from orch.trackers.jira import bodies, health
from orch.trackers.jira.moves import Moves
from orch.trackers.jira.talk import Talk
from orch.trackers.jira.tickets import Reading, author_of, last_labelling
from orch.trackers.jira.words import Words

if TYPE_CHECKING:
    from orch.config.source_tree import SourceConfig, SourcePremises
    from orch.hosts.jira.client import Jira
    from orch.model.task import TaskState

OVERLAP_S = 300
"""How far each look reaches back beyond the one before: Jira's search lags behind its writes by
seconds, and knows whole minutes only."""
RIGHTS_S = 600.0
"""How long an answer about somebody's rights holds."""
_LONGEST_TITLE = 255
_OPTIONS = ("issue_type", "resolution", "epic_field")


class JiraSource:
    kind = "jira"

    def __init__(self, premises: SourcePremises, jira: Jira) -> None:
        self._premises, self._config, self._jira = premises, premises.config, jira
        self._project_key = self._config.project
        self._words = Words(self._config.states, self._config.priorities)
        options = self._config.options
        self._epic = str(options.get("epic_field", ""))
        self._moves = Moves(
            jira, self._words, self._config.transitions,
            resolution=str(options.get("resolution", "")),
        )  # fmt: skip
        self._talk = Talk(jira, self._project_key, overlap_s=OVERLAP_S)
        self._lock = threading.Lock()
        self._me: Author | None = None
        self._project: Project | None = None
        self._rights: dict[str, tuple[float, bool]] = {}

    # --- who --------------------------------------------------------------------------------

    def me(self) -> Author:
        with self._lock:
            if self._me is None:
                self._me = author_of(self._jira.people.me())
            return self._me

    def may_write(self, author: Author) -> bool:
        """By the permission to edit issues, asked about that very account; kept for ten minutes. No
        where Jira does not let our account ask (`probe` says so)."""
        if not author.id or author.bot:
            return False
        now = self._premises.clock.now()
        with self._lock:
            until, may = self._rights.get(author.id, (0.0, False))
        if now < until:
            return may
        try:
            may = self._jira.people.may_edit(author.id, self._where())
        except Forbidden:
            may = False
        with self._lock:
            self._rights[author.id] = (now + RIGHTS_S, may)
        return may

    def approval(self, source_id: str, label: str) -> Approval | None:
        with self._there(source_id):
            issue = self._jira.issues.get(source_id).issue
            histories = self._jira.issues.histories(source_id)
        return last_labelling(issue.fields, histories, label)

    def probe(self) -> str:
        """What is missing for this source to work, in one sentence; empty when all is well."""
        return sources.probed(lambda: health.fault(self._jira, self._config, self.scope()))

    # --- reading ----------------------------------------------------------------------------

    def look(self, cursor: str) -> Batch:
        self._jira.server()
        began = int(self._jira.caller.server_time())
        me = self.me()  # who is not signed in hears of it before there is a list
        since = int(cursor) if cursor.isascii() and cursor.isdigit() else None
        if since is None or since > began + OVERLAP_S:
            asked, whole = jql.every(self.scope(), self._still_open()), True
        else:
            minutes = -(-(began - since + OVERLAP_S) // 60) + 1
            asked, whole = jql.every(self.scope(), jql.since("updated", minutes)), False
        found = self._jira.issues.search(asked, fields=self._fields(), changes=True)
        reading = self._reading(me)
        tickets = tuple(reading.ticket(told) for told in found)
        return Batch(tickets=tickets, cursor=str(began), whole=whole)

    def get(self, source_id: str) -> Tracked:
        with self._there(source_id):
            told = self._jira.issues.get(source_id, fields=self._fields())
        if told.issue.key != source_id:
            raise sources.unknown(source_id, self._premises.name)  # it was moved away
        return self._reading(self.me()).ticket(told)

    def remarks(self, cursor: str) -> tuple[Sequence[Remark], str]:
        return self._talk.since(cursor, self.me().id)

    def scope(self) -> str:
        """The project, and what the source's query makes of it."""
        return jql.every(jql.within(self._project_key), jql.condition(self._config.query))

    # --- writing ----------------------------------------------------------------------------

    def create(self, title: str, *, body: str, labels: Sequence[str], key: str) -> Tracked:
        if made := self._made(key):
            return self.get(made)
        written = bodies.written(body, key=key, cloud=self._jira.cloud)
        fields: dict[str, Any] = {
            "project": {"key": self._project_key},
            "issuetype": {"name": str(self._config.options.get("issue_type", "Task"))},
            "summary": sources.title(title, _LONGEST_TITLE),
            "description": written.body,
        }
        if labels:
            fields["labels"] = [_label(one) for one in labels]
        created = self._jira.issues.create(fields, written.properties)
        if isinstance(created, Unknown):
            raise created.error()
        return self.get(created.key)

    def put_state(self, source_id: str, state: TaskState) -> None:
        with self._there(source_id):
            self._moves.show(source_id, state)

    def close(self, source_id: str, *, done: bool) -> None:
        with self._there(source_id):
            self._moves.end(source_id, done=done)

    def put_labels(self, source_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
        with self._there(source_id):
            issue = self._jira.issues.get(source_id, fields=("labels",)).issue
            here = set(issue.fields.labels or ())
            verbs = [{"add": _label(one)} for one in dict.fromkeys(add) if one not in here]
            verbs += [{"remove": one} for one in dict.fromkeys(remove) if one in here]
            if verbs and isinstance(told := self._jira.issues.edit(source_id, {"labels": verbs}),
                                    Unknown):  # fmt: skip
                raise told.error()

    def put_comment(self, source_id: str, body: str, *, key: str, known: str = "") -> str:
        with self._there(source_id):
            return self._talk.put(source_id, body, key=key, known=known, ours=self.me().id)

    # --- how --------------------------------------------------------------------------------

    def _made(self, key: str) -> str:
        """The issue of ours that carries `key`; the oldest, should there be several."""
        asked = jql.every(jql.within(self._project_key), "creator = currentUser()")
        for told in self._jira.issues.search(asked, fields=("description",)):
            property_key = key_in((told.issue.properties or {}).get(PROPERTY))
            description = told.issue.fields.description
            if property_key == key or (
                isinstance(description, str) and marks.has(bodies.read(description), key)
            ):
                return told.issue.key
        return ""

    def _still_open(self) -> str:
        """What we count as open: not done by category, and what a table of ours says is open though
        Jira counts it as done."""
        found = [
            status.name
            for kind in self._jira.people.statuses(self._project_key)
            for status in kind.statuses
            if status.statusCategory.key == "done" and self._words.state(status) != "closed"
        ]
        others = jql.among("status", sorted(set(found)))
        return f"(statusCategory != Done OR {others})" if others else "statusCategory != Done"

    def _reading(self, me: Author) -> Reading:
        return Reading(
            source=self._premises.name, repo=self._premises.repo.slug, words=self._words,
            browse=self._jira.browse, ours=me.id, epic_field=self._epic,
        )  # fmt: skip

    def _fields(self) -> tuple[str, ...]:
        return (*FIELDS, self._epic) if self._epic else FIELDS

    def _where(self) -> Project:
        with self._lock:
            if self._project is None:
                self._project = self._jira.people.project(self._project_key)
            return self._project

    @contextlib.contextmanager
    def _there(self, source_id: str) -> Iterator[None]:
        """An issue of this project and no other (H94); what Jira does not show is not there."""
        found = jql.KEY.fullmatch(source_id)
        if not found or found[1] != self._project_key:
            raise sources.unknown(source_id, self._premises.name)
        with sources.one_that_is_there(source_id, self._premises.name):
            yield


def checked(name: str, config: SourceConfig) -> None:
    """Refuse a table that cannot be right, before anything is asked. `ConfigError`."""
    if not jql.PROJECT.fullmatch(config.project):
        raise ConfigError(
            f"The project {config.project[:80]!r} of the source {name} is no key of Jira's.",
            code="bad_project",
            hint="Set project to what stands before the dash of its issues: PROJ of PROJ-12.",
        )
    jql.condition(config.query)
    for word, value in config.options.items():
        if word not in _OPTIONS or not isinstance(value, str):
            raise ConfigError(
                f"The source {name} has an option {word!r} that cannot be used.",
                code="bad_options",
                hint=f"Options of kind jira are texts: {', '.join(_OPTIONS)}.",
            )


def _label(word: str) -> str:
    if not word or any(c.isspace() for c in word) or len(word) > _LONGEST_TITLE:
        raise UsageError(
            f"Jira takes no label {word[:80]!r}: a label has no spaces in it.",
            code="bad_labels",
            hint="Write it with a dash or an underscore.",
        )
    return word
