"""The inbox: all that waits for a person, oldest first, each with the command that answers it.

Invariant: a question is answered once, by whoever comes first; an answer is with the agent before the
books have it, and only words of the person's reach it, never keys.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from orch.api.facade import Orch
from orch.model import command as commands
from orch.model.attempt import FINAL, Attempt
from orch.model.effect import decode_effect
from orch.model.errors import Conflict, NotFound, UsageError
from orch.model.naming import nearest
from orch.model.question import Answer, Question
from orch.model.run import TERMINAL

Decision = Literal["approve", "deny", "answer"]


LIVE = ("question", "gate")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Something that waits. `id` is what `orch inbox approve|deny|answer` takes (empty where that
    cannot answer it); `command` answers it; `since` is seconds since the epoch. `asks` of a question
    is what the agent asks with."""

    kind: Literal["question", "gate", "task", "run"]
    id: str
    text: str
    command: str
    run: str = ""
    task: int = 0
    repo: str = ""
    agent: str = ""
    since: float = 0.0
    asks: Question | None = None


def items(orch: Orch) -> list[Item]:
    """Questions and gates first, for which something stands still; of each kind the oldest first."""
    gates = _gates(orch)
    told = {item.run for item in gates}
    found = [*_questions(orch), *gates, *_tasks(orch, told)]
    told |= {item.run for item in found if item.run}
    return sorted(
        [*found, *_runs(orch, told)], key=lambda item: (item.kind not in LIVE, item.since)
    )


def _asking(orch: Orch) -> list[tuple[Attempt, Question]]:
    terminals = orch.rooms.terminals
    live = [one for one in orch.store.live_attempts() if one.status not in FINAL]
    return [(one, asked) for one in live for asked in terminals.questions(one.directory)]


def _questions(orch: Orch) -> list[Item]:
    found = []
    for attempt, asked in _asking(orch):
        run = orch.store.run(attempt.run)
        verb = "answer" if asked.kind == "question" else "approve"
        more = ' "TEXT"' if verb == "answer" else ""
        found.append(Item(
            kind="question", id=asked.id, text=asked.text, run=attempt.run, asks=asked,
            command=f"orch inbox {verb} {asked.id}{more}", since=asked.asked_at,
            agent=attempt.name or attempt.agent, task=run.task if run is not None else 0,
            repo=run.repo if run is not None else "",
        ))  # fmt: skip
    return found


def _gates(orch: Orch) -> list[Item]:
    found = []
    for step in orch.gates():
        run = orch.store.run(step.run)
        if run is None or run.status in TERMINAL:
            continue
        found.append(Item(
            kind="gate", id=run.id, text=getattr(decode_effect(step.request), "question", ""),
            command=f"orch inbox approve {run.id}", run=run.id, task=run.task, repo=run.repo,
            since=step.planned_at,
        ))  # fmt: skip
    return found


def _tasks(orch: Orch, told: set[str]) -> list[Item]:
    return [
        Item(kind="task", id="", text=f"{task.title}: {task.reason}" if task.reason else task.title,
             command=_command(task.hint, f"orch task retry {task.id}"), run=task.run, task=task.id,
             repo=task.repo, since=task.updated_at)
        for task in orch.store.tasks("needs_review") if task.run not in told
    ]  # fmt: skip


def _runs(orch: Orch, told: set[str]) -> list[Item]:
    """Runs of a person's own that wait for one."""
    return [
        Item(kind="run", id="", text=run.reason.message, run=run.id, repo=run.repo, task=run.task,
             command=_command(run.reason.hint, f"orch show {run.id}"), since=run.updated_at)
        for run in orch.store.live_runs()
        if run.id not in told and not run.unattended and run.status == "blocked"
        and run.reason is not None and run.reason.kind == "human"
    ]  # fmt: skip


def _command(hint: str, usual: str) -> str:
    """A hint that is a command, else the usual one."""
    return hint if hint.startswith(("orch ", "git ", "(cd ", "cd ")) else usual


