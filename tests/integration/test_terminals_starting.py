"""Starting a program in a terminal: where it lives, what it gets, and that it runs only once."""

from __future__ import annotations

import json
import os
import secrets
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orch.model.attempt import Launch
from orch.model.errors import OrchError, ToolFailed
from orch.terminals.inside import record
from orch.terminals.tmux import Tmux
from tests import terminalrooms
from tests.terminalrooms import PYTHON, Room, until

pytestmark = pytest.mark.linux

SHOW = """
import json, os, sys
told = dict(env=dict(os.environ), cwd=os.getcwd(), umask=oct(os.umask(0)), args=sys.argv[1:],
            ignored=[n for n in (1, 2, 13, 15, 20, 21, 22) if __import__("signal").getsignal(n) == 1],
            leads=os.getpid() == os.getpgrp() == os.getsid(0),
            fds=sorted(os.listdir("/proc/self/fd")))
print(json.dumps(told))
"""


@pytest.fixture
def room() -> Iterator[Room]:
    with terminalrooms.room() as made:
        yield made


def test_h98_the_program_gets_exactly_what_was_launched(room: Room) -> None:
    words = ["a b", "", "$(touch x)", "`id`", ";", "x;", "#(touch y)", "%H", "'\"\\", "-n", "ä\n𝄞"]
    folder = room.home / "work tree"
    folder.mkdir()
    directory = room.python("a1", SHOW, *words, cwd=str(folder), env={"WORD": "ä ; #{pid} $HOME"})
    assert room.record("a1").exit_code == 0
    told = json.loads(room.text("a1"))
    own = {"ORCH_ATTEMPT": "a1", "ORCH_TERMINAL": directory}
    expected = room.environ() | {"WORD": "ä ; #{pid} $HOME"} | own
    told["env"].pop("LC_CTYPE", None)  # Python's own doing
    assert told["env"] == expected
    assert (told["cwd"], told["args"], told["umask"]) == (str(folder), words, "0o22")
    assert told["ignored"] == [13]  # Python ignores SIGPIPE by itself
    assert told["leads"]
    assert told["fds"] == ["0", "1", "2", "3"]  # the last is the listing itself
    assert sorted(os.listdir(folder)) == []


def test_environment_that_is_not_utf8_arrives_to_the_byte(room: Room) -> None:
    odd = b"\xff\xfe=\xc3".decode("utf-8", "surrogateescape")
    room.python("a1", "import os; os.write(1, os.environb[b'ODD'])", env={"ODD": odd})
    room.record("a1")
    assert room.terminals.output(room.directory("a1"), "stdout") == b"\xff\xfe=\xc3"


def test_secrets_travel_in_private_files_and_not_in_any_command_line(room: Room) -> None:
    """H95: neither the environment nor the prompt is in the process list."""
    secret = "s3cr3t-canary"
    directory = Path(room.start("a1", "sleep", "60", env={"TOKEN": secret}, stdin=secret))
    until((directory / "started").exists)
    until(lambda: any("sleep 60" in words for words in room.processes().values()))
    assert not any(secret in words for words in room.processes().values())
    assert secret not in room.tmux("show-environment", "-g")
    assert secret not in room.tmux("show-environment", "-t", "=orch-a1:")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for file in directory.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_the_server_knows_nothing_of_our_environment(
    monkeypatch: pytest.MonkeyPatch, room: Room
) -> None:
    """H98: nothing of the person's shell reaches the server, and a surrounding tmux has no say."""
    monkeypatch.setenv("CANARY", "yellow")
    monkeypatch.setenv("TMUX", "/tmp/somebody-elses,1,0")
    monkeypatch.setenv("TMUX_PANE", "%9")
    monkeypatch.setenv("TMUX_TMPDIR", "/nowhere")
    room.start("a1", "sleep", "60")
    environ = Path(f"/proc/{room.server()}/environ").read_bytes().split(b"\0")
    assert {word.partition(b"=")[0] for word in environ if word} <= {
        b"PATH",
        b"TERM",
        b"LANG",
        b"PWD",
    }
    for option, value in (("set-clipboard", "off"), ("exit-empty", "on")):
        assert room.tmux("show-options", "-sv", option).strip() == value
    assert room.tmux("show-options", "-gwv", "allow-passthrough").strip() == "off"
    assert room.tmux("show-options", "-gwv", "remain-on-exit").strip() == "off"
    assert "ORCH_ATTEMPT=a1" in room.tmux("show-environment", "-t", "=orch-a1:")
    assert room.tmux("display-message", "-p", "-t", "=orch-a1:", "#{session_path}").strip() == "/"


