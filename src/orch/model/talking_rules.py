"""What is said between a person and an agent at work: messages, questions, answers.

Invariant: what is told twice is in the books once, and the first answer counts.
"""

from __future__ import annotations

from orch.model import command as cmd, event as ev
from orch.model.attempt import FINAL
from orch.model.errors import NotFound, OrchError
from orch.model.ledger import Reader

Decision = list[ev.EventData] | OrchError


def note_message(state: Reader, command: cmd.NoteMessage) -> Decision:
    attempt = state.attempt(command.attempt)
    if attempt is None or attempt.run != command.run:
        return _no_attempt(command.run, command.attempt)
    made = command.delivery
    return [
        ev.MessageSent(
            attempt=attempt.id, size=command.size, delivered=made.delivered, proof=made.proof,
            code=made.code, reason=made.reason,
        )
    ]  # fmt: skip


def note_question(state: Reader, command: cmd.NoteQuestion) -> Decision:
    attempt, question = state.attempt(command.attempt), command.question
    if attempt is None or attempt.run != command.run:
        return _no_attempt(command.run, command.attempt)
    if question.id in attempt.asked or attempt.status in FINAL:
        return []
    return [ev.QuestionAsked(attempt=attempt.id, id=question.id, text=question.text)]


def note_answer(state: Reader, command: cmd.NoteAnswer) -> Decision:
    attempt, answer = state.attempt(command.attempt), command.answer
    if attempt is None or attempt.run != command.run:
        return _no_attempt(command.run, command.attempt)
    if attempt.asked.get(command.question):
        return []
    return [
        ev.QuestionAnswered(
            attempt=attempt.id, id=command.question, decision=answer.decision, by=answer.by
        )
    ]


def _no_attempt(run: str, attempt: str) -> NotFound:
    return NotFound(f"run {run} has no attempt {attempt}", code="unknown_attempt")
