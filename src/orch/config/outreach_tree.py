"""The tables of `config.toml` that say who is told of what, and what follows from it.

Invariant: data only; `orch.model.occasion` and `orch.model.rules` say what the keys mean.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from orch.config.kinds import Argv, Choice, Names, Seconds, Text, Whole
from orch.config.outreach_kinds import Address, Headers, Occasions, Rows, Switch, When
from orch.config.secret import Secret

_GLOB = Text('a glob; a comma stands for "or"')
_NAME = Text("a name (small letters, digits and -)", r"[a-z0-9][a-z0-9-]{0,39}|")
_PLAIN = Text()
_LEVELS = ("all", "errors", "none")
_DEEDS = ("task", "plan", "notify")


class HookLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`[hooks]`: seconds that a file in `hooks/` may take before it is killed."""

    timeout_s: Annotated[float, Seconds()] = 30.0


class NotifyHook(msgspec.Struct, frozen=True, kw_only=True):
    """`[[notify.hooks]]`: who is told of the events that `on` names (globs), within `repo`,
    `workflow` and `branch`: `run` (a program, JSON on its standard input), `url` (a POST of JSON)
    or `desktop`. `name` keeps what it was told apart from others' (default: its number)."""

    on: Annotated[str, Occasions()] = ""
    name: Annotated[str, _NAME] = ""
    run: Annotated[tuple[str, ...], Argv()] = ()
    url: Annotated[Secret, Address()] = Secret("")
    desktop: Annotated[bool, Switch()] = False
    headers: Annotated[dict[str, Secret], Headers()] = {}
    timeout_ms: Annotated[int, Whole(1, 600_000)] = 10_000
    repo: Annotated[str, _GLOB] = ""
    workflow: Annotated[str, _GLOB] = ""
    branch: Annotated[str, _GLOB] = ""

    def complaint(self) -> str:
        ways = bool(self.run) + bool(self.url.reveal()) + self.desktop
        if ways != 1:
            return "needs exactly one of run, url and desktop"
        return "" if self.on else 'needs on = "EVENT"'


class NotifyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[notify]`: `level` `all`, `errors` (what failed or waits for a person) or `none`; `hooks` are
    told."""

    level: Annotated[Literal["all", "errors", "none"], Choice(_LEVELS)] = "all"
    hooks: Annotated[tuple[NotifyHook, ...], Rows(NotifyHook)] = ()


class RuleConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[[rules]]`: when `on` happens (`when`: within repo, label, workflow, branch), `do` a `task`, a
    `plan` (a task labelled plan) or `notify` (the hooks that `to` names; empty: all). `title`, `body`
    and `text` may hold placeholders: {{event}} {{text}} {{task}} {{repo}} {{run}} {{url}} ..."""

    on: Annotated[str, Occasions()] = ""
    when: Annotated[dict[str, str], When()] = {}
    do: Annotated[Literal["task", "plan", "notify"], Choice(_DEEDS)] = "notify"
    title: Annotated[str, _PLAIN] = "{{text}}"
    body: Annotated[str, _PLAIN] = ""
    text: Annotated[str, _PLAIN] = "{{text}}"
    to: Annotated[str, _NAME] = ""
    into: Annotated[str, Text("the slug of a repository")] = ""
    labels: Annotated[tuple[str, ...], Names("labels", r"[^\x00-\x1f\x7f,]{1,100}")] = ()
    agent: Annotated[str, _PLAIN] = ""
    flow: Annotated[str, _PLAIN] = ""

    def complaint(self) -> str:
        return "" if self.on else 'needs on = "EVENT"'

    @property
    def repo(self) -> str:
        return self.when.get("repo", "")

    @property
    def workflow(self) -> str:
        return self.when.get("workflow", "")

    @property
    def branch(self) -> str:
        return self.when.get("branch", "")

    @property
    def label(self) -> str:
        return self.when.get("label", "")