def test_inside_a_program_in_a_terminal_another_terminal_can_be_started(room: Room) -> None:
    """A conductor that an agent runs: its terminals are its own."""
    code = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from orch.terminals.tmux import Tmux; from orch.model.attempt import Launch\n"
        "home = Path(sys.argv[1]); t = Tmux(home / 'run', path=os.environ['PATH'])\n"
        "t.start('orch-in', str(home / 'in'), 'in', Launch(argv=('echo', 'deep'), cwd='/',"
        " env={'PATH': os.environ['PATH']}))\n"
        "asyncio.run(t.ended('orch-in', str(home / 'in')))\n"
        "print(t.output(str(home / 'in'), 'stdout').decode(), t.names())\n"
    )
    room.start("a1", sys.executable, "-c", code, str(room.home / "inner"))
    assert room.record("a1").exit_code == 0, room.text("a1", "stderr")
    assert room.text("a1").split() == ["deep", "[]"]


def test_h98_a_short_path_and_the_root_as_cwd_are_enough(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "tmux").symlink_to(until(lambda: next(iter(which("tmux")), None)))
    with terminalrooms.room(path=str(tools)) as room:
        room.start("a1", "/bin/sh", "-c", "pwd; echo $PATH", env={"PATH": "/bin"})
        assert room.record("a1").exit_code == 0
        assert room.text("a1") == "/\n/bin\n"


def which(name: str) -> Iterator[str]:
    for folder in os.environ["PATH"].split(os.pathsep):
        if os.access(f"{folder}/{name}", os.X_OK):
            yield f"{folder}/{name}"


HOSTILE = [
    "with space", "quote'and\"", "#(touch hit)", "##[x", "#{pid}", "$(touch hit)", "`touch hit`",
    "semi;", "a;b", "back\\slash", "%H%M%%", "new\nline", "ünïcödé 𝄞", "-dash", "=eq:colon", "~",
    "*?[a]", "!x", "&& touch hit",
]  # fmt: skip


@pytest.mark.parametrize("inner", HOSTILE, ids=ascii)
def test_paths_mean_nothing_but_themselves(inner: str, tmp_path: Path) -> None:
    """RELIABILITY §0.3: tmux expands `#(command)`, dates and `;`, a shell everything else."""
    hit = f"hit-{secrets.token_hex(4)}"
    with terminalrooms.room(inner.replace("hit", hit)) as room:
        room.start("a1", "echo", "piped", cwd=str(room.home))
        room.start("a2", "echo", "shown", cwd=str(room.home), io="tty")
        assert room.record("a1").exit_code == 0
        assert room.record("a2").exit_code == 0
        assert room.text("a1") == "piped\n"
        assert room.text("a2", "pane") == "shown\r\n"
        assert {"run", "attempts"} == {path.name for path in room.home.iterdir()}
        everything = [path.name for path in room.top.rglob("*")]
        assert hit not in everything
        assert not Path("/", hit).exists()


def test_a_directory_may_end_in_what_ends_a_tmux_command(room: Room) -> None:
    for number, end in enumerate((";", "\\;", ";;", "\\")):
        directory = str(room.home / f"a{number}{end}")
        launch = Launch(argv=("echo", "x"), cwd="/", env=room.environ())
        room.terminals.start(f"orch-{number}", directory, f"a{number}", launch)
        until(Path(directory, "exit.json").exists)
        assert room.terminals.output(directory, "stdout") == b"x\n"


