"""`[[rules]]` at work: what happened sets off commands.

Invariant: looks before it acts: a task that a rule asked for carries rule and event in its source and
is never asked for again, whatever crashed in between. A rule that cannot be carried out is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from orch.config.outreach_tree import RuleConfig
from orch.engine.notifier import Notifier
from orch.engine.world import World
from orch.model.command import AddTask
from orch.model.errors import OrchError
from orch.model.occasion import Occasion
from orch.model.rules import PLAN_LABEL, chosen, made_already, source_of, words
from orch.workflow.placeholders import render

LOOK_BACK = 1000
"""Tasks in which one that was asked for already is looked for: only a crash asks twice."""
_log = logging.getLogger(__name__)


class Rules:
    """`deal` is for a `Feed`. `rules` gives them as configured now; `hooks` the names of those who
    can be told."""

    def __init__(
        self, world: World, rules: Callable[[], Sequence[RuleConfig]], notifier: Notifier,
        hooks: Callable[[], Sequence[str]],
    ) -> None:  # fmt: skip
        self._world = world
        self._rules = rules
        self._notifier = notifier
        self._hooks = hooks

    async def deal(self, found: Occasion) -> bool:
        acted = False
        for number, rule in chosen(self._rules(), found):
            try:
                await self._act(number, rule, found)
            except OrchError as error:
                _log.warning("rule %d at event %d: %s", number, found.seq, error.message)
            acted = True
        return acted

    async def _act(self, number: int, rule: RuleConfig, found: Occasion) -> None:
        known = words(found)
        if rule.do == "notify":
            text = render(rule.text, known, blank=True)
            self._notifier.claim(found, [rule.to] if rule.to else self._hooks(), text)
            return
        source = source_of(number, found)
        if made_already(source, self._world.store.tasks(limit=LOOK_BACK)):
            return
        plan = (PLAN_LABEL,) if rule.do == "plan" else ()
        await self._world.journal.send(
            AddTask(
                title=render(rule.title, known, blank=True),
                body=render(rule.body, known, blank=True) if rule.body else "",
                repo=rule.into or found.repo, labels=tuple(dict.fromkeys((*rule.labels, *plan))),
                workflow=rule.flow, pin=rule.agent, source=source,
            )
        )  # fmt: skip
        _log.info("rule %d asked for a task at event %d (%s)", number, found.seq, found.name)
