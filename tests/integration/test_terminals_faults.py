"""Disks that are full, trees that run away, what nothing ends: the wrapper keeps its word."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.model.attempt import ExitRecord, IoMode, Launch
from orch.model.errors import ToolFailed
from orch.terminals import files, process
from orch.terminals.inside import record, streams
from orch.terminals.tmux import Tmux
from tests import terminalrooms
from tests.terminalrooms import PYTHON, Room, until

pytestmark = pytest.mark.linux

WRAPPER = Path(record.__file__).parents[1] / "wrapper.py"


@pytest.fixture
def room() -> Iterator[Room]:
    with terminalrooms.room() as made:
        yield made


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root for a small tmpfs")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Take all room; removing the file gives it back."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return filler


RECORD = {"attempt": "a1", "exit_code": 3, "signal": 0, "error": 'ä "x"\n', "stopped": False}


@pytest.mark.root
def test_a_program_that_fills_the_disk_does_not_lose_its_result(disk: Path) -> None:
    """The room of the exit file was taken before the program began."""
    (disk / "a1").mkdir()
    room = record.reserve(str(disk / "a1"))
    fill(disk)
    record.finish(str(disk / "a1"), room, RECORD)
    assert files.exit_record(disk / "a1") == ExitRecord(attempt="a1", exit_code=3, error='ä "x"\n')


@pytest.mark.root
def test_a_result_waits_for_room_on_the_disk(disk: Path) -> None:
    """It had none from the beginning: nothing half is seen, and the result comes with the room."""
    (disk / "a1").mkdir()
    filler = fill(disk)
    room = record.reserve(str(disk / "a1"))
    late = threading.Thread(target=record.finish, args=(str(disk / "a1"), room, RECORD))
    late.start()
    try:
        time.sleep(0.4)
        assert late.is_alive()
        assert files.exit_record(disk / "a1") is None
    finally:
        filler.unlink()
        late.join(20)
    found = files.exit_record(disk / "a1")
    assert found is not None
    assert found.exit_code == 3


def test_a_result_whose_directory_was_removed_waits_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "a1").mkdir()
    room = record.reserve(str(tmp_path / "a1"))
    (tmp_path / "a1" / "exit.json.tmp").unlink()
    (tmp_path / "a1").rmdir()
    began = time.monotonic()
    with pytest.raises(FileNotFoundError):
        record.finish(str(tmp_path / "a1"), room, RECORD)
    assert time.monotonic() - began < 10


@pytest.mark.root
def test_h100_no_mark_is_made_on_a_full_disk_and_nothing_runs(disk: Path) -> None:
    """A mark that could not be written whole is none: the attempt is not lost, it did not begin."""
    folder, ran = disk / "a1", disk / "a1" / "ran"
    files.prepare(folder, "a1", Launch(argv=("touch", str(ran)), cwd="/", env={}), grace_s=1.0)
    filler = fill(disk)
    words = [sys.executable, "-I", "-S", str(WRAPPER), str(folder)]
    refused = subprocess.run(words, check=False, capture_output=True)
    assert refused.returncode != 0
    assert not ran.exists()
    assert files.started(folder) is None
    filler.unlink()
    assert subprocess.run(words, check=False).returncode == 0
    assert ran.exists()
    assert not [name for name in os.listdir(folder) if name.startswith(".")]


@pytest.mark.root
def test_a_disk_that_is_full_from_the_start_costs_the_log_and_nothing_else(disk: Path) -> None:
    folder = disk / "a1"
    script = f"echo early; rm {disk}/filler; sleep 0.1; echo late; exit 3"
    launch = Launch(argv=("sh", "-c", script), cwd="/", env={"PATH": os.environ["PATH"]})
    files.prepare(folder, "a1", launch, grace_s=1.0)
    filler = fill(disk)
    # Just enough for the mark: the disk is as good as full when the program begins.
    os.truncate(filler, filler.stat().st_size - 4096)
    words = [sys.executable, "-I", "-S", str(WRAPPER), str(folder)]
    assert subprocess.run(words, check=False, capture_output=True).returncode == 0
    found = files.exit_record(folder)
    assert found is not None
    assert (found.exit_code, found.stdout_bytes) == (3, 11)
    assert files.tail(folder, "stdout", 0).endswith(b"late\n")


@pytest.mark.root
def test_stop_ends_the_program_on_a_full_disk_too(disk: Path) -> None:
    with terminalrooms.room() as room:
        (room.home / "attempts").symlink_to(disk)
        room.start("a1", "sleep", "600")
        until((disk / "a1" / "started").exists)
        fill(disk)
        room.stop("a1", grace_s=1.0)
        assert room.record("a1").stopped
        assert room.probe("a1") == "ended"
        (room.home / "attempts").unlink()


RUNAWAY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
mark = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
end = time.monotonic() + 30
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    os.pwrite(mark, b"%10d" % os.getpid(), 0)
    try:
        os.setsid()
    except OSError:
        pass
"""