# --- at most once


COUNT = "import os,sys,time; open(sys.argv[1],'a').write('x'); time.sleep(0.2)"


def test_of_twenty_processes_that_start_one_attempt_one_program_runs(room: Room) -> None:
    """The store says who drives a run; if that ever failed, this is the last line (H21, H89)."""
    log = room.home / "log"
    argv = (*PYTHON, "-c", COUNT, str(log))
    code = (
        "import os, sys; from pathlib import Path; from orch.terminals.tmux import Tmux\n"
        "from orch.model.attempt import Launch; sys.stdin.read()\n"
        f"t = Tmux(Path({str(room.home / 'run')!r}), path=os.environ['PATH'])\n"
        f"launch = Launch(argv={argv!r}, cwd='/', env={{}})\n"
        f"t.start('orch-a1', {room.directory('a1')!r}, 'a1', launch)"
    )
    crowd = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for _ in range(20)
    ]
    for one in crowd:
        assert one.stdin is not None
        one.stdin.close()
    assert [one.wait(60) for one in crowd] == [0] * 20
    assert room.record("a1").exit_code == 0
    assert log.read_text() == "x"


def test_a_wrapper_that_is_run_by_hand_refuses_a_taken_attempt(room: Room) -> None:
    log = room.home / "log"
    directory = room.start("a1", *PYTHON, "-c", COUNT, str(log))
    first = room.record("a1")
    before = {path.name: path.read_bytes() for path in Path(directory).iterdir()}
    wrapper = Path(record.__file__).parents[1] / "wrapper.py"
    done = subprocess.run([sys.executable, "-I", "-S", str(wrapper), directory], check=False)
    assert done.returncode == 0
    assert {path.name: path.read_bytes() for path in Path(directory).iterdir()} == before
    assert room.terminals.exit_record(directory) == first
    assert log.read_text() == "x"


def test_h100_a_start_that_was_cut_off_leaves_nothing_half_and_is_repeated(room: Room) -> None:
    """Killed before tmux was called: files without a terminal. Killed within: a temporary."""
    directory = Path(room.directory("a1"))
    directory.mkdir(parents=True)
    (directory / ".prompt.99").write_text("half")
    (directory / "prompt").write_text("whole")
    assert room.probe("a1") == "absent"
    room.start("a1", "cat", stdin="whole")
    assert room.record("a1").exit_code == 0
    assert room.text("a1") == "whole"


def test_h100_a_mark_that_was_cut_off_never_runs_again(room: Room) -> None:
    """A wrapper that died between making its mark and writing into it may have run the program."""
    directory = Path(room.directory("a1"))
    directory.mkdir(parents=True)
    (directory / "started").touch()
    room.start("a1", "echo", "again")
    assert room.probe("a1") == "lost"
    assert room.ended("a1") is None
    assert room.text("a1") == ""
    room.stop("a1")
    assert room.record("a1").stopped


def test_sequential_starts_outrun_the_servers_own_end(room: Room) -> None:
    """The last session takes the server with it; the next start must not meet a dying server."""
    for number in range(40):
        room.terminals.start(
            f"orch-{number}", room.directory(str(number)), str(number),
            Launch(argv=("true",), cwd="/", env=room.environ()),
        )  # fmt: skip
        assert room.record(str(number)).exit_code == 0


def test_parallel_starts_share_one_server(room: Room) -> None:
    faults: list[BaseException] = []

    def start(number: int) -> None:
        launch = Launch(argv=("sh", "-c", f"echo {number}"), cwd="/", env=room.environ())
        try:
            room.terminals.start(f"orch-{number}", room.directory(str(number)), str(number), launch)
        except BaseException as fault:  # noqa: BLE001
            faults.append(fault)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    for number in range(30):
        assert room.record(str(number)).exit_code == 0
        assert room.text(str(number)) == f"{number}\n"


