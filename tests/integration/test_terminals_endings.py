"""Ends that nobody planned: kills of the wrapper, of tmux, of the waiting engine; stops of all kinds.

What is promised: an answer at once, a truthful one, and nothing of the attempt left alive.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orch.model.attempt import ExitRecord
from orch.model.errors import ToolFailed
from orch.model.run import Owner
from orch.terminals import process
from orch.terminals.server import Silent
from tests import terminalrooms
from tests.terminalrooms import Room, until

pytestmark = [pytest.mark.linux, pytest.mark.chaos]

TREE = """
import os, signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if "deaf" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
for depth in range(2): os.fork()
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
os.write(1, b"up\\n")
time.sleep(600)
"""
SIZE = 8  # processes that write "up": four forks, each with a daemon


@pytest.fixture
def room() -> Iterator[Room]:
    with terminalrooms.room() as made:
        yield made


def tree(room: Room, *words: str, **fields: Any) -> None:
    room.python("a1", TREE, *words, **fields)
    stream = "pane" if fields.get("io") == "tty" else "stdout"
    until(lambda: room.text("a1", stream).count("up") == SIZE)


def left(room: Room) -> dict[int, str]:
    """Processes of the attempt, the terminal's server apart."""
    servers = ("tmux", "head -c")
    return {pid: text for pid, text in room.processes().items() if not text.startswith(servers)}


def after(seconds: float, act: Callable[[], Any]) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


# --- kill -9


def test_the_wrapper_is_killed_and_everybody_is_told(room: Room) -> None:
    tree(room)
    wrapper = room.wrapper("a1")
    after(0.1, lambda: os.kill(wrapper, signal.SIGKILL))
    began = time.monotonic()
    assert room.ended("a1") is None
    assert time.monotonic() - began < 10
    assert room.probe("a1") == "lost"
    room.stop("a1", grace_s=0.2)
    assert left(room) == {}
    record = room.record("a1")
    assert (record.stopped, record.attempt, record.exit_code) == (True, "a1", 137)
    assert room.probe("a1") == "ended"


def test_the_program_does_not_outlive_a_killed_wrapper(room: Room) -> None:
    room.start("a1", "sleep", "600")
    until(lambda: any(text.startswith("sleep") for text in left(room).values()))
    os.kill(room.wrapper("a1"), signal.SIGKILL)
    assert terminalrooms.settled(lambda: left(room)) == {}


@pytest.mark.parametrize("io", ["pipes", "tty"])
def test_tmux_is_killed_and_the_attempt_says_that_it_was_lost(room: Room, io: str) -> None:
    """Plain children die with the terminal; those that ignore HUP and the daemons did not."""
    tree(room, "deaf", io=io)
    server = room.server()
    after(0.1, lambda: os.kill(server, signal.SIGKILL))
    began = time.monotonic()
    record = room.record("a1")
    assert time.monotonic() - began < 10
    assert (record.lost, record.stopped, record.timed_out) == (True, False, False)
    assert left(room) == {}
    assert room.probe("a1") == "ended"
    assert list(room.terminals.names()) == []
    room.stop("a1")
    assert room.record("a1") == record


def test_tmux_and_the_wrapper_are_killed_and_stop_still_finds_everybody(room: Room) -> None:
    tree(room, "deaf")
    wrapper, server = room.wrapper("a1"), room.server()
    os.kill(wrapper, signal.SIGSTOP)  # so that it cannot do its work when the terminal goes
    os.kill(server, signal.SIGKILL)
    os.kill(wrapper, signal.SIGKILL)
    assert room.ended("a1") is None
    assert room.probe("a1") == "lost"
    assert len(left(room)) >= 4
    room.stop("a1", grace_s=0.1)
    assert left(room) == {}


def test_a_session_that_a_person_kills_is_lost(room: Room) -> None:
    tree(room)
    room.tmux("kill-session", "-t", "=orch-a1:")
    record = room.record("a1")
    assert (record.lost, record.stopped) == (True, False)
    assert left(room) == {}


def test_a_new_terminal_starts_after_tmux_was_killed(room: Room) -> None:
    room.start("a1", "sleep", "600")
    until(Path(room.directory("a1"), "started").exists)
    os.kill(room.server(), signal.SIGKILL)
    room.start("a2", "echo", "again")
    assert room.record("a2").exit_code == 0
    assert room.record("a1").lost


