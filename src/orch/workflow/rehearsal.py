"""Rehearsing a workflow: it is driven to its end on made-up answers, and nothing is touched.

Invariant: pure, like the driver. The same program, scenario and agents give the same steps. What an
effect is answered with is plausible for its type, so an effect of a later release is rehearsed too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from orch.model import effect as fx
from orch.model.attempt import AgentResult
from orch.model.effect import Effect, encode_result
from orch.model.errors import AgentFailed, CommandFailed, Failure, OrchError, failure_of
from orch.model.naming import run_branch, run_worktree
from orch.model.plain import plain_data
from orch.model.pull import PullRequest
from orch.model.step import Outcome
from orch.model.ticket import Ticket
from orch.model.worktree import Base, Worktree
from orch.workflow.driver import Driver, Expand, Progress, Request
from orch.workflow.examples import MOMENT, example
from orch.workflow.program import Program

Scenario = Literal["pass", "retry", "spent"]
SCENARIOS: dict[Scenario, str] = {
    "pass": "everything passes",
    "retry": "each check fails once, then passes",
    "spent": "no check ever passes (or, where there is none, the agent fails for good)",
}
MOST_STEPS = 200
MOST_ANSWERS = 5 * MOST_STEPS
BASE, TIP = "b" * 40, "c" * 40
ChooseAgent = Callable[[str | None], str]


class Rehearsed(msgspec.Struct):
    """`steps` are what the workflow itself asks for: {path, effect, summary}; what carries out a
    composite one is left out. `end`: `done` (with `result`), `error` (with `error`), `unfinished`
    (it still went on after `MOST_STEPS`), or `stuck` (its own code did not come back)."""

    name: Scenario
    steps: list[dict[str, str]] = []
    end: Literal["done", "error", "unfinished", "stuck"] = "unfinished"
    result: Any = None
    error: Failure | None = None
    checked: bool = False


def rehearse(
    program: Program[Any], expand: Expand, name: Scenario, choose: ChooseAgent, *,
    issue: Ticket | None = None, checks: bool = False,
) -> Rehearsed:  # fmt: skip
    """Play one scenario. `choose` gives the agent for the one that an effect names, or refuses;
    `issue` is the run's; `checks` tells whether the workflow is known to check anything (see
    `Rehearsed.checked`)."""
    play = _Play(program, expand, Rehearsed(name), _Answers(name, choose, issue, checks))
    play.run()
    return play.told


class _Play:
    def __init__(
        self, program: Program[Any], expand: Expand, told: Rehearsed, answers: _Answers
    ) -> None:
        self._driver = Driver(program, expand)
        self._answers = answers
        self.told = told
        self._open: dict[str, Request] = {}
        self._shown: dict[str, dict[str, str]] = {}
        self._within: set[str] = set()

    def run(self) -> None:
        progress = self._take(self._driver.start())
        for _ in range(MOST_ANSWERS):
            if progress.finished or len(self.told.steps) > MOST_STEPS:
                break
            path = next((p for p in self._open if p in self._driver.waiting), None)
            if path is None:
                break
            outcome = self._answers.answer(self._open[path])
            self._say(path, outcome)
            progress = self._take(self._driver.settle(path, outcome))
        self.told.checked = self._answers.checked
        del self.told.steps[MOST_STEPS:]
        if not progress.finished:
            self._driver.close()
        elif progress.failure is not None:
            self.told.end, self.told.error = "error", progress.failure
        else:
            self.told.end, self.told.result = "done", plain_data(progress.value)

    def _take(self, progress: Progress) -> Progress:
        for request in progress.requests:
            if type(request.effect).composite:
                self._within.add(f"{request.path}/")
            else:
                self._open[request.path] = request
            if not any(request.path.startswith(outer) for outer in self._within):
                name = request.kind.partition("/")[0]
                step = {"path": request.path, "effect": name, "summary": asked(request.effect)}
                self._shown[request.path] = step
                self.told.steps.append(step)
        for path, outcome in progress.closed:
            self._say(path, outcome)
        return progress

    def _say(self, path: str, outcome: Outcome) -> None:
        self._open.pop(path, None)
        words = given(outcome)
        if path in self._shown and words:
            self._shown[path]["summary"] = f"{self._shown[path]['summary']} -> {words}".lstrip()


class _Answers:
    """What the world of one scenario answers. `checked` when something was asked that decides:
    a command, or an agent that answers by a schema."""

    def __init__(
        self, name: Scenario, choose: ChooseAgent, issue: Ticket | None, checks: bool
    ) -> None:
        self._name = name
        self._choose = choose
        self._issue = issue
        self._checks = checks
        self._failed: set[str] = set()
        self.checked = False

    def answer(self, request: Request) -> Outcome:
        effect = request.effect
        match effect:
            case fx.RunAgent():
                return self._agent(effect)
            case fx.RunCommand():
                return self._command(effect)
            case fx.SpawnAgent():
                return self._spawned(effect, request.path)
            case fx.WaitForStatus():
                return self._ended(effect)
        return _gives(self._plain(effect))

    def _plain(self, effect: Effect[Any]) -> Any:
        """The value of an effect that cannot fail here."""
        match effect:
            case fx.ResolveBase():
                return Base(branch=effect.base_branch or "main", commit=BASE)
            case fx.AddWorktree():
                return _worktree(effect, effect.issue or self._issue)
            case fx.Commit() | fx.Push() | fx.Merge():
                return TIP
            case fx.OpenPR():
                return _pull(effect)
            case fx.Gate():
                return fx.GateAnswer(decision="approve", by="you")
            case fx.CreateIssue():
                return Ticket(id="ISSUE-000", title=effect.title, body=effect.body)
            case fx.GetIssue():
                return Ticket(id=effect.id, title="made up")
            case fx.Now():
                return MOMENT
            case fx.Random():
                return 0.5
        return example(msgspec.json.schema(_result_type(effect)))

    def _agent(self, effect: fx.RunAgent) -> Outcome:
        try:
            agent = self._choose(effect.agent)
        except OrchError as error:
            return Outcome(failure=failure_of(error))
        schema: Any = effect.output_format
        if isinstance(schema, dict):
            no = self._says_no(f"agent {effect.name or agent}")
            return _gives(example(schema, yes=not no))
        if self._name == "spent" and not self._checks:
            message = f"the agent {agent} failed in every attempt"
            return Outcome(failure=failure_of(AgentFailed(message, code="attempts_spent")))
        if schema == "result":
            return _gives(AgentResult(status="done", summary="made up"))
        return _gives("made up")

    def _spawned(self, effect: fx.SpawnAgent, path: str) -> Outcome:
        try:
            agent = self._choose(effect.agent)
        except OrchError as error:
            return Outcome(failure=failure_of(error))
        name = effect.name or ""
        ref = fx.AgentRef(step=path, attempt=path, agent=agent, env=effect.env, name=name)
        return _gives(ref)

    def _ended(self, effect: fx.WaitForStatus) -> Outcome:
        targets = effect.targets if isinstance(effect.targets, list) else [effect.targets]
        failed = self._name == "spent" and not self._checks
        ended: list[fx.AgentStatus] = [
            fx.AgentStatus(attempt=ref.attempt, status="failed", code="attempts_spent")
            if failed
            else fx.AgentStatus(attempt=ref.attempt, status="succeeded", value="made up")
            for ref in targets
        ]
        return _gives(ended if isinstance(effect.targets, list) else ended[0])

    def _command(self, effect: fx.RunCommand) -> Outcome:
        words = effect.command if isinstance(effect.command, str) else " ".join(effect.command)
        if not self._says_no(f"command {effect.name or words}"):
            return _gives(fx.CommandResult(exit_code=0))
        if effect.check:
            error = CommandFailed(f"`{words:.200}` ended with exit code 1", exit_code=1)
            return Outcome(failure=failure_of(error))
        return _gives(fx.CommandResult(exit_code=1, stdout="made up"))

    def _says_no(self, what: str) -> bool:
        """`test`, `review-1` and `review-2` are checks; the last two are one that is repeated."""
        self.checked = True
        check = re.sub(r"[\W_]*\d+$", "", what)
        first = check not in self._failed
        self._failed.add(check)
        return self._name == "spent" or (self._name == "retry" and first)


def _gives(value: Any) -> Outcome:
    return Outcome(msgspec.Raw(encode_result(value)))


def _result_type(effect: Effect[Any]) -> Any:
    return fx.result_decoder(type(effect)).type


def _worktree(effect: fx.AddWorktree, issue: Ticket | None) -> Worktree:
    title = effect.name or (issue.title if issue else "")
    name = run_worktree(issue.id if issue else "task", title, effect.suffix or "", "0000000")
    return Worktree(
        repo="repository", name=name, branch=run_branch(name), path=f"/worktrees/{name}",
        base_branch=effect.base_branch, base_commit=effect.base_commit,
        issue=issue.id if issue else "",
    )  # fmt: skip


def _pull(effect: fx.OpenPR) -> PullRequest:
    return PullRequest(
        repo=effect.env.repo, number=1, url="https://example.org/1", state="open",
        head=effect.env.branch, base=effect.target or effect.env.base_branch, title=effect.title,
        body=effect.body, head_sha=effect.head_sha, draft=effect.draft,
        labels=tuple(effect.labels), created=MOMENT,
    )  # fmt: skip


def asked(effect: Effect[Any]) -> str:
    """One line on what is asked for: the name, then the first words that tell it from others."""
    fields = {name: getattr(effect, name) for name in effect.__struct_fields__}
    words = [str(fields["name"])] if fields.get("name") else []
    if fields.get("agent"):
        words.append(f"({fields['agent']})")
    for name in ("command", "title", "question", "message", "prompt", "suffix", "base_branch"):
        value = fields.get(name)
        if value:
            told = " ".join(value) if isinstance(value, list) else str(value)
            words.append(told.strip().partition("\n")[0])
            break
    envs = fields.get("envs")
    if isinstance(envs, list):
        words.append(f"{len(envs)} worktrees, {fields.get('strategy', '')}")
    return " ".join(words)[:120]


def given(outcome: Outcome) -> str:
    """One word or two on what came back, where that decides anything."""
    if outcome.failure is not None:
        return f"{outcome.failure.kind}: {outcome.failure.message}"[:120]
    value = msgspec.json.decode(outcome.value)
    if isinstance(value, dict):
        for name in ("exit_code", "decision", "branch"):
            if name in value:
                return f"{name.replace('_', ' ')} {value[name]}"
        if not {"number", "url"} <= value.keys():
            return ", ".join(f"{k}={msgspec.json.encode(v).decode()}" for k, v in value.items())[
                :120
            ]
    return ""
