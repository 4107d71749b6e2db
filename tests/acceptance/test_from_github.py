"""A ticket of GitHub becomes a merged pull request and a closed ticket, without a person."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.standins import fetched
from tests.standins.github.world import Issue
from tests.trackers_world import PROJECT, RULES, SOURCE, Octo, at_github

WRITES = "command = ['sh', '-c', 'echo \"$ORCH_ATTEMPT\" > work.txt']"
REVIEWS = (
    "command = ['sh', '-c', 'echo \"{\\\\\"approved\\\\\": true, \\\\\"comments\\\\\": []}\"']"
    '\nreply = "text"'
)
MERGES = """
auto_merge = true
checks = ["test -f work.txt"]
"""


@pytest.fixture
def octo(tmp_path: Path) -> Iterator[Octo]:
    text = RULES + MERGES + SOURCE
    with at_github(tmp_path, agents={"one": WRITES}, text=text) as made:
        yield made


def gh(octo: Octo, *words: str) -> str:
    """The real `gh`, as octo."""
    try:
        program = fetched.gh()
    except fetched.NotInstalled as error:
        pytest.skip(f"the real gh could not be installed: {error}")
    environ = {
        "PATH": os.environ["PATH"], **octo.github.gh_environ("octo", octo.world.root),
    }  # fmt: skip
    done = subprocess.run(
        [str(program), *words], env=environ, cwd=octo.world.root, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def labels_over_time(issue: Issue) -> list[str]:
    """Every status label that was put on it, in order."""
    return [
        event.label for event in issue.events
        if event.kind == "labeled" and event.label.startswith("status:")
    ]  # fmt: skip


def task_of(octo: Octo, number: int = 1) -> Any:
    return octo.world.ask("task", "get", str(number))


def test_an_issue_that_gh_made_becomes_a_merged_pull_request(octo: Octo) -> None:
    octo.world.ask("service", "start")
    gh(octo, "label", "create", "orch", "-R", PROJECT)
    gh(octo, "issue", "create", "-R", PROJECT, "--title", "Add a --json flag",
       "--body", "Please.", "--label", "orch")  # fmt: skip
    issue = octo.project.issues[1]
    octo.world.until(lambda: issue.state == "closed", "the end of the ticket", 40)
    octo.world.until(lambda: "status:done" in octo.labels(issue), "its label", 10)
    assert issue.reason == "completed"
    task = task_of(octo)
    assert (task["status"], task["issue"]) == ("done", "thing:1")
    (pull,) = [one for one in octo.project.issues.values() if one.pull]
    assert pull.pull is not None
    assert pull.pull.merged_at
    assert octo.project.git.tip("main") != ""
    assert "work.txt" in octo.world.git("ls-tree", "-r", "--name-only", "main",
                                        where=octo.project.git.path)  # fmt: skip
    octo.world.until(lambda: "is done" in octo.said(issue)[0], "the last words", 10)
    (said,) = octo.said(issue)
    assert f"/{PROJECT}/pull/{pull.number}" in said
    assert octo.labels(issue) == {"orch", "status:done", "agent:one", "complexity:medium"}
    assert octo.github.audit.duplicates(PROJECT) == []
    listed = json.loads(gh(octo, "issue", "list", "-R", PROJECT, "--state", "all",
                           "--json", "number,state"))  # fmt: skip
    assert {"number": 1, "state": "CLOSED"} in listed