def test_an_attempt_whose_wrapper_never_came_up_can_start_again(room: Room) -> None:
    """tmux is killed a moment after the start: either the attempt has begun, and says that it was
    lost, or it is absent and starts anew. In no case does it run twice or not at all."""
    for number in range(12):
        attempt, log = f"b{number}", room.home / f"log{number}"
        room.start(f"c{number}", "sleep", "600")
        server = room.server()
        argv = ("sh", "-c", f"echo ran >> {log}; sleep 0.3")
        launch = terminalrooms.Launch(argv=argv, cwd="/", env=room.environ())
        room.terminals.start(f"orch-{attempt}", room.directory(attempt), attempt, launch)
        time.sleep(number / 1000)
        os.kill(server, signal.SIGKILL)
        record = room.ended(attempt)
        if record is None:
            assert room.probe(attempt) == "absent"
            assert not log.exists()
            room.start(attempt, *argv)
            assert room.record(attempt).exit_code == 0
        else:
            assert record.lost
        assert terminalrooms.lines(log) == (["ran"] if record is None else terminalrooms.lines(log))
        assert len(terminalrooms.lines(log)) <= 1


def test_h106_a_shell_does_not_go_on_when_its_child_is_ended(room: Room) -> None:
    """TERM reaches parents before their children: nothing after the running command is done."""
    for number in range(10):
        log = room.home / f"log{number}"
        attempt = f"b{number}"
        room.start(attempt, "sh", "-c", f"echo up; sleep 600; echo went on > {log}")
        until(lambda attempt=attempt: room.text(attempt) == "up\n")
        time.sleep(0.02)
        room.stop(attempt, grace_s=2.0)
        assert not log.exists()
        assert room.record(attempt).exit_code == 143


def test_the_engine_ends_and_its_successor_collects_the_result(room: Room) -> None:
    """Agent finishes while the service is down."""
    room.start("a1", "sh", "-c", "echo result; exit 7")
    until(Path(room.directory("a1"), "exit.json").exists)
    heir = terminalrooms.Tmux(room.home / "run", path=room.path)
    assert heir.probe("orch-a1", room.directory("a1")) == "ended"
    record = heir.exit_record(room.directory("a1"))
    assert record is not None
    assert record.exit_code == 7
    assert heir.output(room.directory("a1"), "stdout") == b"result\n"


# --- stop


@pytest.mark.parametrize("words", [(), ("deaf",)])
@pytest.mark.parametrize("io", ["pipes", "tty"])
def test_h106_stop_leaves_nothing_alive(room: Room, words: tuple[str, ...], io: str) -> None:
    tree(room, *words, io=io)
    began = time.monotonic()
    room.stop("a1", grace_s=0.3)
    assert time.monotonic() - began < 10
    assert left(room) == {}
    assert list(room.terminals.names()) == []
    record = room.record("a1")
    assert (record.stopped, record.lost, record.timed_out) == (True, False, False)
    assert record.exit_code == (137 if words else 143)
    room.stop("a1", grace_s=0.3)
    assert room.record("a1") == record


SAVING = """
import signal, sys, time
def save(*_):
    time.sleep(0.5)
    print("saved", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, save)
print("up", flush=True)
time.sleep(600)
"""


def test_stop_gives_the_grace_it_was_asked_for_and_not_more(room: Room) -> None:
    room.python("a1", SAVING)
    until(lambda: room.text("a1") == "up\n")
    began = time.monotonic()
    room.stop("a1", grace_s=60)
    assert 0.4 < time.monotonic() - began < 30
    record = room.record("a1")
    assert (record.exit_code, record.stopped) == (3, True)
    assert room.text("a1") == "up\nsaved\n"


def test_stop_wakes_what_was_paused(room: Room) -> None:
    room.start("a1", "sh", "-c", "echo up; kill -STOP $$")
    until(lambda: room.text("a1") == "up\n")
    os.kill(room.wrapper("a1"), signal.SIGSTOP)
    began = time.monotonic()
    room.stop("a1", grace_s=0.2)
    assert time.monotonic() - began < 10
    assert room.record("a1").stopped
    assert room.record("a1").started_at > 0  # the wrapper's own word: it was woken, not killed
    assert left(room) == {}


