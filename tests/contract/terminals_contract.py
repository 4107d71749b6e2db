"""The contract of `orch.ports.Terminals`, for ours and for anybody's.

A third party proves an adapter with:

    class TestMine(TerminalsContract):
        @pytest.fixture
        def terminals(self): return MyTerminals(...)

Programs are described as a `Play`, which a real adapter runs with `PLAYER`; a double reads it off
the launch (`play_of`). What an adapter cannot be made to do from a test is a method here that skips
until the adapter's test fills it in.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orch.model.attempt import ExitRecord, Launch
from orch.model.errors import OrchError, UsageError
from orch.ports import Terminals

PLAYER = """
import json, os, sys, time
play = json.loads(sys.argv[1])
with open(os.path.join(play["directory"], "runs"), "a") as runs:
    runs.write("ran\\n")
time.sleep(play["seconds"])
if play["echo"]:
    sys.stdout.write(sys.stdin.read())
sys.stdout.write(play["stdout"]); sys.stdout.flush()
sys.stderr.write(play["stderr"]); sys.stderr.flush()
for name, text in play["files"].items():
    with open(os.path.join(play["directory"], name), "w") as file:
        file.write(text)
if play["exit_code"] > 128:
    os.kill(os.getpid(), play["exit_code"] - 128)
    time.sleep(60)
os._exit(play["exit_code"])
"""
PATIENCE_S = 20.0
LONG_S = 300.0
"""A program that somebody has to end."""


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """What a program does: notes its run in the file `runs`, waits, repeats its input (`echo`),
    writes, and ends with `exit_code` (above 128: by that signal)."""

    directory: str
    seconds: float = 0.0
    stdout: str = ""
    stderr: str = ""
    files: dict[str, str] = {}
    exit_code: int = 0
    echo: bool = False


def play_of(launch: Launch) -> Play:
    """The play that `launch` was made from."""
    return msgspec.json.decode(launch.argv[-1], type=Play)


class Slot:
    """One attempt's place: terminal name, directory, id."""

    def __init__(self, directory: Path, attempt: str) -> None:
        self.attempt = attempt
        self.name = f"orch-{attempt}"
        self.directory = str(directory / attempt)

    def play(self, **words: Any) -> Play:
        return Play(directory=self.directory, **words)