def answer(orch: Orch, word: str, decision: Decision, text: str) -> Item:
    """Answer the question or gate that `word` (an id, a beginning of one, or a run) names."""
    open_items = items(orch)
    exact = [item for item in open_items if item.id == word]
    meant = exact or [item for item in open_items if item.id and item.id.startswith(word)]
    if word == "@":
        meant = [item for item in open_items if item.id][-1:]
    if not meant and (told := _answered_before(orch, word)):
        raise Conflict(told, code="answered", hint="orch inbox")
    if not meant:
        raise _nothing(word, [item.id for item in open_items if item.id])
    if len(meant) > 1:
        raise UsageError(
            f"{word!r} could be {', '.join(item.id for item in meant)}", code="ambiguous",
            hint=f"orch inbox {decision} {meant[0].id}",
        )  # fmt: skip
    item = meant[0]
    if item.asks is None:
        verb = "reject" if decision == "deny" else decision
        orch.answer_gate(orch.run(item.run), "", verb, text)
    else:
        _answer_question(orch, item, item.asks, decision, text)
    return item


def _answer_question(
    orch: Orch, item: Item, asked: Question, decision: Decision, text: str
) -> None:
    if decision == "answer" and asked.kind == "permission" and not _names_one(asked, text):
        offered = ", ".join(option.label for option in asked.options)
        more = f", or for one of: {offered}" if offered else ""
        raise UsageError(
            f"question {asked.id} asks for a yes or a no{more}", code="yes_or_no",
            hint=f'orch inbox deny {asked.id} "{text or "WHY"}"',
        )  # fmt: skip
    if decision == "answer" and not text:
        raise UsageError(
            "an answer needs a text", code="empty_answer",
            hint=f'orch inbox answer {asked.id} "TEXT"',
        )  # fmt: skip
    rooms = orch.rooms
    attempt = next((one for one, its in _asking(orch) if its.id == asked.id), None)
    given = Answer(decision=decision, text=text, by=rooms.person.id, at=rooms.clock.now())
    if attempt is None or not rooms.terminals.answer(attempt.directory, asked.id, given):
        raise Conflict(
            f"question {asked.id} was answered a moment ago, or its agent has ended",
            code="answered", hint=f"orch show {item.run}",
        )  # fmt: skip
    question = commands.NoteQuestion(attempt.run, attempt.id, asked)
    noted = commands.NoteAnswer(attempt.run, attempt.id, asked.id, given)
    for result in orch.store.send_all([(question, rooms.person), (noted, rooms.person)]):
        if isinstance(result, Exception):
            raise result


def _names_one(asked: Question, text: str) -> bool:
    """Whether a text is the id or the label of an option that the agent offers."""
    return any(text in (option.id, option.label) for option in asked.options)


def _answered_before(orch: Orch, word: str) -> str:
    """What was answered to a question of an attempt at work; empty where nothing was."""
    for attempt in orch.store.live_attempts():
        decision = attempt.asked.get(word)
        if decision:
            return f"question {word} was answered before: {decision}"
    return ""


def _nothing(word: str, known: list[str]) -> NotFound:
    near = nearest(word, known)
    return NotFound(
        f"nothing in the inbox is called {word!r}", code="unknown_question",
        hint=f"orch inbox approve {near[0]}" if near else "orch inbox",
    )  # fmt: skip


def record(item: Item) -> dict[str, Any]:
    """As `orch inbox --json` shows it."""
    asks = item.asks
    return {
        "id": item.id or None, "kind": item.kind, "text": item.text, "command": item.command,
        "run": item.run or None, "task": item.task or None, "repo": item.repo or None,
        "agent": item.agent or None, "since": item.since,
        "tool": asks.tool or None if asks is not None else None,
        "input": asks.input if asks is not None else None,
        "options": msgspec.to_builtins(asks.options) if asks is not None else [],
    }  # fmt: skip
