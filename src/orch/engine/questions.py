"""What an agent asks a person while its attempt is waited for: heard at once, and in the books.

Invariant: the files of the attempt are the truth, the books follow; a question is told once, however
often the engine begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.engine.step_context import StepContext
from orch.model.attempt import Attempt
from orch.model.command import NoteQuestion
from orch.model.question import Question


async def heard(ctx: StepContext, attempt: Attempt) -> None:
    """Tell of each question; until it is cancelled."""
    terminals, known = ctx.world.terminals, set[str]()
    while True:
        for question in await waiting(ctx, attempt):
            if question.id not in known:
                known.add(question.id)
                await ctx.world.journal.send(NoteQuestion(ctx.run.id, attempt.id, question))
        await terminals.asks(attempt.directory, known)


async def waiting(ctx: StepContext, attempt: Attempt) -> Sequence[Question]:
    """The questions of the attempt that nobody has answered."""
    terminals = ctx.world.terminals
    found: Sequence[Question] = await ctx.world.call(
        "terminal.questions", terminals.questions, attempt.directory
    )
    return found
