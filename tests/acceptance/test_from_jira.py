"""A ticket of Jira whose description is a document becomes a merged pull request on GitHub, and is
closed there, without a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from orch.trackers import adf
from orch.trackers.jira import bodies
from tests.standins.jira.server import JiraStandIn
from tests.standins.jira.world import ADMIN, RIGHTS
from tests.trackers_world import PROJECT, RULES, Octo, at_github

# What it is asked for is kept with what it does.
WRITES = "command = ['sh', '-c', 'cat \"$ORCH_PROMPT_FILE\" > work.txt 2>&1']"
MERGES = """
auto_merge = true
checks = ["test -f work.txt"]
"""
SOURCE = """
[sources.board]
kind = "jira"
repo = "thing"
project = "ABC"
base_url = "{url}"
user = "bot@example.org"
token = "env:JIRA_TOKEN"
interval_s = 0.5
"""
WANTED = "## Steps\n\n1. Open **it**\n2. See `--json` missing"


class Both(NamedTuple):
    octo: Octo
    jira: JiraStandIn


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    with JiraStandIn(cloud=True) as jira:
        rights = {"bot": (*RIGHTS, ADMIN), "cat": RIGHTS, "eve": ("BROWSE_PROJECTS",)}
        jira.world.add_project("ABC", rights=rights)
        text = RULES + MERGES + SOURCE.format(url=jira.url)
        with at_github(tmp_path, agents={"one": WRITES}, text=text) as octo:
            octo.world.extra["JIRA_TOKEN"] = jira.token("bot")
            yield Both(octo, jira)


@pytest.mark.slow
def test_a_ticket_of_jira_becomes_a_merged_pull_request(both: Both) -> None:
    octo, jira = both
    document = adf.from_markdown(WANTED)
    issue = jira.world.add_issue("ABC", "Add a --json flag", by="cat", description=document)
    other = jira.world.add_issue("ABC", "By a stranger", by="eve", labels=["orch"])
    jira.world.label(issue, "cat", "orch")
    octo.world.ask("service", "start")
    octo.world.until(lambda: issue.status.name == "Done", "the end of the ticket", 90)
    octo.world.until(
        lambda: bool(issue.comments) and "is done" in bodies.read(issue.comments[0].body),
        "the last words", 10,
    )  # fmt: skip
    (pull,) = [one for one in octo.project.issues.values() if one.pull]
    assert pull.pull is not None
    assert pull.pull.merged_at
    work = octo.world.git("show", "main:work.txt", where=octo.project.git.path)
    assert "## Steps" in work
    assert "1. Open **it**\n2. See `--json` missing" in work
    (said,) = issue.comments
    assert said.author.name == "bot"
    assert f"/{PROJECT}/pull/{pull.number}" in str(said.body)
    assert "orch:v1" not in str(said.body)
    moves = [one["items"][0]["toString"] for one in issue.histories
             if one["items"][0]["field"] == "status"]  # fmt: skip
    assert moves[-1] == "Done"
    assert moves == sorted(set(moves), key=["In Progress", "In Review", "Done"].index)
    assert (other.status.name, other.comments) == ("To Do", [])
    assert jira.rest.unknown == []