class TerminalsContract:
    """Subclass as `TestX` and give a `terminals` fixture: no terminals in it, new for each test."""

    @pytest.fixture
    def terminals(self) -> Iterator[Terminals]:
        raise NotImplementedError("give a fixture `terminals`")

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """Where attempts may have their directories."""
        return tmp_path

    @pytest.fixture
    def slot(self, root: Path) -> Slot:
        return Slot(root, "abc123def456")

    def launch(self, play: Play, **words: Any) -> Launch:
        """The launch that performs `play`."""
        argv = (sys.executable, "-I", "-S", "-c", PLAYER, json.dumps(msgspec.to_builtins(play)))
        return Launch(argv=argv, cwd="/", env={"LANG": "C.UTF-8"}, **words)

    def reopened(self, terminals: Terminals) -> Terminals:
        """The same terminals, as another process would find them."""
        return terminals

    def lose(self, terminals: Terminals, slot: Slot) -> None:
        """Take the terminal away, so that nobody can write an exit record (`kill -9`)."""
        pytest.skip("this adapter's terminals cannot be lost by the test")

    def start(self, terminals: Terminals, slot: Slot, **words: Any) -> None:
        launched = {k: words.pop(k) for k in ("stdin", "timeout_s", "files") if k in words}
        played = {"files": words.pop("writes", {}), **words}
        launch = self.launch(slot.play(**played), **launched)
        terminals.start(slot.name, slot.directory, slot.attempt, launch)

    def wait(self, terminals: Terminals, slot: Slot) -> None:
        async def wait() -> None:
            async with asyncio.timeout(PATIENCE_S):
                await terminals.ended(slot.name, slot.directory)

        asyncio.run(wait())

    def finished(self, terminals: Terminals, slot: Slot) -> ExitRecord:
        self.wait(terminals, slot)
        record = terminals.exit_record(slot.directory)
        assert record is not None
        return record

    def runs(self, terminals: Terminals, slot: Slot) -> int:
        """How often the program of `slot` was run (told by the program)."""
        return len(terminals.output(slot.directory, "runs").splitlines())

    # --- the life of a terminal

    def test_version_is_told(self, terminals: Terminals) -> None:
        assert terminals.version() >= (3, 2)

    def test_what_never_started_is_absent(self, terminals: Terminals, slot: Slot) -> None:
        assert terminals.probe(slot.name, slot.directory) == "absent"
        assert terminals.exit_record(slot.directory) is None
        assert terminals.output(slot.directory, "stdout") == b""
        assert list(terminals.names()) == []
        self.wait(terminals, slot)
        terminals.stop(slot.name, slot.directory, grace_s=1.0)
        assert terminals.probe(slot.name, slot.directory) == "absent"

    def test_a_program_is_alive_until_it_ends(self, terminals: Terminals, slot: Slot) -> None:
        before = time.time()
        self.start(terminals, slot, seconds=0.3, stdout="out", stderr="err!")
        assert terminals.probe(slot.name, slot.directory) == "alive"
        assert list(terminals.names()) == [slot.name]
        assert terminals.exit_record(slot.directory) is None
        record = self.finished(terminals, slot)
        assert terminals.probe(slot.name, slot.directory) == "ended"
        assert terminals.exit_record(slot.directory) == record
        assert (record.attempt, record.exit_code, record.signal) == (slot.attempt, 0, 0)
        assert not (record.timed_out or record.lost or record.stopped or record.error)
        assert before - 1 <= record.started_at <= record.ended_at - 0.3
        assert (record.stdout_bytes, record.stderr_bytes) == (3, 4)

    def test_the_name_is_free_again_when_the_program_has_ended(
        self, terminals: Terminals, slot: Slot, root: Path
    ) -> None:
        """H104: what follows a finished terminal is started anew and does not reach into the old."""
        self.start(terminals, slot, stdout="first")
        self.finished(terminals, slot)
        self.eventually_gone(terminals)
        follow_up = Slot(root, "000000000002")
        follow_up.name = slot.name
        self.start(terminals, follow_up, stdout="second")
        assert self.finished(terminals, follow_up).attempt == follow_up.attempt
        assert terminals.output(slot.directory, "stdout") == b"first"
        assert terminals.output(follow_up.directory, "stdout") == b"second"

    def eventually_gone(self, terminals: Terminals) -> None:
        """A terminal's name may outlive its program for a moment."""
        deadline = time.monotonic() + PATIENCE_S
        while terminals.names():
            assert time.monotonic() < deadline
            time.sleep(0.002)

    @pytest.mark.parametrize(("exit_code", "number"), [(3, 0), (1, 0), (137, 9), (143, 15)])
    def test_the_end_is_told_as_it_was(
        self, terminals: Terminals, slot: Slot, exit_code: int, number: int
    ) -> None:
        self.start(terminals, slot, exit_code=exit_code)
        record = self.finished(terminals, slot)
        assert (record.exit_code, record.signal) == (exit_code, number)
        assert not (record.timed_out or record.lost or record.stopped)

    def test_input_files_and_output(self, terminals: Terminals, slot: Slot) -> None:
        """H16, H108: the prompt is there before the program is; it travels in a file."""
        prompt = "frage: “é”\r\n\x1b[0m $(touch x)\n" + "x" * 200_000
        self.start(terminals, slot, echo=True, stdin=prompt, files={"agent.toml": "a = 'ü'\n"})
        self.finished(terminals, slot)
        said = terminals.output(slot.directory, "stdout")
        assert said.decode() == prompt
        assert terminals.output(slot.directory, "prompt").decode() == prompt
        assert terminals.output(slot.directory, "agent.toml").decode() == "a = 'ü'\n"
        assert terminals.output(slot.directory, "stdout", tail_bytes=5) == b"xxxxx"
        assert terminals.output(slot.directory, "stdout", tail_bytes=10**9) == said
        assert terminals.output(slot.directory, "stderr", tail_bytes=5) == b""
        assert terminals.output(slot.directory, "nothing") == b""

    def test_what_the_program_wrote_is_there_with_its_exit_record(
        self, terminals: Terminals, slot: Slot
    ) -> None:
        """H23, H111: an answer is collected whole; no answer is not an empty one's twin."""
        self.start(terminals, slot, writes={"result.json": '{"status": "done"}'})
        self.finished(terminals, slot)
        answer = terminals.output(slot.directory, "result.json")
        assert json.loads(answer) == {"status": "done"}

    def test_terminals_do_not_mix(self, terminals: Terminals, root: Path) -> None:
        slots = [Slot(root, f"{number:012x}") for number in range(6)]
        began = time.monotonic()
        for number, slot in enumerate(slots):
            self.start(
                terminals, slot, seconds=0.5, stdout=f"out {number}", stderr=f"err {number}",
                exit_code=number,
            )  # fmt: skip
        assert sorted(terminals.names()) == [slot.name for slot in slots]
        records = [self.finished(terminals, slot) for slot in slots]
        assert time.monotonic() - began < 6 * 0.5  # H102: side by side
        assert [record.exit_code for record in records] == list(range(6))
        assert [record.attempt for record in records] == [slot.attempt for slot in slots]
        for number, slot in enumerate(slots):
            assert terminals.output(slot.directory, "stdout") == f"out {number}".encode()
            assert terminals.output(slot.directory, "stderr") == f"err {number}".encode()

    # --- at most once

    def test_a_directory_starts_one_program_for_ever(
        self, terminals: Terminals, slot: Slot
    ) -> None:
        """H21, H89: while it runs, when it has ended, and when it was stopped."""
        self.start(terminals, slot, seconds=0.2, stdout="first")
        self.start(terminals, slot, stdout="second")
        record = self.finished(terminals, slot)
        for again in (terminals, self.reopened(terminals)):
            self.start(again, slot, stdout="third", exit_code=9)
            self.wait(again, slot)
            assert again.exit_record(slot.directory) == record
        assert terminals.output(slot.directory, "stdout") == b"first"
        assert self.runs(terminals, slot) == 1

    def test_a_stopped_attempt_never_starts_again(self, terminals: Terminals, slot: Slot) -> None:
        self.start(terminals, slot, seconds=LONG_S)
        terminals.stop(slot.name, slot.directory, grace_s=5.0)
        record = terminals.exit_record(slot.directory)
        self.start(terminals, slot)
        self.wait(terminals, slot)
        assert terminals.exit_record(slot.directory) == record

    def test_a_taken_name_starts_nothing(
        self, terminals: Terminals, slot: Slot, root: Path
    ) -> None:
        self.start(terminals, slot, seconds=LONG_S)
        other = Slot(root, "000000000002")
        other.name = slot.name
        self.start(terminals, other)
        terminals.stop(slot.name, slot.directory, grace_s=5.0)
        assert self.runs(terminals, other) == 0
        assert terminals.exit_record(other.directory) is None

    def test_of_twenty_starts_at_once_one_wins(self, terminals: Terminals, slot: Slot) -> None:
        launches = [self.launch(slot.play(seconds=0.2, stdout=str(n))) for n in range(20)]
        faults: list[BaseException] = []
        gate = threading.Barrier(20)

        def start(launch: Launch) -> None:
            try:
                gate.wait()
                terminals.start(slot.name, slot.directory, slot.attempt, launch)
            except BaseException as fault:  # noqa: BLE001 - for the assertion below
                faults.append(fault)

        threads = [threading.Thread(target=start, args=(launch,)) for launch in launches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert self.finished(terminals, slot).exit_code == 0
        assert self.runs(terminals, slot) == 1

    # --- waiting

    def test_many_wait_for_one(self, terminals: Terminals, slot: Slot) -> None:
        self.start(terminals, slot, seconds=0.3)

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE_S):
                waits = [
                    asyncio.ensure_future(terminals.ended(slot.name, slot.directory))
                    for _ in range(50)
                ]
                await asyncio.sleep(0)
                for gone in waits[::2]:
                    gone.cancel()
                await asyncio.gather(*waits[1::2])

        asyncio.run(wait())
        assert terminals.probe(slot.name, slot.directory) == "ended"

    def test_who_waits_is_told_at_once(self, terminals: Terminals, slot: Slot) -> None:
        self.start(terminals, slot, seconds=0.1)
        record = self.finished(terminals, slot)
        assert time.time() - record.ended_at < 0.5
        began = time.monotonic()
        self.wait(terminals, slot)
        assert time.monotonic() - began < 0.5

    def test_another_process_finds_and_follows_it(self, terminals: Terminals, slot: Slot) -> None:
        self.start(terminals, slot, seconds=0.3, stdout="x")
        heir = self.reopened(terminals)
        assert heir.probe(slot.name, slot.directory) == "alive"
        assert list(heir.names()) == [slot.name]
        self.start(heir, slot, stdout="y")
        assert self.finished(heir, slot).exit_code == 0
        assert heir.output(slot.directory, "stdout") == b"x"

    # --- ends that were not the program's own

    def test_wall_time_ends_it(self, terminals: Terminals, slot: Slot) -> None:
        """H109: deadlines are declared per attempt; one that was not declared is none."""
        began = time.monotonic()
        self.start(terminals, slot, seconds=LONG_S, timeout_s=0.3, writes={"late": "x"})
        record = self.finished(terminals, slot)
        assert 0.25 < time.monotonic() - began < PATIENCE_S
        assert record.timed_out
        assert not (record.lost or record.stopped)
        assert record.exit_code != 0
        assert terminals.probe(slot.name, slot.directory) == "ended"
        assert terminals.output(slot.directory, "late") == b""

    def test_wall_time_that_was_enough_changes_nothing(
        self, terminals: Terminals, slot: Slot
    ) -> None:
        self.start(terminals, slot, seconds=0.1, timeout_s=30.0)
        record = self.finished(terminals, slot)
        assert (record.exit_code, record.timed_out) == (0, False)

    def test_stop_ends_it_and_says_so(self, terminals: Terminals, slot: Slot) -> None:
        self.start(terminals, slot, seconds=LONG_S, writes={"late": "x"})
        began = time.monotonic()
        terminals.stop(slot.name, slot.directory, grace_s=10.0)
        assert time.monotonic() - began < 5.0  # the grace is for those who need it
        record = self.finished(terminals, slot)
        assert record.stopped
        assert not (record.lost or record.timed_out)
        assert terminals.probe(slot.name, slot.directory) == "ended"
        assert list(terminals.names()) == []
        terminals.stop(slot.name, slot.directory, grace_s=10.0)
        assert terminals.exit_record(slot.directory) == record
        assert terminals.output(slot.directory, "late") == b""

    def test_h106_stop_leaves_what_has_ended_as_it_was(
        self, terminals: Terminals, slot: Slot
    ) -> None:
        self.start(terminals, slot, stdout="done", writes={"result.json": "{}"})
        record = self.finished(terminals, slot)
        terminals.stop(slot.name, slot.directory, grace_s=1.0)
        assert terminals.exit_record(slot.directory) == record
        assert terminals.output(slot.directory, "stdout") == b"done"
        assert terminals.output(slot.directory, "result.json") == b"{}"
        assert terminals.probe(slot.name, slot.directory) == "ended"

    def test_one_stop_ends_one_terminal(self, terminals: Terminals, root: Path) -> None:
        """RELIABILITY §0.3: `orch-4` is not `orch-42`."""
        four, forty_two = Slot(root, "4"), Slot(root, "42")
        for slot in (four, forty_two):
            self.start(terminals, slot, seconds=LONG_S)
        terminals.stop(four.name, four.directory, grace_s=5.0)
        assert list(terminals.names()) == [forty_two.name]
        assert terminals.probe(forty_two.name, forty_two.directory) == "alive"
        terminals.stop(forty_two.name, forty_two.directory, grace_s=5.0)
        assert list(terminals.names()) == []

    def test_a_lost_terminal_is_neither_ended_nor_started_again(
        self, terminals: Terminals, slot: Slot
    ) -> None:
        self.start(terminals, slot, seconds=LONG_S)
        self.lose(terminals, slot)
        self.wait(terminals, slot)
        assert terminals.probe(slot.name, slot.directory) == "lost"
        assert terminals.exit_record(slot.directory) is None
        self.start(terminals, slot)
        self.wait(terminals, slot)
        assert terminals.probe(slot.name, slot.directory) == "lost"
        terminals.stop(slot.name, slot.directory, grace_s=5.0)
        record = terminals.exit_record(slot.directory)
        assert record is not None
        assert record.stopped
        assert terminals.probe(slot.name, slot.directory) == "ended"

    # --- what is refused

    @pytest.mark.parametrize(
        "name",
        ["", "-x", "a b", "a.b", "a:b", "A", "#(touch x)", "$(touch x)", ";", "é", "a\n", "x" * 41],
    )
    def test_names_that_mean_something_to_a_terminal_are_refused(
        self, terminals: Terminals, slot: Slot, name: str
    ) -> None:
        launch = self.launch(slot.play())
        for call in (
            lambda: terminals.start(name, slot.directory, slot.attempt, launch),
            lambda: terminals.probe(name, slot.directory),
            lambda: terminals.stop(name, slot.directory, grace_s=1.0),
            lambda: asyncio.run(self._ended(terminals, name, slot.directory)),
        ):
            with pytest.raises(UsageError) as refused:
                call()
            assert refused.value.code == "bad_name"
        assert list(terminals.names()) == []

    async def _ended(self, terminals: Terminals, name: str, directory: str) -> None:
        await terminals.ended(name, directory)

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a\0"]
    )
    def test_files_outside_of_the_attempt_are_refused(
        self, terminals: Terminals, slot: Slot, name: str
    ) -> None:
        with pytest.raises(UsageError) as refused:
            terminals.output(slot.directory, name)
        assert refused.value.code == "bad_name"
        with pytest.raises(UsageError) as refused:
            self.start(terminals, slot, files={name: "x"})
        assert refused.value.code == "bad_name"
        assert terminals.probe(slot.name, slot.directory) == "absent"

    @pytest.mark.parametrize("name", ["exit.json", "started", "stdout", "launch.json", "prompt"])
    def test_files_of_the_attempt_itself_are_refused(
        self, terminals: Terminals, slot: Slot, name: str
    ) -> None:
        with pytest.raises(UsageError) as refused:
            self.start(terminals, slot, files={name: "x"})
        assert refused.value.code == "bad_name"
        assert terminals.probe(slot.name, slot.directory) == "absent"

    @pytest.mark.parametrize(
        "words",
        [
            {"argv": ()},
            {"argv": ("",)},
            {"argv": ("a\0b",)},
            {"env": {"A=B": "x"}},
            {"env": {"": "x"}},
            {"env": {"A": "\0"}},
            {"cwd": "/\0"},
        ],
    )
    def test_what_no_program_can_be_given_is_refused(
        self, terminals: Terminals, slot: Slot, words: dict[str, Any]
    ) -> None:
        launch = msgspec.structs.replace(self.launch(slot.play()), **words)
        with pytest.raises(OrchError) as refused:
            terminals.start(slot.name, slot.directory, slot.attempt, launch)
        assert refused.value.code == "bad_launch"
        assert terminals.probe(slot.name, slot.directory) == "absent"
        assert list(terminals.names()) == []
