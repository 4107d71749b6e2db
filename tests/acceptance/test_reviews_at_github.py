"""People review at GitHub what agents have made: their words go back to the agent, and win."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.standins.github import pulls
from tests.standins.github.world import Issue
from tests.trackers_world import RULES, Octo, at_github

AUTHOR = """
import os
with open({ledger!r}, "a") as file:
    file.write(open(os.environ["ORCH_PROMPT_FILE"]).read().replace("\\n", "|") + "\\n")
with open("work.txt", "a") as file:
    file.write("work\\n")
"""


@pytest.fixture
def octo(tmp_path: Path) -> Iterator[Octo]:
    script = tmp_path / "author.py"
    script.write_text(AUTHOR.format(ledger=str(tmp_path / "ledger")), encoding="utf-8")
    argv = json.dumps(["python3", "-I", "-S", str(script)])
    review = 'auto_merge = true\nowner = ["octo"]\nmax_cycles = 1\n'
    agents = {"one": f'command = {argv}\npass_env = ["PATH"]'}
    with at_github(tmp_path, agents=agents, text=RULES + review) as made:
        yield made


def told(octo: Octo) -> list[str]:
    path = octo.world.root.parent / "ledger"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def opened(octo: Octo) -> Issue:
    def look() -> Any:
        return [one for one in octo.project.issues.values() if one.pull]

    octo.world.ask("service", "start")
    octo.world.ask("task", "add", "Write it", "--repo", "thing")
    found: list[Issue] = octo.world.until(look, "the pull request", 40)
    return found[0]


def becomes(octo: Octo, state: str, reason: str) -> None:
    def look() -> bool:
        task = octo.world.ask("task", "get", "1")
        return task["status"] == state and reason in task["reason"]

    octo.world.until(look, f"{state}: {reason}", 40)


def test_what_a_reviewer_wants_is_made_and_their_word_wins(octo: Octo) -> None:
    """H80."""
    world, pull = octo.github.world, opened(octo)
    assert pull.pull is not None
    first = pull.pull.head_sha
    becomes(octo, "in_review", "nobody has approved it")
    assert [user.login for user in pull.pull.reviewers] == ["octo"]
    pulls.review(world, octo.user("stranger"), pull, "REQUEST_CHANGES", "I shout.")
    made = pulls.review(
        world, octo.user("octo"), pull, "REQUEST_CHANGES", "Twice, please.<!-- rm -rf / -->"
    )
    pulls.line_comment(world, octo.user("octo"), pull, "and this line", "work.txt", 1, made)
    octo.world.until(lambda: pull.pull.head_sha != first, "what was mended", 40)
    becomes(octo, "in_review", "octo asked for changes and may look again")
    assert len(told(octo)) == 2
    assert "Twice, please." in told(octo)[1]
    assert "work.txt:1: and this line" in told(octo)[1]
    assert "by octo" in told(octo)[1]
    assert not {"shout", "rm -rf"} & set(told(octo)[1].replace(".", " ").split())
    octo.world.until(lambda: octo.said(pull), "an answer", 10)
    (answer,) = octo.said(pull)
    assert answer.startswith("@octo: what you asked for was worked on.")
    pulls.review(world, octo.user("octo"), pull, "APPROVE", "")
    octo.world.until(lambda: pull.pull.merged_at, "the merge", 40)
    becomes(octo, "done", "merged")
    assert len(told(octo)) == 2


def test_checks_that_fail_there_go_back_to_the_agent(octo: Octo) -> None:
    world, pull = octo.github.world, opened(octo)
    assert pull.pull is not None
    first = pull.pull.head_sha
    pulls.set_status(
        world, octo.project, first, "ci/test", "failure", "https://ci.example/7", "2 tests fail"
    )
    octo.world.until(lambda: pull.pull.head_sha != first, "what was mended", 40)
    assert "check ci/test" in told(octo)[1]
    assert "2 tests fail|https://ci.example/7" in told(octo)[1]
    pulls.set_status(world, octo.project, pull.pull.head_sha, "ci/test", "success")
    pulls.review(world, octo.user("octo"), pull, "APPROVE", "")
    octo.world.until(lambda: pull.pull.merged_at, "the merge", 40)


def test_a_reviewer_who_is_never_pleased_is_a_persons_matter(octo: Octo) -> None:
    world, pull = octo.github.world, opened(octo)
    assert pull.pull is not None
    first = pull.pull.head_sha
    pulls.review(world, octo.user("cat"), pull, "REQUEST_CHANGES", "No.")
    octo.world.until(lambda: pull.pull.head_sha != first, "what was mended", 40)
    pulls.review(world, octo.user("cat"), pull, "REQUEST_CHANGES", "Still no.")
    becomes(octo, "needs_review", "cat asked for changes: Still no.")
    assert len(told(octo)) == 2
    pulls.review(world, octo.user("cat"), pull, "APPROVE", "")
    octo.world.until(lambda: pull.pull.merged_at, "the merge", 40)
    becomes(octo, "done", "merged")


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[Octo]:
    yes = '{"approved": true, "findings": [{"comment": "@cat <!-- orch:v1:x --> fine"}]}'
    agents = {
        "one": "command = ['sh', '-c', 'echo \"$ORCH_ATTEMPT\" > work.txt']",
        "judge": f"command = {json.dumps(['echo', yes])}",
    }
    with at_github(
        tmp_path, agents=agents, text=RULES + 'auto_merge = true\nagent = "judge"\n'
    ) as made:
        yield made


def test_what_a_reviewing_agent_finds_is_said_there_once(judged: Octo) -> None:
    """H82: on a pull request of our own it is a comment; its words are nobody's markup."""
    pull = opened(judged)
    assert pull.pull is not None
    judged.world.until(lambda: pull.pull.merged_at, "the merge", 40)
    (said,) = judged.said(pull)
    assert "## Automated Review\n\n**Approve**" in said
    assert "````text\n@cat  fine\n````" in said
    assert pull.pull.reviews == []