@pytest.mark.chaos
@pytest.mark.parametrize("io", ["pipes", "tty"])
@pytest.mark.parametrize("how", ["stop", "wall time", "server killed"])
def test_h112_a_process_that_is_always_somebody_else_is_caught(
    room: Room, how: str, io: IoMode
) -> None:
    """It forks, its parent goes, it forks: no list of processes is ever up to date about it. But
    only the wrapper can adopt it, and without a child left there is nobody left."""
    mark = room.home / "mark"
    words = " ".join(f"'{word}'" for word in PYTHON)
    room.start(
        "a1", "sh", "-c", f'{words} -c "$CODE" {mark}; sleep 600', env={"CODE": RUNAWAY}, io=io,
        timeout_s=0.5 if how == "wall time" else 0.0,
    )  # fmt: skip
    until(lambda: mark.exists() and mark.read_bytes())
    if how == "stop":
        room.stop("a1", grace_s=0.1)
    elif how == "server killed":
        os.kill(room.server(), signal.SIGKILL)
    found = room.record("a1")
    last = mark.read_bytes()
    assert (found.stopped, found.timed_out, found.lost) == (
        how == "stop",
        how == "wall time",
        how == "server killed",
    )
    assert found.started_at > 0  # the wrapper was let finish, and wrote this itself
    time.sleep(0.1)
    assert mark.read_bytes() == last


BLIND = """
import sys
sys.path.insert(0, sys.argv[2])
from orch.terminals.inside import keeper
keeper.tree.below = lambda *_, **__: set()  # a list of processes that is always too late
keeper.main(sys.argv[1])
"""


def by_hand(script: str, folder: Path) -> ExitRecord:
    """Run the wrapper of `folder` as `script` wants it; what it told."""
    words = [*PYTHON, "-c", script, str(folder), str(WRAPPER.parents[2])]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    found = files.exit_record(folder)
    assert found is not None
    return found


def test_whoever_is_not_on_the_list_of_processes_is_ended_as_a_child(tmp_path: Path) -> None:
    launch = Launch(argv=("sleep", "60"), cwd="/", env={"PATH": os.environ["PATH"]}, timeout_s=0.2)
    files.prepare(tmp_path / "a1", "a1", launch, grace_s=0.1)
    found = by_hand(BLIND, tmp_path / "a1")
    assert (found.timed_out, found.exit_code, found.error) == (True, 137, "")
    assert found.ended_at - found.started_at < 30


PLAIN = """
import sys
sys.path.insert(0, sys.argv[2])
from orch.terminals.inside import keeper
keeper.main(sys.argv[1])
"""


def test_a_terminal_that_went_away_before_the_program_began_is_lost(tmp_path: Path) -> None:
    """tmux was killed in that very moment: the next attempt begins, nobody failed."""
    ran = tmp_path / "ran"
    launch = Launch(argv=("touch", str(ran)), cwd="/", env={"PATH": os.environ["PATH"]}, io="tty")
    files.prepare(tmp_path / "a1", "a1", launch, grace_s=0.1)
    found = by_hand(PLAIN, tmp_path / "a1")
    assert (found.lost, found.exit_code, found.error) == (True, 129, "")
    assert not ran.exists()


STUCK = """
import sys
sys.path.insert(0, sys.argv[2])
from orch.terminals.inside import keeper
keeper._send = lambda pids, number: None  # nobody hears a signal, as in an uninterruptible sleep
keeper.GIVE_UP_S = 0.3
keeper.main(sys.argv[1])
"""


def test_what_even_kill_does_not_end_is_reported_and_does_not_hang_the_attempt(
    tmp_path: Path,
) -> None:
    """A process that is stuck in the kernel: the attempt ends, with a record that names it."""
    launch = Launch(argv=("sleep", "10"), cwd="/", env={"PATH": os.environ["PATH"]}, timeout_s=0.2)
    files.prepare(tmp_path / "a1", "a1", launch, grace_s=0.1)
    began = time.monotonic()
    found = by_hand(STUCK, tmp_path / "a1")
    assert time.monotonic() - began < 9
    assert (found.timed_out, found.exit_code) == (True, 137)
    assert "survived KILL" in found.error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_h23_a_program_that_ended_by_itself_was_not_ended_by_us(room: Room, number: int) -> None:
    """Its end and a stop (or the terminal's end) reach the wrapper in the same moment."""
    room.start("a1", "sh", "-c", "echo up; sleep 0.3; exit 5")
    until(lambda: room.text("a1") == "up\n")
    wrapper = room.wrapper("a1")
    os.kill(wrapper, signal.SIGSTOP)
    until(lambda: not process.below(wrapper))
    os.kill(wrapper, number)
    os.kill(wrapper, signal.SIGCONT)
    found = room.record("a1")
    assert (found.exit_code, found.signal) == (5, 0)
    assert (found.stopped, found.lost) == (False, False)