def test_stop_while_the_wrapper_comes_up_is_a_stop(room: Room) -> None:
    """H21: between the terminal's start and the program's there is a moment; it must not be a gap."""
    for number in range(30):
        attempt = f"b{number}"
        room.terminals.start(
            f"orch-{attempt}", room.directory(attempt), attempt,
            terminalrooms.Launch(argv=("sleep", "600"), cwd="/", env=room.environ()),
        )  # fmt: skip
        time.sleep(number / 1500)
        room.stop(attempt, grace_s=0.2)
        record = room.terminals.exit_record(room.directory(attempt))
        assert record is not None
        assert record.stopped
        assert room.probe(attempt) == "ended"
    assert terminalrooms.settled(lambda: left(room)) == {}


def test_what_was_prepared_and_stopped_never_starts(room: Room) -> None:
    """A starter that was killed before it called tmux; the run is stopped; the starter's ghost."""
    directory = Path(room.directory("a1"))
    room.start("a2", "sleep", "600")
    room.start("a1", "touch", str(room.home / "ran"), name="orch-a2")  # prepared; name taken
    assert room.probe("a1") == "absent"
    room.stop("a1")
    assert room.probe("a1") == "ended"
    room.start("a1", "touch", str(room.home / "ran"))
    wrapper = Path(process.__file__).with_name("wrapper.py")
    subprocess.run([sys.executable, "-I", "-S", str(wrapper), str(directory)], check=True)
    assert room.record("a1").stopped
    assert not (room.home / "ran").exists()
    assert room.probe("a2") == "alive"


