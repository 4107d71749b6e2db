"""`orch stop RUN --agent NAME`: single agents are ended for good; their run goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orch.model.errors import UsageError

if TYPE_CHECKING:
    from orch.api import Orch
    from orch.cli.output import Output
    from orch.model.attempt import Attempt
    from orch.model.run import Run

LOOK_S = 0.05


def stop_agents(
    orch: Orch, run: Run, words: Sequence[str], out: Output, *, abort: bool, dry_run: bool
) -> int:
    """Prints {"run", "settled", "attempts"} with --json."""
    from orch.api.records import attempt_record
    from orch.api.stopping import live_attempts, stop_attempts

    if abort:
        raise UsageError(
            "--abort ends the whole run; --agent ends some of its agents", code="usage",
            hint=f"orch stop {run.id} --abort",
        )  # fmt: skip
    meant = live_attempts(orch, run, words)
    if dry_run:
        if out.json:
            out.data({"run": run.id, "would": "stop", "attempts": [one.id for one in meant]})
        else:
            out.line(f"would stop {_listed(meant)} of run {run.id} (nothing was done)")
        return 0
    stopped = stop_attempts(orch, run, meant, lambda: time.sleep(LOOK_S))
    if out.json:
        records = [attempt_record(one) for one in stopped.attempts]
        out.data({"run": run.id, "settled": stopped.settled, "attempts": records})
    elif out.quiet:
        for one in stopped.attempts:
            out.line(one.id)
    else:
        for one in stopped.attempts:
            how = one.status if stopped.settled else "stopped"
            out.line(f"{_listed([one])} of run {run.id}: {how}")
    if not stopped.settled:
        out.note(f"nobody drives the run: its step ends when it goes on; orch resume {run.id}")
    return 0


def _listed(attempts: Sequence[Attempt]) -> str:
    return ", ".join(f"{one.name or one.agent or one.role} ({one.id})" for one in attempts)
