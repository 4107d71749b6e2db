"""The double of ticket sources passes the contract of `TicketSource`. Those of services pass it on
their stand-ins, in `tests/integration/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from orch.testing.forges import SteppingClock
from orch.testing.sources import WRITER, SourceContract
from orch.trackers.memory_source import MemoryProject, MemorySource


class TestMemorySource(SourceContract):
    @pytest.fixture
    def source(self) -> MemorySource:
        self.clock = SteppingClock()
        self.project = MemoryProject(self.clock)
        return MemorySource(self.project)

    def reopened(self, source: Any) -> Any:
        return MemorySource(self.project)

    def person_opens(
        self, source: Any, title: str, *, body: str = "", labels: Sequence[str] = (),
        by: str = WRITER,
    ) -> str:  # fmt: skip
        return self.project.opens(title, body=body, labels=labels, by=by)

    def person_edits(self, source: Any, source_id: str, **fields: str) -> None:
        self.project.edits(source_id, **fields)

    def person_labels(
        self, source: Any, source_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = (),
        by: str = WRITER,
    ) -> None:  # fmt: skip
        self.project.labels(source_id, add, remove, by=by)

    def person_closes(self, source: Any, source_id: str) -> None:
        self.project.closes(source_id)

    def person_blocks(self, source: Any, source_id: str, by: str) -> None:
        self.project.change(source_id, blocked_by=(by,))

    def person_comments(self, source: Any, source_id: str, body: str, *, by: str = WRITER) -> str:
        return self.project.comments(source_id, body, by=by)

    def person_edits_comment(self, source: Any, remark: str, body: str) -> None:
        self.project.edits_comment(remark, body)

    def person_deletes_comment(self, source: Any, remark: str) -> None:
        del self.project.said[remark]

    def person_deletes_ticket(self, source: Any, source_id: str) -> None:
        del self.project.items[source_id]

    def comments_there(self, source: Any, source_id: str) -> list[str]:
        said = [one.remark for one in self.project.said.values()]
        return [one.body for one in said if one.source_id == source_id]

    def tickets_there(self, source: Any) -> int:
        return len(self.project.items)

    def lose_next_answer(self, source: Any) -> None:
        self.project.loses_next_answer()

    def lag(self, source: Any, seconds: float) -> None:
        self.project.lag_s = seconds

    def wait(self, source: Any, seconds: float) -> None:
        self.clock.at += seconds
