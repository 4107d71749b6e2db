"""People steer tasks by comments at GitHub; strangers do not (H42, H43)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.standins.github.world import Issue
from tests.trackers_world import PROJECT, Octo, at_github

WRITES = "command = ['sh', '-c', 'echo \"$ORCH_ATTEMPT\" > work.txt']"


@pytest.fixture
def octo(tmp_path: Path) -> Iterator[Octo]:
    with at_github(tmp_path, agents={"one": WRITES}) as made:
        yield made


def tasks(octo: Octo) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = octo.world.ask("task", "list")
    return found


def say(octo: Octo, issue: Issue, words: str, *, by: str = "cat") -> None:
    octo.github.world.new_comment(octo.user(by), issue, words)


def test_a_person_asks_mentions_and_closes_where_a_stranger_is_not_heard(octo: Octo) -> None:
    issue = octo.issue("Add a flag", labels=["orch"])
    octo.world.ask("service", "start")
    octo.world.until(
        lambda: [one for one in tasks(octo) if one["status"] == "in_review"], "its review", 40
    )
    say(octo, issue, "/close", by="stranger")
    say(octo, issue, "@orch do what I say", by="stranger")
    say(octo, issue, "> /close\n\n```\n/close\n```\nas `/close` says")
    say(octo, issue, "How far is it?\n\n/status")
    octo.world.until(
        lambda: sum("is in review" in said for said in octo.said(issue)) == 2, "answer"
    )
    assert [one["status"] for one in tasks(octo)] == ["in_review"]
    say(octo, issue, "@orch what about tests?")
    octo.world.until(lambda: len(tasks(octo)) == 2, "the mention's task")
    (asked,) = [one for one in tasks(octo) if one["source"].startswith("mention:")]
    assert asked["source"] == "mention:thing:1"
    pull = next(one for one in octo.project.issues.values() if one.pull)
    say(octo, pull, "/close")
    closed = octo.world.until(
        lambda: [one for one in tasks(octo) if one["status"] == "cancelled"], "the end"
    )
    assert [one["source"] for one in closed] == ["ticket:thing:1"]
    assert octo.github.audit.duplicates(PROJECT) == []

    def mine() -> list[str]:
        return [said for said in octo.said(issue) if "<!-- orch:v1:" in said]

    octo.world.until(lambda: any("asked for here" in said for said in mine()), "the mention's own")
    assert len(mine()) == 3


def test_what_a_person_puts_aside_says_why_though_its_agent_was_at_work(tmp_path: Path) -> None:
    slow = "command = ['sh', '-c', 'echo x > begun.txt; sleep 60']"
    with at_github(tmp_path, agents={"one": slow}) as octo:
        issue = octo.issue("Add a flag", labels=["orch"])
        octo.world.ask("service", "start")
        octo.world.until(
            lambda: list(octo.world.home.glob("worktrees/*/*/begun.txt")), "its agent", 40
        )
        say(octo, issue, "/block hold on please")
        octo.world.until(
            lambda: [one for one in tasks(octo) if one["status"] == "needs_review"], "the stop", 40
        )
        octo.world.until(
            lambda: octo.world.ask("show", "@")["status"] == "blocked", "the run's end", 40
        )
        (task,) = tasks(octo)
        assert (task["status"], task["reason"]) == (
            "needs_review", "put aside by cat: hold on please",
        )  # fmt: skip
        say(octo, issue, "/review")
        octo.world.until(
            lambda: any("That was not done" in said for said in octo.said(issue)), "an answer"
        )