# --- whoever starts may go


STARTER = """
import os, sys, time; from pathlib import Path; from orch.terminals.tmux import Tmux
from orch.model.attempt import Launch
home = Path(sys.argv[1])
Tmux(home / "run", path=os.environ["PATH"]).start("orch-a1", str(home / "attempts/a1"), "a1",
    Launch(argv=("sh", "-c", "sleep 3; echo survived"), cwd="/", env={"PATH": os.environ["PATH"]}))
print("ready", flush=True)
time.sleep(60)
"""


def test_the_starters_process_group_dies_and_the_terminal_goes_on(room: Room) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(room.home)],
        stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert starter.stdout is not None
    with starter.stdout:
        assert starter.stdout.readline() == b"ready\n"
        os.killpg(starter.pid, signal.SIGKILL)
        starter.wait()
    assert room.probe("a1") == "alive"
    assert room.record("a1").exit_code == 0
    assert room.text("a1") == "survived\n"


def test_who_makes_the_server_is_in_nobodys_process_group(tmp_path: Path) -> None:
    """Before the server is on its own there is a moment; a kill of our group must not hit it."""
    log = tmp_path / "log"
    path = fake_tmux(tmp_path, f"cut -d ' ' -f 5,6 /proc/$$/stat > '{log}'; echo tmux 3.3")
    Tmux(tmp_path / "run", path=f"{path}:{os.environ['PATH']}").version()
    group, session = map(int, log.read_text().split())
    assert group == session
    assert group != os.getpgrp()
    assert session != os.getsid(0)


def test_the_server_belongs_to_nobodys_session(room: Room) -> None:
    room.start("a1", "sleep", "60")
    server = room.server()
    assert os.getsid(server) == server
    assert os.getpgid(server) != os.getpgrp()
    assert os.readlink(f"/proc/{server}/cwd") == "/"


# --- what cannot be started says why


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("no-such-program",), 127, "cannot run no-such-program: No such file or directory"),
        (("/no/such",), 127, "cannot run /no/such: No such file or directory"),
        (("/etc/passwd/x",), 127, "cannot run /etc/passwd/x: Not a directory"),
        (("/etc",), 126, "cannot run /etc: Permission denied"),
        (("/etc/passwd",), 126, "cannot run /etc/passwd: Permission denied"),
        (("echo", "x" * 200_000), 126, "cannot run echo: Argument list too long"),
    ],
)
def test_what_cannot_be_run_says_so(
    room: Room, argv: tuple[str, ...], code: int, words: str
) -> None:
    room.start("a1", *argv)
    ended = room.record("a1")
    assert (ended.exit_code, ended.error, ended.signal) == (code, words, 0)
    assert room.probe("a1") == "ended"


def test_a_script_without_an_interpreter_line_is_not_given_to_a_shell(room: Room) -> None:
    script = room.home / "script"
    script.write_text("echo hello\n")
    script.chmod(0o755)
    room.start("a1", str(script))
    assert room.record("a1").error == f"cannot run {script}: Exec format error"


def test_a_directory_that_is_gone_says_so(room: Room) -> None:
    room.start("a1", "true", cwd=str(room.home / "gone"))
    ended = room.record("a1")
    assert ended.exit_code == 126
    assert ended.error == f"cannot enter {room.home / 'gone'}: No such file or directory"


def test_a_launch_file_that_was_damaged_ends_the_attempt_and_says_so(room: Room) -> None:
    directory = Path(room.directory("a1"))
    directory.mkdir(parents=True)
    (directory / "launch.json").write_text('{"argv": [')
    room.start("a1", "true")
    ended = room.record("a1")
    assert (ended.attempt, ended.exit_code) == ("a1", 126)
    assert ended.error.startswith("the wrapper failed:")


# --- tmux itself


