"""The `[review]` table: what becomes of the pull requests of queued tasks.

Invariant: data only; the rules are those of `orch.workflow.shepherd`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from orch.config.kinds import Choice, Names, Seconds, Text, Whole, YesNo

_AGENT = Text('the name of an agent, or "auto"', r"[a-z][a-z0-9_-]{0,31}|")
_LOGIN = r"[A-Za-z0-9][A-Za-z0-9._@/-]{0,99}"
_STRATEGIES = ("merge", "rebase", "squash")


class ReviewConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[review]`: what happens to a task's pull request. `owner`: who is asked for a review when
    one opens (logins); with no `agent`, somebody has to approve it before it is merged. `agent`
    reviews it ("auto": another than the author, where there is one; empty: none), at most
    `max_cycles` times back to the author, each attempt at most `timeout_s`. `checks` are
    commands, run on the pushed commit. A conflict with the base is repaired at most
    `conflict_cap` times. `auto_merge`: merge when all is green, by `strategy`, and with
    `delete_branch` remove the branch. `drafts`: drafts too. `clean_up`: wait for the merge and
    remove the worktree also where there is nothing else to do. Checks of others may need
    `begin_s` seconds to begin, where people review: nothing is merged before. Records are looked
    at every `look_s` seconds, the remote (which runs git) every `refresh_s`, 0 for never."""

    owner: Annotated[tuple[str, ...], Names("logins", _LOGIN)] = ()
    agent: Annotated[str, _AGENT] = ""
    checks: Annotated[tuple[str, ...], Names("commands", r"[^\s\x00-\x1f][^\x00-\x1f\x7f]*")] = ()
    max_cycles: Annotated[int, Whole(0, 100)] = 2
    conflict_cap: Annotated[int, Whole(0, 100)] = 3
    timeout_s: Annotated[float, Seconds()] = 600.0
    auto_merge: Annotated[bool, YesNo()] = False
    strategy: Annotated[Literal["merge", "rebase", "squash"], Choice(_STRATEGIES)] = "squash"
    delete_branch: Annotated[bool, YesNo()] = True
    drafts: Annotated[bool, YesNo()] = False
    clean_up: Annotated[bool, YesNo()] = False
    begin_s: Annotated[float, Seconds(zero=True)] = 10.0
    look_s: Annotated[float, Seconds()] = 30.0
    refresh_s: Annotated[float, Seconds(zero=True)] = 600.0
