"""One trial of tickets: people label issues at the stand-in for GitHub, and the service that works on
them is killed again and again, answers get lost, lists lag. Then nobody kills any more; the audit.

The service alone is killed: agents live on in their terminals. What goes wrong at the tracker goes on
to the end, and nobody ever tells the service to look again.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.acceptance.world import Process
from tests.standins.github import pulls as pulls
from tests.standins.github.faults import Chances
from tests.standins.github.world import Issue
from tests.trackers_world import PROJECT, SOURCE, Octo, at_github as at_github

RULES = """
[service]
max_parallel = 6
[retry]
base_s = 0.1
max_s = 0.4
max_attempts = 100
[run]
lost_attempts = 100
stop_grace_s = 1
[review]
look_s = 1
refresh_s = 2
timeout_s = 0.3
auto_merge = true
"""
WAITS = "3:6:0.5"
"""Of the reporter, in seconds: see `orch.engine.seams.ReportWaits`. Longer than lists lag."""
LAG_S = 1.5
READS = ("GET", "POST /graphql")
QUIET_S = 5.0
WRITES = """command = ['sh', '-c', 'echo "$ORCH_ATTEMPT" > "work-$ORCH_ATTEMPT.txt"']"""


class Service:
    """`orch serve` of that world, killed and started again."""

    def __init__(self, octo: Octo) -> None:
        self._octo = octo
        self.process: Process | None = None
        self.died: list[str] = []

    def start(self) -> None:
        self.process = self._octo.world.start("serve", "--json", env={"ORCH_REPORT_WAITS": WAITS})

    def ready(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        if "{" not in self.process.stdout.readline():
            raise AssertionError(f"the service did not start: {self.process.communicate()[1]}")

    def look(self) -> None:
        """It lives as long as nobody ends it."""
        assert self.process is not None
        if self.process.poll() is not None:
            code, told = self.process.returncode, self.process.communicate()
            self.died.append(f"the service ended by itself with {code}: {told}")
            self.start()
            self.ready()

    def end(self, number: int) -> int:
        self.look()
        assert self.process is not None
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode


def play(folder: Path, *, tickets: int, kills: int, seed: int, limit_s: float) -> list[str]:
    """Everything that is wrong after that many tickets under that many kills."""
    rng = random.Random(seed)
    with at_github(
        folder, agents={"one": WRITES}, text=RULES + SOURCE.replace("0.5", "1.5")
    ) as octo:
        github = octo.github
        github.limits.enabled = False
        github.world.lag_s = LAG_S
        github.faults.chances = Chances(seed, lost=50, late=25, failed=25)
        for request in (r"PUT .*/merge", r"POST .*/comments", r"POST .*/pulls$", r"GET .*/events"):
            github.faults.add(request, "secondary", times=2, seconds=1)
        service = Service(octo)
        issues: list[Issue] = []
        service.start()
        service.ready()
        for number in range(kills):
            while len(issues) * kills < tickets * (number + 1):
                issues.append(_asked(octo, len(issues) + 1))
            time.sleep(0.3 + rng.random() * 0.9)
            service.end(signal.SIGKILL)
            service.start()
            if rng.random() < 0.7:
                service.ready()
        while len(issues) < tickets:
            issues.append(_asked(octo, len(issues) + 1))
        _rest(octo, service, issues, limit_s)
        code = service.end(signal.SIGTERM)
        told = [f"the service ended with {code}"] if code else []
        return [*service.died, *told, *complaints(octo, issues)]


def _asked(octo: Octo, number: int) -> Issue:
    """A person writes a ticket, and that it is for Orch."""
    return octo.issue(f"Thing {number}", f"Please make thing {number}.", labels=["orch"])


def _rest(octo: Octo, service: Service, issues: list[Issue], limit_s: float) -> None:
    """Until nothing more happens, or the time is up (the audit tells)."""
    deadline = time.monotonic() + limit_s
    quiet, seen = 0.0, 0
    while time.monotonic() < deadline:
        service.look()
        if list(_left(octo)):  # a run may clean up when its task is done already
            time.sleep(0.5)
        elif all(_settled(octo, issue) for issue in issues):
            writes = sum(1 for one in octo.github.log if not one.request.startswith(READS))
            if writes != seen:
                seen, quiet = writes, time.monotonic()
            if time.monotonic() - quiet > QUIET_S:
                return
        time.sleep(0.1)


def _settled(octo: Octo, issue: Issue) -> bool:
    return issue.state == "closed" and "status:done" in octo.labels(issue)


def complaints(octo: Octo, issues: list[Issue]) -> list[str]:
    return [*_tickets(octo, issues), *_tasks(octo, issues), *_left(octo)]


def _tickets(octo: Octo, issues: list[Issue]) -> Iterator[str]:
    for issue in issues:
        named = f"ticket {issue.number}"
        if (issue.state, issue.reason) != ("closed", "completed"):
            yield f"{named} is {issue.state} ({issue.reason})"
        told = {"orch", "status:done", "agent:one", "complexity:medium"}
        if octo.labels(issue) != told:
            yield f"{named} has the labels {sorted(octo.labels(issue))}"
        said = octo.said(issue)
        if len(said) != 1 or "is done" not in said[0]:
            yield f"{named} has {len(said)} comments: {said}"
    yield from (f"twice: {name}" for name in octo.github.audit.duplicates(PROJECT))
    pulls = [one for one in octo.project.issues.values() if one.pull]
    if len(pulls) != len(issues):
        yield f"{len(pulls)} pull requests for {len(issues)} tickets"
    for pull in pulls:
        assert pull.pull is not None
        if not pull.pull.merged_at:
            yield f"pull request {pull.number} is {pull.state} and not merged"


def _tasks(octo: Octo, issues: list[Issue]) -> Iterator[str]:
    listed = octo.world.ask("task", "list", "--global", "--limit", "9999")
    of: dict[str, list[Any]] = {}
    for task in listed:
        of.setdefault(task["source"], []).append(task)
        if task["status"] != "done":
            yield f"task {task['id']} is {task['status']}: {task['reason']}"
    for issue in issues:
        if len(of.pop(f"ticket:thing:{issue.number}", [])) != 1:
            yield f"ticket {issue.number} has not one task"
    yield from (f"nobody asked for a task of {name}" for name in of)


def _left(octo: Octo) -> Iterator[str]:
    yield from (f"terminal left over: {name}" for name in octo.world.terminals())
    # `git worktree list` cannot read an entry that is made or removed in this very moment.
    for entry in sorted((octo.world.repo / ".git" / "worktrees").glob("*")):
        yield f"worktree left over: {entry.name}"
    for where in (octo.world.repo, octo.project.git.path):
        refs = octo.world.git("for-each-ref", "--format=%(refname)", "refs/heads", where=where)
        yield from (f"branch left over in {where.name}: {ref}" for ref in refs.split()
                    if ref != "refs/heads/main")  # fmt: skip
