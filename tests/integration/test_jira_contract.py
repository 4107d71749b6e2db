"""The source for Jira passes the contract of `TicketSource`, on Cloud and on Data Center."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from orch.model import marks
from orch.ports.tickets import TicketSource
from orch.testing.sources import STRANGER, TEXTS, WRITER, SourceContract
from orch.trackers import adf
from orch.trackers.jira import bodies
from orch.trackers.jira.source import JiraSource
from tests.integration.jira_rooms import WRITES, Rooms
from tests.standins.jira.server import JiraStandIn
from tests.standins.jira.world import ADMIN, RIGHTS, Comment, Frozen, Issue

WORDS = (
    ("To Do", "new"), ("Selected", "new"), ("In Progress", "indeterminate"), ("Blocked", "new"),
    ("In Review", "indeterminate"), ("Needs Review", "indeterminate"), ("Done", "done"),
)  # fmt: skip
TRANSITIONS = {"new": "To Do", "routed": "Selected", "blocked": "Blocked",
               "needs_review": "Needs Review"}  # fmt: skip
STATES = {"To Do": "new", "Selected": "routed", "In Progress": "in_progress", "Blocked": "blocked",
          "In Review": "in_review", "Needs Review": "needs_review"}  # fmt: skip


class JiraContract(SourceContract):
    cloud: bool

    @pytest.fixture
    def source(self) -> Iterator[JiraSource]:
        with JiraStandIn(cloud=self.cloud, clock=Frozen()) as standin:
            self.rooms = Rooms(standin)
            self.world = standin.world
            self.world.add_project("ABC", words=WORDS, rights={
                "bot": (*RIGHTS, ADMIN), WRITER: RIGHTS,
                STRANGER: ("BROWSE_PROJECTS", "ADD_COMMENTS", "CREATE_ISSUES"),
            })  # fmt: skip
            yield self.rooms.source(transitions=TRANSITIONS)
            self.rooms.close()
            assert standin.rest.unknown == []

    def reopened(self, source: Any) -> Any:
        return self.rooms.source(transitions=TRANSITIONS)

    def body(self, text: str) -> Any:
        return adf.from_markdown(text) if self.cloud else text

    def person_opens(
        self, source: Any, title: str, *, body: str = "", labels: Sequence[str] = (),
        by: str = WRITER,
    ) -> str:  # fmt: skip
        """Labels of Jira have no spaces."""
        spelled = [label.replace(" ", "_") for label in labels]
        described = self.body(body) if body else None
        return self.world.add_issue("ABC", title, by=by, labels=spelled, description=described).key

    def person_edits(self, source: Any, source_id: str, **fields: str) -> None:
        self.world.retitle(self.world.issues[source_id], WRITER, fields["title"])

    def person_labels(
        self, source: Any, source_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = (),
        by: str = WRITER,
    ) -> None:  # fmt: skip
        issue = self.world.issues[source_id]
        self.world.label(issue, by, *[one for one in issue.labels if one not in remove], *add)

    def person_closes(self, source: Any, source_id: str) -> None:
        self.world.move(self.world.issues[source_id], WRITER, "Done")

    def person_blocks(self, source: Any, source_id: str, by: str) -> None:
        issue = self.world.issues[source_id]
        issue.blockers.append(self.world.issues[by])
        self.world.touch(issue)

    def person_comments(self, source: Any, source_id: str, body: str, *, by: str = WRITER) -> str:
        return self.world.comment(self.world.issues[source_id], by, self.body(body)).id

    def said(self, remark: str) -> tuple[Issue, Comment]:
        return next((issue, one) for issue in self.world.issues.values()
                    for one in issue.comments if one.id == remark)  # fmt: skip

    def person_edits_comment(self, source: Any, remark: str, body: str) -> None:
        issue, one = self.said(remark)
        one.body, one.updated = self.body(body), self.world.clock()
        self.world.touch(issue)

    def person_deletes_comment(self, source: Any, remark: str) -> None:
        issue, one = self.said(remark)
        issue.comments.remove(one)

    def person_deletes_ticket(self, source: Any, source_id: str) -> None:
        del self.world.issues[source_id]

    def comments_there(self, source: Any, source_id: str) -> list[str]:
        return [
            bodies.read(one.body, key=one.properties.get("orch", {}).get("key", "")).replace("\\", "")
            for one in self.world.issues[source_id].comments
        ]  # fmt: skip

    def tickets_there(self, source: Any) -> int:
        return len(self.world.issues)

    def lose_next_answer(self, source: Any) -> None:
        self.rooms.standin.faults.add(WRITES, "lost")

    def lag(self, source: Any, seconds: float) -> None:
        self.world.lag_s = self.world.talk_lag_s = seconds

    def wait(self, source: Any, seconds: float) -> None:
        self.world.clock.advance(seconds)

    def shown_state(self, source: Any, source_id: str) -> str:
        return STATES[self.world.issues[source_id].status.name]


class TestJiraDataCenter(JiraContract):
    cloud = False


class TestJiraCloud(JiraContract):
    cloud = True

    @pytest.mark.parametrize("text", TEXTS)
    def test_texts_are_data(self, source: TicketSource, text: str) -> None:
        """A body is a document there: here it is Markdown that shows the same words."""
        shown = {"type": "doc", "version": 1, "content": [
            {"type": "paragraph", "content": [{"type": "text", "text": text}]}]}  # fmt: skip
        made = self.world.add_issue("ABC", text, by=WRITER, description=shown)
        found = source.get(made.key)
        assert found.title == text
        assert adf.from_markdown(found.body)["content"] == shown["content"]
        assert marks.keys_in(found.body) == [] or "\\<" in found.body
