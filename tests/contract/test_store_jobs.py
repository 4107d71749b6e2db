"""Jobs in both stores: what may be asked of them, and what a slot becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orch.model import command as cmd
from orch.model.errors import OrchError
from orch.model.event import JobDisabled, JobFired, JobSkipped, TaskCreated
from orch.model.job import KEPT_S, Job
from orch.model.task import TaskState
from orch.ports import Store
from orch.store.memory import MemoryStore
from orch.store.sqlite import SqliteStore
from tests.records import ENGINE, ME, OTHER, PERSON, a_repo

NOW = 1_780_304_400.0
SLOT = int(NOW) + 60


@pytest.fixture(params=["sqlite", "memory"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    kinds: dict[str, Callable[[], Store]] = {
        "sqlite": lambda: SqliteStore(tmp_path / "orch.db", now=lambda: NOW, install="i"),
        "memory": lambda: MemoryStore(now=lambda: NOW),
    }
    store = kinds[request.param]()
    yield store
    store.close()


def added(books: Store, title: str = "Weekly report", **fields: Any) -> Job:
    wanted: dict[str, Any] = {"id": "", "title": title, "schedule": "* * * * *"} | fields
    books.send(cmd.AddJob(Job(**wanted)), PERSON)
    return books.jobs()[-1]


def refused(books: Store, command: cmd.Command, code: str) -> OrchError:
    before = (books.jobs(), books.firings(), books.last_event())
    with pytest.raises(OrchError) as caught:
        books.send(command, PERSON)
    assert caught.value.code == code
    assert caught.value.hint
    assert (books.jobs(), books.firings(), books.last_event()) == before
    return caught.value


def test_a_job_is_named_after_its_title_once(books: Store) -> None:
    made = added(books, "  Weekly   Repört! ", last_slot=99, enabled=False, reason="x")
    assert (made.id, made.title, made.enabled) == ("weekly-report", "Weekly Repört!", True)
    assert (made.created_at, made.since, made.last_slot, made.reason) == (NOW, NOW, 0, "")
    assert books.job("weekly-report") == made
    twin = cmd.AddJob(Job(id="", title="weekly-report", schedule="@daily"))
    assert "remove weekly-report" in refused(books, twin, "job_exists").hint
    added(books, "Another")
    assert [job.id for job in books.jobs()] == ["another", "weekly-report"], "by id"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"title": "!?"}, "bad_title"),
        ({"title": "x" * 201}, "too_large"),
        ({"body": "x" * 70_000}, "too_large"),
        ({"body": "\udcff"}, "not_utf8"),
        ({"kind": "command", "argv": ("a\0b",)}, "not_utf8"),
        ({"schedule": "*/0 * * * *"}, "bad_schedule"),
        ({"zone": "Nowhere"}, "unknown_zone"),
        ({"repo": "nothing"}, "unknown_repo"),
        ({"kind": "command"}, "bad_job"),
        ({"argv": ("ls",)}, "bad_job"),
        ({"timeout_s": 0.0}, "bad_job"),
    ],
)
def test_h35_what_could_never_work_is_refused_when_it_is_added(
    books: Store, fields: dict[str, Any], code: str
) -> None:
    wanted: dict[str, Any] = {"id": "", "title": "Job", "schedule": "@daily"} | fields
    refused(books, cmd.AddJob(Job(**wanted)), code)


def test_h37_h39_a_slot_is_taken_once_together_with_its_task(books: Store) -> None:
    books.send(cmd.RegisterRepo(a_repo()), PERSON)
    job = added(
        books, repo="thing", body="Please.", agent="one", workflow="basic_pr", labels=("weekly",)
    )
    fired, created = books.send(cmd.FireJob(job.id, SLOT), ENGINE)
    assert fired.data == JobFired(job.id, SLOT, task=1)
    assert isinstance(created.data, TaskCreated)
    assert (created.repo, created.task, created.cause) == ("thing", 1, fired.seq)
    assert (fired.repo, fired.task) == ("thing", 1)
    task = books.task(1)
    assert task is not None
    assert (task.title, task.repo, task.state) == ("Weekly report", "thing", "new")
    assert (task.body, task.pin, task.workflow) == ("Please.", "one", "basic_pr")
    assert task.labels == ("weekly", "scheduled", "job:weekly-report")
    assert task.source == "job:weekly-report"
    [firing] = books.firings()
    assert (firing.job, firing.slot, firing.outcome, firing.task) == (job.id, SLOT, "fired", 1)
    held = books.job(job.id)
    assert held is not None
    assert (held.last_slot, held.last_task, held.last_outcome) == (SLOT, 1, "fired")
    refused(books, cmd.FireJob(job.id, SLOT), "slot_taken")
    refused(books, cmd.FireJob(job.id, SLOT - 60), "slot_taken")
    assert books.task(2) is None


@pytest.mark.parametrize("state", ["new", "routed", "in_progress"])
def test_h38_while_its_last_task_is_live_a_slot_is_skipped_with_the_reason(
    books: Store, state: TaskState
) -> None:
    job = added(books)
    books.send(cmd.FireJob(job.id, SLOT), ENGINE)
    moved(books, 1, state)
    [event] = books.send(cmd.FireJob(job.id, SLOT + 60), ENGINE)
    assert event.data == JobSkipped(job.id, SLOT + 60, f"its last task 1 is {state}")
    held = books.job(job.id)
    assert held is not None
    assert (held.last_slot, held.last_task, held.reason) == (
        SLOT + 60, 1, f"its last task 1 is {state}",
    )  # fmt: skip
    refused(books, cmd.FireJob(job.id, SLOT + 60), "slot_taken")


@pytest.mark.parametrize("state", ["in_review", "done", "blocked", "needs_review", "cancelled"])
def test_h38_any_other_state_releases_the_job(books: Store, state: TaskState) -> None:
    job = added(books)
    books.send(cmd.FireJob(job.id, SLOT), ENGINE)
    moved(books, 1, state)
    fired, _ = books.send(cmd.FireJob(job.id, SLOT + 60), ENGINE)
    assert fired.data == JobFired(job.id, SLOT + 60, task=2)


def moved(books: Store, task: int, state: TaskState) -> None:
    """Put a task into a state, as its run would in the end."""
    from msgspec.structs import replace

    found = books.task(task)
    assert found is not None
    changed: Any = books
    changed._tables.put_task(replace(found, state=state))


def test_h40_a_job_whose_repository_is_gone_is_disabled_with_the_reason(books: Store) -> None:
    books.send(cmd.RegisterRepo(a_repo()), PERSON)
    job = added(books, repo="thing")
    books.send(cmd.ForgetRepo("thing"), PERSON)
    skipped, off = books.send(cmd.FireJob(job.id, SLOT), ENGINE)
    assert isinstance(skipped.data, JobSkipped)
    assert isinstance(off.data, JobDisabled)
    assert "thing is not registered" in off.data.reason
    assert books.task(1) is None
    assert "enable" in refused(books, cmd.FireJob(job.id, SLOT + 60), "job_disabled").hint


def test_h37_a_command_job_takes_its_slot_before_the_command_runs(books: Store) -> None:
    job = added(books, kind="command", argv=("ls",))
    [event] = books.send(cmd.FireJob(job.id, SLOT, ME), ENGINE)
    assert event.data == JobFired(job.id, SLOT, owner=ME)
    [firing] = books.firings()
    assert (firing.outcome, firing.owner, firing.ended_at) == ("running", ME, 0.0)
    refused(books, cmd.FireJob(job.id, SLOT, OTHER), "slot_taken")
    for later in (60, 120):  # not over: skipped, and the next one too
        [event] = books.send(cmd.FireJob(job.id, SLOT + later, ME), ENGINE)
        assert isinstance(event.data, JobSkipped), later
    books.send(
        cmd.SettleFiring(
            id=job.id, slot=SLOT, outcome="failed", reason="no", exit_code=3, output="y" * 900
        ),
        ENGINE,
    )
    first = books.firings(job.id)[-1]
    assert (first.outcome, first.exit_code, len(first.output)) == ("failed", 3, 500)
    again = cmd.SettleFiring(id=job.id, slot=SLOT, outcome="done")
    refused(books, again, "slot_settled")
    refused(books, cmd.SettleFiring(id=job.id, slot=7, outcome="done"), "unknown_job")
    [event] = books.send(cmd.FireJob(job.id, SLOT + 180, ME), ENGINE)
    assert isinstance(event.data, JobFired)


def test_a_precheck_that_passed_makes_the_task_and_one_that_did_not_says_why(books: Store) -> None:
    job = added(books, precheck=("true",))
    [event] = books.send(cmd.FireJob(job.id, SLOT, ME), ENGINE)
    assert event.data == JobFired(job.id, SLOT, owner=ME)
    assert books.task(1) is None
    books.send(cmd.SettleFiring(id=job.id, slot=SLOT, outcome="passed"), ENGINE)
    assert books.firings()[0].task == 1
    moved(books, 1, "done")
    books.send(cmd.FireJob(job.id, SLOT + 60, ME), ENGINE)
    said = cmd.SettleFiring(id=job.id, slot=SLOT + 60, outcome="skipped", reason="nothing to do")
    books.send(said, ENGINE)
    assert books.firings()[0].reason == "nothing to do"
    assert books.task(2) is None
    books.send(cmd.FireJob(job.id, SLOT + 120, ME), ENGINE)
    books.send(cmd.DisableJob(job.id, "enough"), PERSON)
    books.send(cmd.SettleFiring(id=job.id, slot=SLOT + 120, outcome="passed"), ENGINE)
    assert books.firings()[0].outcome == "skipped"
    assert books.task(2) is None


def test_switching_off_and_on_and_removing(books: Store) -> None:
    job = added(books)
    books.send(cmd.DisableJob(job.id, "enough"), PERSON)
    held = books.job(job.id)
    assert held is not None
    assert (held.enabled, held.reason) == (False, "enough")
    assert books.send(cmd.DisableJob(job.id), PERSON) == []
    books.send(cmd.EnableJob(job.id), PERSON)
    assert books.send(cmd.EnableJob(job.id), PERSON) == []
    held = books.job(job.id)
    assert held is not None
    assert (held.enabled, held.reason, held.since) == (True, "", NOW)
    books.send(cmd.FireJob(job.id, SLOT), ENGINE)
    books.send(cmd.RemoveJob(job.id), PERSON)
    assert (books.jobs(), books.firings(), books.job(job.id)) == ([], [], None)
    assert books.task(1) is not None, "its tasks stay"
    for command in (
        cmd.RemoveJob("x"), cmd.EnableJob("x"), cmd.DisableJob("x"), cmd.FireJob("x", SLOT),
    ):  # fmt: skip
        refused(books, command, "unknown_job")


def test_old_firings_are_forgotten(books: Store) -> None:
    job = added(books)
    books.send(cmd.FireJob(job.id, SLOT), ENGINE)
    books.send(cmd.FireJob(job.id, SLOT + 60), ENGINE)
    assert [firing.slot for firing in books.firings(limit=1)] == [SLOT + 60], "the last first"
    books.send(cmd.FireJob(job.id, SLOT + int(KEPT_S) + 60), ENGINE)
    assert [firing.slot - SLOT for firing in books.firings(job.id)] == [int(KEPT_S) + 60, 60]
    assert books.firings("other") == []
