"""What is known about a task, gathered for `orch.model.briefing.brief`.

Invariant: reads only; the project's files come from the commit of its base branch, never from a
worktree, which an agent can write to. What cannot be read now is left out and named, so a briefing
never holds up an attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.model.attempt import FINAL, Attempt
from orch.model.briefing import ERROR, FILES, LOG, TRIES, Known, Section, Try, brief, whole
from orch.model.errors import OrchError
from orch.model.event import GateAnswered
from orch.model.naming import moment
from orch.model.quoting import Quote
from orch.model.task import Task

if TYPE_CHECKING:
    from orch.api.facade import Orch

NAMES_BYTES = 256 * 1024
"""Of the paths of a commit; a tree of 200 lines needs no more."""
RESULT_BYTES = 256 * 1024


class Briefings:
    """Of one home."""

    def __init__(self, orch: Orch) -> None:
        self._store = orch.store
        self._rooms = orch.rooms
        self._orch = orch

    def of(self, number: int, *, before: str = "") -> tuple[Section, ...]:
        """The sections for a task; with `before` (an attempt's id) as that attempt finds them.
        Empty for a task that is not known."""
        task = self._store.task(number)
        return brief(self.known(task, before=before)) if task is not None else ()

    def record(self, task: Task) -> dict[str, Any]:
        """As `orch context --json` tells it."""
        sections = brief(self.known(task))
        text = whole(sections)
        return {
            "task": task.id,
            "sections": [{"name": one.name, "text": one.text} for one in sections],
            "text": text,
            "bytes": len(text.encode()),
        }

    def known(self, task: Task, *, before: str = "") -> Known:
        base, files, paths, log = self._project(task)
        return Known(
            task=task, ticket=self._ticket(task), comments=self._comments(task),
            family=self._family(task), tries=self._tries(task, before), base=base, files=files,
            paths=paths, log=log,
        )  # fmt: skip

    def _ticket(self, task: Task) -> Any:
        try:
            return self._orch.issue(task.issue) if task.issue else None
        except OrchError:
            return None  # its tracker is away or it is gone: the task has its words

    def _comments(self, task: Task) -> tuple[Quote, ...]:
        """What people answered to this task's runs."""
        found, since = [], 0
        while events := self._store.events(since, task=task.id):
            since = events[-1].seq
            for event in events:
                if isinstance(event.data, GateAnswered):
                    answer = event.data.answer
                    found.append(
                        Quote(
                            what=f"answer at gate {event.data.path}: {answer.decision}",
                            text=answer.text, author=answer.by or event.actor.id,
                            at=moment(event.at),
                        )
                    )  # fmt: skip
        return tuple(found)

    def _family(self, task: Task) -> tuple[tuple[str, Task], ...]:
        parent = self._store.task(task.parent) if task.parent else None
        found = [("parent", parent)] if parent is not None else []
        siblings = self._store.children(task.parent) if task.parent else []
        found += [("sibling", other) for other in siblings if other.id != task.id]
        found += [("child", child) for child in self._store.children(task.id)]
        return tuple(found)

    def _tries(self, task: Task, before: str) -> tuple[Try, ...]:
        """The last attempts that have ended, oldest first. For one that is to come (`before`), of its
        own run only those of the same step: what a reviewer is told is the workflow's to say."""
        coming = self._store.attempt(before) if before else None
        ended = [
            attempt
            for run in self._store.runs_of_task(task.id)
            for attempt in self._store.attempts(run.id)
            if attempt.role != "command" and attempt.status in FINAL
            and (coming is None or attempt.run != coming.run or attempt.path == coming.path)
        ]  # fmt: skip
        first = max(0, len(ended) - TRIES)
        last = ended[-1].id if ended else ""
        return tuple(
            self._try(attempt, n, failed=attempt.id == last and attempt.status != "succeeded")
            for n, attempt in enumerate(ended[first:], first + 1)
        )

    def _try(self, attempt: Attempt, n: int, *, failed: bool) -> Try:
        from orch.agents import record

        read = self._rooms.terminals.output
        try:
            raw = read(attempt.directory, "result.json", tail_bytes=RESULT_BYTES)
            errors = read(attempt.directory, "stderr", tail_bytes=ERROR) if failed else b""
        except OrchError:
            raw = errors = b""  # its files were tidied away
        result = record.read(raw.decode("utf-8", "replace") if raw else None).result
        return Try(
            n=n, agent=attempt.agent, status=attempt.status, code=attempt.code,
            message=attempt.message, learnings=result.learnings if result is not None else (),
            output=errors.decode("utf-8", "replace"),
        )  # fmt: skip

    def _project(self, task: Task) -> tuple[str, Any, Any, Any]:
        """(base commit, instructions, paths, log) of the repository's base branch."""
        repo = self._store.repo(task.repo) if task.repo else None
        if repo is None:
            return "", (), (), ()
        git, branch = self._rooms.git, self._rooms.config(repo).defaults.base_branch or None
        try:
            base = git.resolve_base(repo, branch, fetch=False).commit
            found = ((name, git.file_at(repo, base, name, most)) for name, most in FILES.items())
            files = tuple((name, text) for name, text in found if text)
            paths, log = git.paths_at(repo, base, NAMES_BYTES), git.log_at(repo, base, LOG)
        except OrchError:
            return "", (), (), ()  # the step that needs the repository says what is wrong with it
        return base, files, tuple(paths), tuple(log)
