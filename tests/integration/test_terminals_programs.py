"""Programs as they are: loud, binary, slow, deaf, torn into trees. Their output and their end."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.terminals.inside import streams
from tests import terminalrooms
from tests.terminalrooms import PYTHON, Room, until

pytestmark = pytest.mark.linux


@pytest.fixture
def room() -> Iterator[Room]:
    with terminalrooms.room() as made:
        yield made


# --- output


def test_fifty_megabytes_are_kept_to_the_byte(room: Room) -> None:
    line = "0123456789" * 10 + "\n"
    room.python("a1", f"import sys\nfor _ in range(500_000): sys.stdout.write({line!r})")
    ended = room.record("a1")
    directory = room.directory("a1")
    assert (ended.exit_code, ended.stdout_bytes) == (0, 500_000 * 101)
    path = Path(directory, "stdout")
    assert path.stat().st_size == 500_000 * 101
    assert room.terminals.output(directory, "stdout", tail_bytes=101) == line.encode()
    assert path.read_bytes() == line.encode() * 500_000


def test_a_flood_keeps_its_beginning_and_its_end(room: Room) -> None:
    code = (
        "import sys\nw = sys.stdout.buffer.write\nw(b'first\\n')\n"
        "for n in range(140): w((b'%06d ' % n + b'x' * 1016 + b'\\n') * 1024)\nw(b'the answer\\n')"
    )
    room.python("a1", code)
    ended = room.record("a1")
    path = Path(room.directory("a1"), "stdout")
    assert ended.stdout_bytes == 6 + 140 * 2**20 + 11
    assert path.stat().st_size <= streams.LIMIT
    kept = path.read_bytes()
    assert kept.startswith(b"first\n000000 ")
    assert kept.endswith(b"x\nthe answer\n")
    assert kept[: streams.HEAD].count(b"first") == 1
    assert len(kept) >= streams.HEAD + streams.TAIL - 2**20
    broken = [line for line in kept.split(b"\n")[1:-2] if not re.fullmatch(rb"\d{6} x{1016}", line)]
    assert len(broken) <= 1  # the one at the joint
    text = Path(room.directory("a1"), "exit.json").read_text()
    assert f'"stdout_dropped":{ended.stdout_bytes - (len(kept) - 1)}' in text


EVERY_BYTE = bytes(range(256)) * 3
ESCAPES = b"\x1b]0;title\x07\x1b]52;c;aGFja2Vk\x07\x1bPtmux;\x1b\x1b]0;x\x07\x1b\\\x1b[2J\x1bc"


@pytest.mark.parametrize(
    "raw", [EVERY_BYTE, ESCAPES, b"\xff\xfe\x00\x80" * 500, b"no end of line", b"\r\n\r\n"],
    ids=["every byte", "escapes", "no text", "no newline", "crlf"],
)  # fmt: skip
def test_files_hold_the_programs_own_bytes(room: Room, raw: bytes) -> None:
    room.python("a1", f"import os; os.write(1, {raw!r}); os.write(2, {raw[::-1]!r})")
    ended = room.record("a1")
    assert ended.exit_code == 0
    assert room.terminals.output(room.directory("a1"), "stdout") == raw
    assert room.terminals.output(room.directory("a1"), "stderr") == raw[::-1]
    assert (ended.stdout_bytes, ended.stderr_bytes) == (len(raw), len(raw))


def test_what_is_printed_is_also_on_the_screen(room: Room) -> None:
    room.start(
        "a1", "sh", "-c", "echo out; echo err >&2; printf '\\033[31mred\\033[0m\\n'; sleep 60"
    )
    shown = until(
        lambda: (text := room.tmux("capture-pane", "-p", "-t", "=orch-a1:")).count("red") and text
    )
    assert sorted(shown.split()) == ["err", "out", "red"]  # two pipes have no common order
    assert room.text("a1") == "out\n\x1b[31mred\x1b[0m\n"  # while it runs


def test_a_stopped_screen_never_holds_the_program_up(room: Room) -> None:
    """The server that reads the pane is frozen; the program writes on, and its end is told."""
    room.start("a1", "sh", "-c", "sleep 0.3; yes | head -c 3000000; echo done >&2")
    server = room.server()
    os.kill(server, signal.SIGSTOP)
    try:
        ended = room.record("a1")
    finally:
        os.kill(server, signal.SIGCONT)
    assert (ended.exit_code, ended.stdout_bytes) == (0, 3_000_000)
    assert room.text("a1", "stderr") == "done\n"


def test_closing_its_output_early_does_not_end_a_program(room: Room) -> None:
    room.start("a1", "sh", "-c", "echo said; exec >&- 2>&-; sleep 0.4; exit 5")
    ended = room.record("a1")
    assert (ended.exit_code, room.text("a1")) == (5, "said\n")
    assert ended.ended_at - ended.started_at >= 0.4


def test_output_of_what_a_program_pipes_into_is_complete(room: Room) -> None:
    """`tee` in the background ends after its shell; its last words count."""
    room.start("a1", "bash", "-c", "exec > >(sleep 0.05; cat); echo through the pipe")
    room.record("a1")
    assert room.text("a1") == "through the pipe\n"


# --- input


@pytest.mark.parametrize("size", [0, 1, 4096, 65536, 1_000_000])
def test_h16_prompts_of_any_size_come_through_stdin(room: Room, size: int) -> None:
    prompt = ("é" * size)[:size]
    room.start("a1", "cat", stdin=prompt)
    assert room.record("a1").exit_code == 0
    assert room.text("a1") == prompt


def test_a_program_need_not_read_its_input(room: Room) -> None:
    room.start("a1", "sh", "-c", "exec <&-; exit 4", stdin="x" * 1_000_000)
    assert room.record("a1").exit_code == 4


def test_h108_input_waits_for_a_program_that_is_slow_to_read(room: Room) -> None:
    room.start(
        "a1", "sh", "-c", "sleep 0.3; head -c 5; sleep 0.1; cat", stdin="first, then\n\nlast"
    )
    room.record("a1")
    assert room.text("a1") == "first, then\n\nlast"


@pytest.mark.parametrize("opened", ["/dev/tty", "/dev/stdin"])
def test_h14_h15_a_question_finds_nobody_to_wait_for(room: Room, opened: str) -> None:
    """A passphrase prompt asks /dev/tty: there is none. Stdin ends after the prompt."""
    room.start("a1", "sh", "-c", f"read answer < {opened}; read answer; exit 6", stdin="")
    ended = room.record("a1")
    assert ended.exit_code == 6
    assert ended.ended_at - ended.started_at < 15


# --- ends


@pytest.mark.parametrize(("how", "code", "number"), [
    ("exit 0", 0, 0), ("exit 1", 1, 0), ("exit 255", 255, 0), ("kill -9 $$", 137, 9),
    ("kill -11 $$", 139, 11), ("kill -15 $$", 143, 15), ("kill -1 $$", 129, 1),
    ("kill -2 $$", 130, 2), ("kill -6 $$", 134, 6), ("exit 137", 137, 0),
])  # fmt: skip
def test_the_end_is_told_as_it_was(room: Room, how: str, code: int, number: int) -> None:
    room.start("a1", "sh", "-c", how)
    ended = room.record("a1")
    assert (ended.exit_code, ended.signal) == (code, number)
    assert (ended.timed_out, ended.lost, ended.stopped, ended.error) == (False, False, False, "")
    assert ended.attempt == "a1"
    assert ended.started_at <= ended.ended_at


def test_wall_time_is_for_the_whole_tree_and_for_the_deaf(room: Room) -> None:
    code = (
        "import os, signal, time\nsignal.signal(15, signal.SIG_IGN)\n"
        "for _ in range(3): os.fork()\nos.write(1, b'x'); time.sleep(600)"
    )
    room.python("a1", code, timeout_s=0.4)
    ended = room.record("a1")
    assert (ended.timed_out, ended.exit_code, ended.signal) == (True, 137, 9)
    assert room.text("a1") == "x" * 8
    assert 0.4 <= ended.ended_at - ended.started_at < 30


def test_a_program_may_use_its_grace_when_the_wall_time_is_over(room: Room) -> None:
    room.start("a1", "sh", "-c", "trap 'echo saved; exit 3' TERM; sleep 600 & wait", timeout_s=1.5)
    ended = room.record("a1")
    assert (ended.timed_out, ended.exit_code, ended.signal) == (True, 3, 0)
    assert room.text("a1") == "saved\n"


def test_a_paused_program_is_ended_too(room: Room) -> None:
    room.start("a1", "sh", "-c", "kill -STOP $$", timeout_s=0.3)
    assert room.record("a1").timed_out


# --- what they leave behind


DAEMON = """
import os, signal, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
if "deaf" in sys.argv: signal.signal(15, signal.SIG_IGN)
if "clean" in sys.argv: os.execve("/bin/sleep", ["sleep", "600"], {})
time.sleep(600)
"""


@pytest.mark.parametrize("kind", ["", "deaf", "clean"])
def test_h112_daemons_end_with_their_attempt_and_do_not_delay_it(room: Room, kind: str) -> None:
    """Double fork, own session, holding the output's pipe, deaf to TERM, without a variable."""
    argv = " ".join(f"'{word}'" for word in (*PYTHON, "-c", DAEMON, kind))
    room.start("a1", "sh", "-c", f"{argv}; echo done; exit 3")
    ended = room.record("a1")
    assert (ended.exit_code, room.text("a1")) == (3, "done\n")
    assert ended.ended_at - ended.started_at < 15
    assert terminalrooms.settled(lambda: sleepers(room)) == {}


