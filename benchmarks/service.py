"""The service at work and at rest: how soon a task's agent runs, what waiting costs, how fast a queue
of nothing drains, how soon a new service has its predecessor's agents, how many can listen.

Real processes only; the figures are those of the machine, the promises stand beside them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import programs
from orch.api import Orch
from orch.api.tasks import Tasks
from orch.client import connect
from orch.compose import open_orch
from orch.model import command as cmd
from orch.model.event import Actor
from orch.model.job import Job
from orch.model.repo import Repo
from orch.model.task import CLOSED

PERSON = Actor("person", "bench")
ENGINE = Actor("engine")
FIRST = 40
"""Tasks of which each waits for the one before to be over."""
QUEUED = 300
PLACES = 2
"""At once: as many as the machine that the promise is about has cores."""
ADOPTED = 100
LISTENERS, LINES = 200, 50
IDLE_S = 20.0
Row = Callable[..., dict[str, Any]]


class Served:
    """A home with a repository and the agents that are given, and a service of it."""

    def __init__(self, folder: Path, agents: dict[str, list[str]], places: int) -> None:
        self.place = programs.Place(folder, 0)
        self.home = (folder / "home").resolve()
        lines = [f"[service]\nmax_parallel = {places}\n"]
        lines += [
            f"[agents.{name}]\ncommand = {json.dumps(argv)}\n" for name, argv in agents.items()
        ]
        (self.home / "config.toml").write_text("\n".join(lines), encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Until it says that it is ready."""
        self.process = subprocess.Popen(
            [programs.ORCH, "serve", "--json"], env=self.place.environ, cwd=self.place.root,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    @contextmanager
    def opened(self) -> Iterator[Orch]:
        with closing(open_orch(self.place.environ, self.place.root, person="bench")) as orch:
            yield orch

    def rss_mib(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

    def end(self) -> None:
        if self.process is not None:
            self.kill()
        subprocess.run(
            ["tmux", "-S", str(self.home / "run" / "tmux.sock"), "kill-server"],
            capture_output=True, check=False,
        )  # fmt: skip
        until(lambda: not self._left(), 30, 0.1)

    def _left(self) -> bool:
        """Wrappers that still end their agents."""
        mark = os.fsencode(self.home / "attempts")
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if mark in path.read_bytes():
                    return True
            except OSError:  # it has just gone
                continue
        return False


@contextmanager
def served(folder: Path, agents: dict[str, list[str]], places: int = 4) -> Iterator[Served]:
    made = Served(folder, agents, places)
    try:
        yield made
    finally:
        made.end()


def until(wanted: Callable[[], bool], limit_s: float, pause_s: float = 0.01) -> None:
    deadline = time.monotonic() + limit_s
    while not wanted():
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for did not come")
        time.sleep(pause_s)


def rows(folder: Path, row: Row) -> list[dict[str, Any]]:
    """`row` is `benchmarks.__main__.row`."""
    found: list[dict[str, Any]] = []
    for measure in (_first, _idle, _drain, _adoption, _listeners):
        found += measure(folder / f"service{measure.__name__}", row)
    return found


def _first(folder: Path, row: Row) -> list[dict[str, Any]]:
    """From the commit of `task add` in another process to the agent's first instruction."""
    stamps = folder / "stamps"
    agent = ["sh", "-c", f"date +%s%N >> {stamps}; echo done > done.txt"]
    delays: list[float] = []
    with served(folder, {"sh": agent}) as service:
        service.start()
        with service.opened() as orch:
            tasks = Tasks(orch)
            for number in range(FIRST):
                made = tasks.add(f"Task {number}", repo="thing", agent="sh")
                committed = time.time()
                assert made is not None
                until(lambda n=made.id: tasks.get(n).state in ("in_review", "needs_review"), 30)  # type: ignore[misc]
                delays.append(int(stamps.read_text().split()[-1]) / 1e9 - committed)
    p95 = statistics.quantiles(delays[2:], n=20)[-1] * 1000
    return [
        row("task add's commit to its agent's exec, p95 against 150 ms", p95, 150.0, "ms", most=1)
    ]


def _idle(folder: Path, row: Row) -> list[dict[str, Any]]:
    """Nothing to do, and much to remember."""
    with served(folder, {"sh": ["true"]}) as service:
        with service.opened() as orch:
            _much_to_remember(orch)
        service.start()
        time.sleep(3)
        before, forks = _cpu_s(service.pid), _forks(service.pid)
        time.sleep(IDLE_S)
        share = (_cpu_s(service.pid) - before) / IDLE_S * 100
        started = _forks(service.pid) - forks
        resident = service.rss_mib()
    assert started == 0, f"the idle service used {started} s of CPU in children"
    return [
        row("idle service: CPU against 0.2 % of a core", share, 0.2, "%", most=1),
        row("idle service: memory against 60 MiB", resident, 60.0, "MiB", most=1),
    ]


def _much_to_remember(orch: Orch) -> None:
    """20 repositories, 20 jobs, 1,000 tasks that are done, 50 that wait."""
    send = orch.store.send_all  # type: ignore[attr-defined]
    wanted: list[tuple[Any, Actor]] = []
    for n in range(20):
        place = f"/nowhere/{n}"
        wanted.append((cmd.RegisterRepo(Repo(
            slug=f"repo-{n}", local_path=place, common_dir=place, pinned_dir=place,
            workspace_dir=place, default_branch="main",
        )), PERSON))  # fmt: skip
        wanted.append((cmd.AddJob(Job(id="", title=f"Job {n}", schedule="0 0 1 1 *")), PERSON))
    send(wanted)
    wanted = []
    for n in range(1, 1001):
        wanted += [
            (cmd.AddTask(title=f"Done {n}", source="person:bench"), PERSON),
            (cmd.CloseTask(n, "", True), PERSON),
        ]
    send(wanted)
    wanted = []
    for n in range(1001, 1050, 2):
        wanted += [
            (cmd.AddTask(title=f"Whole {n}", source="person:bench"), PERSON),
            (cmd.AddTask(title=f"Part of {n}", source="person:bench", parent=n), PERSON),
            (cmd.RefuseTask(n + 1, "it needs a person", "orch task list"), ENGINE),
        ]
    send(wanted)


def _cpu_s(pid: int) -> float:
    """Seconds on a core, of all threads."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in threads) / 1e9


def _forks(pid: int) -> float:
    """Page faults of children that have ended: any at all means that there were some."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return float(fields[8]) + float(fields[10])


def _drain(folder: Path, row: Row) -> list[dict[str, Any]]:
    """A queue of tasks whose agent does nothing; what looking costs meanwhile."""
    looks: dict[str, list[float]] = {"task list": [], "events": []}
    with served(folder, {"sh": ["true"]}, PLACES) as service, service.opened() as orch:
        batch = [
            (cmd.AddTask(title=f"Nothing {n}", source="person:bench"), PERSON)
            for n in range(QUEUED)
        ]
        orch.store.send_all(batch)  # type: ignore[attr-defined]
        service.start()
        began = time.perf_counter()
        early = 0.0
        while (ended := sum(orch.store.task_counts().get(s, 0) for s in CLOSED)) < QUEUED:
            if not early and ended > QUEUED // 3:
                early = service.rss_mib()
            since = max(0, orch.store.last_event() - 200)
            for what, words in (
                ("task list", ["task", "list", "--json"]),
                ("events", ["events", "--since", str(since), "--json"]),
            ):
                words = [programs.ORCH, *words]
                looks[what].append(programs.wall_seconds(words, service.place.environ, folder))
            time.sleep(0.3)
            if time.perf_counter() - began > 120:
                break
        taken = time.perf_counter() - began
        late = service.rss_mib()
    slowest = {what: statistics.median(times) * 1000 for what, times in looks.items()}
    return [
        row(
            f"{QUEUED} tasks of nothing, a second, against 20",
            ended / taken,
            20.0,
            "tasks",
            least=1,
        ),
        row("memory at the end of them against a third", late, early or late, "MiB", most=1.2),
        row("orch task list meanwhile against 100 ms", slowest["task list"], 100.0, "ms", most=1),
        row("orch events --since meanwhile against 100 ms", slowest["events"], 100.0, "ms", most=1),
    ]


def _adoption(folder: Path, row: Row) -> list[dict[str, Any]]:
    """A service is killed with a hundred agents at work, and another one takes them up."""
    ledger = folder / "ledger"
    agent = ["sh", "-c", f"echo $ORCH_ATTEMPT >> {ledger}; exec sleep 600"]
    with served(folder, {"sh": agent}, ADOPTED) as service, service.opened() as orch:
        batch = [
            (cmd.AddTask(title=f"Long {n}", source="person:bench"), PERSON) for n in range(ADOPTED)
        ]
        orch.store.send_all(batch)  # type: ignore[attr-defined]
        service.start()

        def at_work() -> bool:
            live = [one for one in orch.store.live_attempts() if one.status == "running"]
            return len(live) == ADOPTED and len(ledger.read_text().split()) == ADOPTED

        until(at_work, 120, 0.2)
        service.kill()
        began = time.perf_counter()
        service.start()
        until(lambda: _owned(orch, service.pid) == ADOPTED, 60)
        taken = time.perf_counter() - began
        time.sleep(1)
        assert sorted(set(started := ledger.read_text().split())) == sorted(started)
    return [row(f"restart with {ADOPTED} live attempts against 2 s", taken, 2.0, "s", most=1)]


def _owned(orch: Orch, pid: int) -> int:
    return sum(run.owner is not None and run.owner.pid == pid for run in orch.store.live_runs())


def _listeners(folder: Path, row: Row) -> list[dict[str, Any]]:
    """Two hundred connections that follow what one agent writes, and one more that never reads."""
    talk = (
        "import sys, time\ntime.sleep(4)\n"
        f"for n in range({LINES}):\n    time.sleep(0.1)\n"
        "    sys.stdout.write(f'said {time.time():.6f}\\n')\n    sys.stdout.flush()\n"
    )
    agent = [sys.executable, "-I", "-S", "-c", talk]
    delays: list[float] = []
    with served(folder, {"sh": agent}) as service, service.opened() as orch:
        service.start()
        Tasks(orch).add("Talk", agent="sh")
        until(lambda: bool(orch.store.live_attempts()), 20)
        [attempt] = orch.store.live_attempts()
        deaf = connect(service.home)
        assert deaf is not None
        deaf.subscribe("output.subscribe", {"attempt": attempt.id})
        threads = [
            threading.Thread(target=_listen, args=(service.home, attempt.id, delays))
            for _ in range(LISTENERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        deaf.close()
    p95 = statistics.quantiles(delays, n=20)[-1] * 1000
    return [
        row(f"lines that {LISTENERS} listeners got", len(delays), LISTENERS * LINES, "", least=1),
        row(f"p95 from writing to {LISTENERS} listeners against 100 ms", p95, 100.0, "ms", most=1),
    ]


def _listen(home: Path, attempt: str, delays: list[float]) -> None:
    client = connect(home, limit_s=20)
    assert client is not None
    with client:
        mine: list[float] = []
        rest = ""
        for word, told in client.subscribe("output.subscribe", {"attempt": attempt}):
            if word != "output":
                break
            now = time.time()
            *lines, rest = (rest + str(told["output"].get("text", ""))).split("\n")
            mine += [now - float(line.split()[1]) for line in lines if line.startswith("said ")]
        delays += mine


if __name__ == "__main__":
    import tempfile

    from benchmarks.__main__ import row as judged

    with tempfile.TemporaryDirectory(prefix="orch-bench-") as where:
        wanted = sys.argv[1:]
        for measure in (_first, _idle, _drain, _adoption, _listeners):
            if not wanted or measure.__name__[1:] in wanted:
                for found in measure(Path(where) / measure.__name__, judged):
                    sys.stdout.write(f"{found['what']}: {found['ours']:.2f} {found['unit']}"
                                     f" {'kept' if found['kept'] else 'MISSED'}\n")  # fmt: skip
                    sys.stdout.flush()