def test_no_tmux_is_an_error_with_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orch.terminals.server._ALSO", ())
    terminals = Tmux(tmp_path / "run", path=str(tmp_path))
    launch = Launch(argv=("true",), cwd="/", env={})
    directory = str(tmp_path / "a1")
    for act in (
        terminals.version,
        terminals.names,
        lambda: terminals.start("orch-a1", directory, "a1", launch),
        lambda: terminals.probe("orch-a1", directory),
    ):
        with pytest.raises(ToolFailed) as missing:
            act()
        assert (missing.value.code, missing.value.exit_code) == ("tmux_missing", 9)
        assert "install tmux" in missing.value.hint


def fake_tmux(folder: Path, script: str) -> str:
    (folder / "tmux").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "tmux").chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("tmux 3.3a", (3, 3)), ("tmux 3.2", (3, 2)), ("tmux next-3.6", (3, 6)), ("tmux 2.9a", (2, 9)),
        ("tmux openbsd-7.4", (7, 4)), ("tmux master", (99, 0)),
    ],
)  # fmt: skip
def test_versions_are_understood(tmp_path: Path, said: str, version: tuple[int, ...]) -> None:
    assert Tmux(tmp_path / "run", path=fake_tmux(tmp_path, f"echo '{said}'")).version() == version


def test_a_tmux_that_fails_is_an_error_with_its_words(tmp_path: Path) -> None:
    path = fake_tmux(tmp_path, "echo 'protocol version mismatch (client 8, server 7)' >&2; exit 1")
    terminals = Tmux(tmp_path / "run", path=path)
    launch = Launch(argv=("true",), cwd="/", env={})
    with pytest.raises(ToolFailed, match="protocol version mismatch") as failed:
        terminals.start("orch-a1", str(tmp_path / "a1"), "a1", launch)
    assert failed.value.code == "tmux_failed"
    with pytest.raises(ToolFailed, match="protocol version mismatch"):
        terminals.names()
    assert terminals.probe("orch-a1", str(tmp_path / "a1")) == "unknown"


def test_long_homes_have_their_socket_in_a_private_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr("orch.wire.places.SHORT", Path(short))
        folder = Path(short, f"orch-{os.geteuid()}")
        with terminalrooms.room("x" * 120) as room:
            assert list(room.terminals.names()) == []
            assert room.probe("a1") == "absent"
            assert not folder.exists()  # who only looks leaves nothing behind
            room.start("a1", "echo", "far")
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert room.socket().parent == folder
            assert room.record("a1").exit_code == 0
            assert room.text("a1") == "far\n"


@pytest.mark.parametrize("how", ["others can look", "a link", "a file"])
def test_a_socket_directory_that_is_not_ours_alone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("orch.wire.places.SHORT", tmp_path)
    folder = tmp_path / f"orch-{os.geteuid()}"
    if how == "a link":
        (tmp_path / "target").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "target")
    elif how == "a file":
        folder.touch(mode=0o600)
    else:
        folder.mkdir()
        folder.chmod(0o711)
    terminals = Tmux(tmp_path / ("y" * 120), path=os.environ["PATH"])
    launch = Launch(argv=("true",), cwd="/", env={})
    for act in (
        terminals.names,
        lambda: terminals.start("orch-a1", str(tmp_path / "a1"), "a1", launch),
    ):
        with pytest.raises(OrchError) as refused:
            act()
        assert refused.value.code == "socket_unsafe"
    assert not (tmp_path / "a1" / "started").exists()


def test_a_home_that_is_named_from_here_works_from_everywhere(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(room.home)
    terminals = Tmux(Path("run"), path=room.path)
    launch = Launch(argv=("echo", "near"), cwd="/", env=room.environ())
    terminals.start("orch-a1", "attempts/a1", "a1", launch)
    monkeypatch.chdir("/")
    assert room.record("a1").exit_code == 0
    assert room.text("a1") == "near\n"