def sleepers(room: Room) -> dict[int, str]:
    marked = {pid: words for pid, words in room.processes().items() if "wrapper" not in words}
    return {pid: words for pid, words in marked.items() if "tmux" not in words}


def test_h112_a_forking_tree_is_gone_when_the_exit_file_is_there(room: Room) -> None:
    code = (
        "import os, time\nfor depth in range(5): os.fork()\n"
        "if os.getpid() == int(os.environ['TOP']): time.sleep(0.2); os._exit(0)\ntime.sleep(600)"
    )
    room.start("a1", "sh", "-c", f'TOP=$$ exec "$@" -c "{code}"', "sh", *PYTHON)
    path = Path(room.directory("a1"), "exit.json")
    until(path.exists)
    assert sleepers(room) == {}
    assert room.record("a1").exit_code == 0


# --- programs that own their terminal


def test_a_program_can_own_its_terminal(room: Room) -> None:
    code = (
        "import os, sys\nprint(*map(os.isatty, (0, 1, 2)), os.get_terminal_size())\n"
        "print(os.tcgetpgrp(0) == os.getpid() == os.getpgrp())\nprint(input('> '))\n"
        "os.write(2, b'\\xff\\xfeerr')\n"
    )
    room.python("a1", code, io="tty")
    pane = Path(room.directory("a1"), "pane")
    until(lambda: pane.exists() and pane.read_bytes().endswith(b"> "))
    room.tmux("send-keys", "-t", "=orch-a1:", "hello", "Enter")
    assert room.record("a1").exit_code == 0
    shown = room.terminals.output(room.directory("a1"), "pane")
    size = b"os.terminal_size(columns=200, lines=50)"
    assert shown.startswith(b"True True True " + size + b"\r\nTrue\r\n> hello\r\nhello\r\n")
    assert shown.endswith(b"\xff\xfeerr")
    assert room.text("a1") == ""