def test_many_stops_at_once_agree(room: Room) -> None:
    tree(room)
    faults: list[BaseException] = []

    def stop() -> None:
        try:
            room.stop("a1", grace_s=1.0)
        except BaseException as fault:  # noqa: BLE001
            faults.append(fault)

    threads = [threading.Thread(target=stop) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert room.record("a1").stopped
    assert left(room) == {}


def test_a_stop_touches_nobody_else(room: Room) -> None:
    """Same id in another home, a name that begins alike, a process that only mentions the mark."""
    with terminalrooms.room() as other:
        other.start("a1", "sleep", "600")
        room.start("a1", "sleep", "600")
        room.start("a11", "sleep", "600")
        mark = f"ORCH_TERMINAL={room.directory('a1')}"
        environ = {"X": mark, "ORCH_TERMINAL": room.directory("a1") + "0", "ORCH_ATTEMPT": "a1"}
        bystander = subprocess.Popen(["sleep", "600"], env=environ)
        try:
            room.stop("a1", grace_s=0.2)
            assert bystander.poll() is None
        finally:
            bystander.kill()
            bystander.wait()
        assert other.probe("a1") == "alive"
        assert room.probe("a11") == "alive"
        assert list(room.terminals.names()) == ["orch-a11"]


# --- identity


def test_h90_a_recycled_pid_is_not_taken_for_the_wrapper(room: Room) -> None:
    """The file names a pid that lives, but not since then: nobody is waited for, nobody killed."""
    directory = Path(room.start("a1", "true"))
    room.record("a1")
    (directory / "exit.json").unlink()
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        mine = process.identity(bystander.pid)
        for stranger in (
            Owner(mine.pid, mine.started - 1, mine.boot),
            Owner(mine.pid, mine.started, "another-boot"),
            Owner(2**22 + 1, mine.started, mine.boot),
        ):
            (directory / "exit.json").unlink(missing_ok=True)
            words = {"pid": stranger.pid, "started": stranger.started, "boot": stranger.boot}
            (directory / "started").write_text(json.dumps(words))
            assert room.probe("a1") == "lost"
            assert room.ended("a1", seconds=2) is None
            room.stop("a1", grace_s=0.1)
            assert bystander.poll() is None
            assert room.record("a1").stopped
    finally:
        bystander.kill()
        bystander.wait()


def test_h90_a_zombie_counts_as_gone() -> None:
    child = subprocess.Popen(["true"])
    until(lambda: process.start_time(child.pid) == 0)
    assert not process.alive(Owner(child.pid, 1, process.boot_id()))
    child.wait()


def test_this_process_is_alive() -> None:
    assert process.alive(process.this_process())


# --- answers that are none


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orch.terminals.server.PATIENCE_S", 0.5)


@pytest.mark.usefixtures("impatient")
def test_a_server_that_hangs_is_unknown_and_kills_nobody(room: Room) -> None:
    """H28: no answer is no evidence. What began is known without tmux."""
    room.start("a1", "sleep", "600")
    until(Path(room.directory("a1"), "started").exists)
    os.kill(room.server(), signal.SIGSTOP)
    assert room.probe("a2") == "unknown"
    assert room.probe("a1") == "alive"
    with pytest.raises(Silent) as silent:
        room.terminals.names()
    assert silent.value.code == "tmux_silent"
    with pytest.raises(Silent):
        room.start("a3", "true")
    assert not Path(room.directory("a3"), "started").exists()


@pytest.mark.usefixtures("impatient")
def test_stop_ends_the_program_even_when_the_server_hangs(room: Room) -> None:
    tree(room)
    os.kill(room.server(), signal.SIGSTOP)
    with pytest.raises(Silent):
        room.stop("a1", grace_s=0.3)
    assert left(room) == {}
    assert room.record("a1").stopped


def test_h23_the_exit_file_is_asked_before_anybody_is_declared_lost(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrapper's last word comes between our two looks."""
    directory = Path(room.start("a1", "true"))
    room.record("a1")
    (directory / "exit.json").rename(directory / "later")
    assert room.probe("a1") == "lost"

    def dies_now(owner: Owner) -> bool:
        (directory / "later").rename(directory / "exit.json")
        return False

    monkeypatch.setattr("orch.terminals.process.alive", dies_now)
    assert room.probe("a1") == "ended"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"attempt": 1, "exit_code": "x"}', "\xff"])
def test_h105_a_broken_exit_file_is_an_error_with_its_place(room: Room, content: str) -> None:
    directory = Path(room.directory("a1"))
    directory.mkdir(parents=True)
    (directory / "exit.json").write_text(content, encoding="latin-1")
    with pytest.raises(ToolFailed) as broken:
        room.terminals.exit_record(str(directory))
    assert broken.value.code == "exit_file_broken"
    assert str(directory / "exit.json") in broken.value.message
    assert room.probe("a1") == "ended"


def test_h100_nobody_ever_reads_half_an_exit_file(room: Room) -> None:
    """Read it as often as we can while it comes into being, twenty times."""
    for number in range(20):
        directory = room.start(f"a{number}", "true")
        record: ExitRecord | None = None
        while record is None:
            record = room.terminals.exit_record(directory)
        assert record.exit_code == 0
        assert not Path(directory, "exit.json.tmp").exists()


def test_links_in_the_directory_lead_nowhere(room: Room) -> None:
    """An agent may write there: what it links to is not shown."""
    directory = Path(room.start("a1", "true"))
    room.record("a1")
    (directory / "result.json").symlink_to("/etc/passwd")
    os.mkfifo(directory / "pipe")
    (directory / "folder").mkdir()
    for name in ("result.json", "pipe", "folder"):
        assert room.terminals.output(str(directory), name) == b""


# --- told by the kernel


def test_two_hundred_waiters_are_told_by_the_kernel(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next look would be in an hour. And nothing is polled: they cost nothing meanwhile."""
    monkeypatch.setattr("orch.terminals.watch._LOOK_S", 3600.0)
    os.mkfifo(room.home / "go")
    room.start("a1", "sh", "-c", 'read line < "$GO"', env={"GO": str(room.home / "go")})
    until(Path(room.directory("a1"), "started").exists)
    told: list[ExitRecord | None] = []

    async def wait() -> None:
        await room.terminals.ended("orch-a1", room.directory("a1"))
        told.append(room.terminals.exit_record(room.directory("a1")))

    async def scenario() -> None:
        waits = [asyncio.ensure_future(wait()) for _ in range(200)]
        await asyncio.sleep(0.3)
        spent = time.process_time()
        await asyncio.sleep(0.5)
        assert time.process_time() - spent < 0.3
        for gone in waits[150:]:
            gone.cancel()
        os.close(os.open(room.home / "go", os.O_WRONLY))
        await asyncio.wait_for(asyncio.gather(*waits[:150]), 60)

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(scenario())
    assert [one.exit_code for one in told if one] == [1] * 150  # the end of its input
    assert len(os.listdir("/proc/self/fd")) <= before


def test_two_hundred_programs_are_waited_for_at_once(room: Room) -> None:
    """Idle ones: the ends of twenty are told while the others wait on."""
    for number in range(20):
        room.start(f"a{number}", "sleep", "0.5")

    async def scenario() -> None:
        async with asyncio.timeout(30):
            await asyncio.gather(*(
                room.terminals.ended(f"orch-a{number % 20}", room.directory(f"a{number % 20}"))
                for number in range(200)
            ))  # fmt: skip

    asyncio.run(scenario())
    assert {room.record(f"a{number}").exit_code for number in range(20)} == {0}
