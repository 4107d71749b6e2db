"""One slot, many processes: the books decide who fires it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orch.model import command as cmd
from orch.model.job import Job
from orch.store.sqlite import SqliteStore
from tests.records import PERSON

NOW = 1_780_304_400.0
SLOTS = 5
PROCESSES = 8
FIRE = """
import sys
from pathlib import Path
from orch.model.command import FireJob
from orch.model.errors import OrchError
from orch.model.event import Actor
from orch.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]), now=lambda: 1780304400.0, install="x")
print("ready", flush=True)
for line in sys.stdin:
    try:
        events = store.send(FireJob("one", int(line)), Actor("engine"))
        print(events[0].kind, flush=True)
    except OrchError as error:
        print(error.code, flush=True)
"""


def test_h39_eight_processes_fire_the_same_slots_and_each_has_one_task(tmp_path: Path) -> None:
    path = tmp_path / "orch.db"
    store = SqliteStore(path, now=lambda: NOW, install="i")
    store.send(cmd.AddJob(Job(id="", title="One", schedule="* * * * *")), PERSON)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", FIRE, str(path)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    try:
        pipes = [(racer.stdin, racer.stdout) for racer in racers]
        assert all(out is not None and out.readline() == "ready\n" for _, out in pipes)
        for n in range(1, SLOTS + 1):
            slot = int(NOW) + 60 * n
            for to, _ in pipes:
                assert to is not None
                to.write(f"{slot}\n")
                to.flush()
            said = sorted(out.readline().strip() for _, out in pipes if out is not None)
            # The first task is never moved on: later slots are taken once too, and skipped (H38).
            won = "JobFired" if n == 1 else "JobSkipped"
            assert said == [won] + ["slot_taken"] * (PROCESSES - 1)
    finally:
        for racer in racers:
            racer.communicate(timeout=60)
    assert len(store.firings()) == SLOTS
    assert store.task(1) is not None
    assert store.task(2) is None
    store.close()