@pytest.mark.parametrize("number", range(10))
def test_a_quick_programs_screen_is_kept_whole(room: Room, number: int) -> None:
    """Two tmux calls lost all of it 60 of 60 times; the log is opened in the one call that starts."""
    room.start("a1", "sh", "-c", f"seq 1 {100 * number}; printf last", io="tty")
    assert room.record("a1").exit_code == 0
    lines = "".join(f"{n}\r\n" for n in range(1, 100 * number + 1))
    assert room.text("a1", "pane") == f"{lines}last"


def test_the_exit_file_waits_for_the_screens_copy(room: Room) -> None:
    """tmux writes that copy when it gets to it; who reads it after the end must find all of it."""
    go = room.home / "go"
    os.mkfifo(go)
    room.start("a1", "sh", "-c", f"read line < {go}; printf last", io="tty")
    until(Path(room.directory("a1"), "pane").exists)
    server = room.server()
    os.kill(server, signal.SIGSTOP)
    os.close(os.open(go, os.O_WRONLY))
    time.sleep(0.2)
    assert room.probe("a1") == "alive"
    os.kill(server, signal.SIGCONT)
    until(Path(room.directory("a1"), "exit.json").exists)
    assert room.text("a1", "pane") == "last"


def test_keys_of_a_person_reach_the_program_and_not_its_wrapper(room: Room) -> None:
    """Ctrl-Z in a pane without a shell must not freeze it; Ctrl-C is the program's to answer."""
    room.start(
        "a1", "sh", "-c", "trap 'echo got it; exit 9' INT; echo up; while :; do sleep 0.05; done",
        io="tty",
    )  # fmt: skip
    until(lambda: "up" in room.text("a1", "pane"))
    room.tmux("send-keys", "-t", "=orch-a1:", "C-z")
    room.tmux("send-keys", "-t", "=orch-a1:", "C-c")
    ended = room.record("a1")
    assert (ended.exit_code, ended.stopped, ended.lost) == (9, False, False)
    assert "got it" in room.text("a1", "pane")


def test_ctrl_c_on_the_screen_of_a_piped_program_is_passed_on(room: Room) -> None:
    room.start("a1", "sh", "-c", "trap 'echo got it; exit 9' INT; echo up; sleep 600 & wait")
    until(lambda: room.text("a1") == "up\n")
    room.tmux("send-keys", "-t", "=orch-a1:", "C-c")
    assert room.record("a1").exit_code == 9
    assert room.text("a1") == "up\ngot it\n"


# --- the disk


@pytest.mark.root
def test_a_full_disk_takes_output_but_not_the_result(tmp_path: Path) -> None:
    import subprocess

    if os.geteuid() != 0:
        pytest.skip("needs root for a small tmpfs")
    with terminalrooms.room() as room:
        attempts = room.home / "attempts"
        attempts.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(attempts)]
        if subprocess.run(mount, check=False).returncode:
            pytest.skip("cannot mount a tmpfs here")
        try:
            room.start("a1", "sh", "-c", "yes | head -c 3000000; exit 3")
            ended = room.record("a1")
            assert (ended.exit_code, ended.stdout_bytes) == (3, 3_000_000)
            kept = Path(room.directory("a1"), "stdout").stat().st_size
            assert 0 < kept < 2**20
            text = Path(room.directory("a1"), "exit.json").read_text()
            assert f'"stdout_dropped":{3_000_000 - kept}' in text
            with pytest.raises(terminalrooms.OrchError) as full:
                room.start("a2", "true", stdin="x" * 2**20)
            assert full.value.code == "disk_full"
            assert room.probe("a2") == "absent"
        finally:
            subprocess.run(["umount", "-l", str(attempts)], check=True)
