"""`python -m tests.small_service`: a service of ORCH_HOME that drives nothing: lock and front.

With SLOW_STOP=SECONDS it takes so long to leave.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from orch.compose import open_orch, own_thread
from orch.engine.lock import EngineLock
from orch.engine.world import in_thread
from orch.service import logs
from orch.service.front import Front


async def _main() -> None:
    orch = open_orch(os.environ, Path.cwd(), person="ada")
    leave = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leave.set)
    handler = logs.begin(orch.home)
    front = Front(orch, in_thread, own_thread, leave.set, os.geteuid())
    task = asyncio.ensure_future(front.run())
    waiting = asyncio.ensure_future(leave.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await asyncio.sleep(float(os.environ.get("SLOW_STOP", "0")))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    logs.end(handler)
    orch.close()


def main() -> int:
    home = Path(os.environ["ORCH_HOME"])
    (home / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = EngineLock(home / "run" / "engine.lock")
    if not lock.take():
        sys.stderr.write(f"error: process {lock.holder()} drives this home [service_running]\n")
        return 5
    asyncio.run(_main())
    return 0


if __name__ == "__main__":
    sys.exit(main())