def test_a_log_that_cannot_be_opened_is_opened_later(tmp_path: Path) -> None:
    """The disk had no place for a file when the program began; what comes later is kept."""
    pipe, writer = os.pipe()
    stream = streams.Stream("stdout", pipe, str(tmp_path / "later" / "stdout"))
    os.write(writer, b"early ")
    assert stream.move()
    (tmp_path / "later").mkdir()
    os.write(writer, b"late")
    assert stream.move()
    os.close(writer)
    assert stream.close() == len(b"early ")
    assert (tmp_path / "later" / "stdout").read_bytes() == b"late"
    assert stream.seen == len(b"early late")


def test_a_program_on_its_own_terminal_is_told_which_terminal_that_is(room: Room) -> None:
    """Not the one of the person who typed `orch run`."""
    room.start("a1", "sh", "-c", "echo $TERM", env={"TERM": "xterm-kitty"}, io="tty")
    room.start("a2", "sh", "-c", "echo $TERM", env={"TERM": "xterm-kitty"})
    room.record("a1")
    room.record("a2")
    assert room.text("a1", "pane") == "screen-256color\r\n"
    assert room.text("a2") == "xterm-kitty\n"


def test_of_twenty_preparations_at_once_one_is_there_whole(tmp_path: Path) -> None:
    """Prompt, files and command line of one starter, never a mixture."""
    for round_ in range(5):
        folder, gate = tmp_path / str(round_), threading.Barrier(20)

        def prepare(number: int, folder: Path = folder, gate: threading.Barrier = gate) -> None:
            text = str(number)
            launch = Launch(argv=(text,), cwd="/", env={}, stdin=text, files={"own": text})
            gate.wait()
            files.prepare(folder, "a1", launch, grace_s=1.0)

        threads = [threading.Thread(target=prepare, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        chosen = json.loads((folder / "launch.json").read_bytes())["argv"][0]
        assert (folder / "own").read_text() == chosen
        assert (folder / "prompt").read_text() == chosen
        assert sorted(os.listdir(folder)) == ["launch.json", "own", "prompt"]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("error connecting to /h/tmux.sock (No such file or directory)", "absent"),
        ("error connecting to /h/tmux.sock (Connection refused)", "absent"),
        ("no server running on /h/tmux.sock", "absent"),
        ("can't find session: orch-a1", "absent"),
        ("error connecting to /h/tmux.sock (Permission denied)", "unknown"),
        ("error connecting to /h/tmux.sock (Too many open files)", "unknown"),
        ("fork failed: Resource temporarily unavailable", "unknown"),
        ("", "unknown"),
    ],
)
def test_only_an_answer_about_terminals_is_an_answer(tmp_path: Path, said: str, state: str) -> None:
    """H28: whoever could not ask does not know; a program may be alive behind that socket."""
    tmux = tmp_path / "tmux"
    tmux.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    tmux.chmod(0o755)
    terminals = Tmux(tmp_path / "run", path=str(tmp_path))
    assert terminals.probe("orch-a1", str(tmp_path / "a1")) == state
    if state == "absent":
        assert terminals.names() == []
    else:
        with pytest.raises(ToolFailed):
            terminals.names()


def test_a_record_is_never_replaced_by_a_stop(tmp_path: Path) -> None:
    """H106: the wrapper's last word and a stop's own record race; the wrapper's stays."""
    (tmp_path / "exit.json").write_text('{"attempt": "a1", "exit_code": 0}')
    files.put_exit(tmp_path, ExitRecord(attempt="a1", exit_code=137, stopped=True))
    assert files.exit_record(tmp_path) == ExitRecord(attempt="a1", exit_code=0)


def test_twenty_records_at_once_are_one(tmp_path: Path) -> None:
    gate = threading.Barrier(20)

    def put(code: int) -> None:
        gate.wait()
        files.put_exit(tmp_path, ExitRecord(attempt="a1", exit_code=code))
        kept.append(files.exit_record(tmp_path))

    kept: list[ExitRecord | None] = []
    threads = [threading.Thread(target=put, args=(code,)) for code in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 20
    assert len(set(kept)) == 1
    assert os.listdir(tmp_path) == ["exit.json"]
