"""The tables of `config.toml` about the machine we work on; `tree` lists them with the others.

Invariant: data only. What the floors mean is the rule `orch.model.room`, what is old is the rule
`orch.model.retention`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from orch.config.kinds import Choice, Whole

_DAYS = Whole(0, 36_500)


class CareConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[care]`: when nothing new is begun, and how long what is over is kept.

    Work of the queue is begun only with `run.min_free_mb` of free disk, `min_free_memory_mb` of free
    memory and fewer than `max_processes` processes on the machine (0: not looked at). Of what has
    ended, events are kept for `keep_events_days` (the last `keep_events` always), the files of
    attempts for `keep_attempts_days`, the folders of finished tasks without a repository for
    `keep_folders_days`; 0: for ever. The service's log takes at most `keep_log_mb`. `cleanup`
    removes, `cleanup_after_days` after the end of its task, a worktree whose pull request is merged;
    what is in it is saved first. `never`: only `orch env cleanup` does.
    """

    min_free_memory_mb: Annotated[int, Whole(0)] = 64
    max_processes: Annotated[int, Whole(0)] = 0
    keep_events_days: Annotated[int, _DAYS] = 90
    keep_events: Annotated[int, Whole(0)] = 10_000
    keep_attempts_days: Annotated[int, _DAYS] = 30
    keep_folders_days: Annotated[int, _DAYS] = 0
    keep_log_mb: Annotated[int, Whole(1, 10_000)] = 20
    cleanup: Annotated[Literal["merged", "never"], Choice(("merged", "never"))] = "merged"
    cleanup_after_days: Annotated[int, _DAYS] = 7


class MetricsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[metrics]`: the port of this machine's loopback at which the service tells its figures to
    Prometheus, to whoever shows the token of `run/metrics.token`; 0 for none."""

    port: Annotated[int, Whole(0, 65_535)] = 0
