"""The contract of `orch.ports.Terminals`, for ours and for anybody's.

A third party proves an adapter with:

    class TestMine(TerminalsContract):
        @pytest.fixture
        def hands(self): return MyHands(...)

`Hands` is what the suite needs besides the port: how a `Part` becomes a program, how time passes
(a double lives in virtual time), and how a terminal is lost.
"""

from __future__ import annotations

import asyncio
import select
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from orch.model.attempt import ExitRecord, Launch
from orch.model.delivery import Delivery
from orch.model.errors import UsageError
from orch.model.question import Question
from orch.ports import Terminals

PATIENCE_S = 60.0
LONG_S = 500.0
"""A program that somebody has to end."""
SEEN_S = 3.0
"""One that is to be seen alive, on a busy machine too."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a program does: waits `seconds`, says its input (`echo`) and `stdout`, then `stderr`, and
    ends with `exit_code`, or by `signal` unless that is 0. One that `listens` reads its terminal
    meanwhile, key by key, and writes what it reads into the attempt's file `heard`."""

    seconds: float = 0.0
    stdout: str = ""
    stderr: str = ""
    echo: bool = False
    exit_code: int = 0
    signal: int = 0
    listens: bool = False


class Hands(Protocol):
    """`terminals` starts empty, new for each test."""

    @property
    def terminals(self) -> Terminals: ...

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Run `scenario` in the loop in which `ended` waits."""

    def directory(self, attempt: str) -> str:
        """Where this attempt's files go."""

    def launch(self, part: Part, **fields: Any) -> Launch:
        """A launch that performs `part`."""

    def runs(self, attempt: str) -> int:
        """How many programs were really run for `attempt`."""

    def reopened(self) -> Terminals:
        """The same terminals, as another process would find them."""

    def lose(self, name: str, attempt: str) -> None:
        """Take the terminal away so that nobody can write an exit record (`kill -9`)."""

    def ask(self, attempt: str, question: Question) -> None:
        """The program of `attempt` asks a person."""

    def silence(self) -> None:
        """From now on the terminals' server does not answer."""


class TerminalsContract:
    """Subclass as `TestX` and give a `hands` fixture."""

    @pytest.fixture
    def hands(self) -> Hands:
        raise NotImplementedError("give a fixture `hands`")

    # --- words of the tests

    def start(self, hands: Hands, attempt: str, part: Part, **fields: Any) -> None:
        launch = hands.launch(part, **fields)
        hands.terminals.start(f"orch-{attempt}", hands.directory(attempt), attempt, launch)

    def probe(self, hands: Hands, attempt: str) -> str:
        return hands.terminals.probe(f"orch-{attempt}", hands.directory(attempt))

    def stop(self, hands: Hands, attempt: str, grace_s: float = 10.0) -> None:
        hands.terminals.stop(f"orch-{attempt}", hands.directory(attempt), grace_s=grace_s)

    def found(self, hands: Hands, attempt: str) -> ExitRecord | None:
        return hands.terminals.exit_record(hands.directory(attempt))

    def wait(self, hands: Hands, attempt: str) -> ExitRecord | None:
        async def wait() -> None:
            ended = hands.terminals.ended(f"orch-{attempt}", hands.directory(attempt))
            await asyncio.wait_for(ended, 2 * LONG_S)

        hands.run(wait())
        return self.found(hands, attempt)

    def finished(self, hands: Hands, attempt: str) -> ExitRecord:
        record = self.wait(hands, attempt)
        assert record is not None
        return record

    def eventually(self, true: Callable[[], bool]) -> None:
        """What another process does next; the name of a terminal may outlive its program so."""
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.002)

    # --- the life of a terminal

    def test_what_never_started_is_absent(self, hands: Hands) -> None:
        assert self.probe(hands, "a1") == "absent"
        assert self.wait(hands, "a1") is None
        assert hands.terminals.output(hands.directory("a1"), "stdout") == b""
        assert list(hands.terminals.names()) == []
        self.stop(hands, "a1")
        assert self.probe(hands, "a1") == "absent"
        assert self.found(hands, "a1") is None

    def test_a_program_is_alive_until_it_ends(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=SEEN_S, stdout="out", stderr="err!"))
        assert self.probe(hands, "a1") == "alive"
        assert list(hands.terminals.names()) == ["orch-a1"]
        assert self.found(hands, "a1") is None
        record = self.finished(hands, "a1")
        assert self.probe(hands, "a1") == "ended"
        assert self.found(hands, "a1") == record
        assert (record.attempt, record.exit_code, record.signal) == ("a1", 0, 0)
        assert not (record.timed_out)
        assert not (record.lost)
        assert not (record.stopped)
        assert not (record.error)
        assert SEEN_S - 0.1 < record.ended_at - record.started_at < PATIENCE_S
        assert (record.stdout_bytes, record.stderr_bytes) == (3, 4)
        assert hands.terminals.output(hands.directory("a1"), "stdout") == b"out"
        assert hands.terminals.output(hands.directory("a1"), "stderr") == b"err!"

    def test_whoever_listens_hears_what_is_written(self, hands: Hands) -> None:
        ear, directory = hands.terminals.ear(), hands.directory("a1")
        if ear is None:
            return  # the port allows it: there is no kernel that tells
        try:
            assert ear.listen(directory) is False, "it is not there yet"
            self.start(hands, "a1", Part(seconds=0.4, stdout="out"))
            assert ear.listen(directory) is True
            while not hands.terminals.read(directory, "stdout", 0, 9)[0]:
                assert select.select([ear], [], [], PATIENCE_S)[0], "nothing was heard"
                assert ear.heard() == {directory}
            self.finished(hands, "a1")
            ear.heard()
            assert ear.heard() == set(), "what was heard is not heard again"
            ear.forget(directory)
            ear.forget(directory)
            Path(directory, "stdout").write_bytes(b"more")
            assert ear.heard() == set(), "what was forgotten is not heard"
            assert ear.listen(directory) is True, "and can be heard again"
        finally:
            ear.close()

    @pytest.mark.parametrize("exit_code", [1, 3, 127, 255])
    def test_an_exit_code_is_told_as_it_was(self, hands: Hands, exit_code: int) -> None:
        self.start(hands, "a1", Part(exit_code=exit_code))
        record = self.finished(hands, "a1")
        assert (record.exit_code, record.signal) == (exit_code, 0)
        assert not (record.timed_out)
        assert not (record.lost)
        assert not (record.stopped)
        assert not (record.error)

    @pytest.mark.parametrize("number", [1, 2, 6, 9, 11, 15])
    def test_a_death_by_signal_is_told(self, hands: Hands, number: int) -> None:
        self.start(hands, "a1", Part(signal=number))
        record = self.finished(hands, "a1")
        assert (record.exit_code, record.signal) == (128 + number, number)
        assert not (record.timed_out)
        assert not (record.lost)
        assert not (record.stopped)
        assert not (record.error)

    def test_input_files_and_output(self, hands: Hands) -> None:
        """H16, H108: the prompt is there before the program is; it travels in a file."""
        prompt = "frage: “é”\r\n\x1b[0m $(touch x)\n" + "x" * 200_000
        self.start(hands, "a1", Part(echo=True), stdin=prompt, files={"agent.toml": "a = 'ü'\n"})
        self.finished(hands, "a1")
        directory, output = hands.directory("a1"), hands.terminals.output
        said = output(directory, "stdout")
        assert said.decode() == prompt
        assert output(directory, "prompt").decode() == prompt
        assert output(directory, "agent.toml").decode() == "a = 'ü'\n"
        assert output(directory, "stdout", tail_bytes=5) == b"xxxxx"
        assert output(directory, "stdout", tail_bytes=10**9) == said
        assert output(directory, "stderr", tail_bytes=5) == b""
        read, size = hands.terminals.read, len(said)
        assert read(directory, "stdout", 0, 7) == (said[:7], size)
        assert read(directory, "stdout", size - 3, 7) == (said[-3:], size)
        assert read(directory, "stdout", size + 3, 7) == (b"", size)
        assert read(directory, "pane", 0, 7) == (b"", 0)
        assert output(directory, "result.json") == b""

    def test_terminals_do_not_mix(self, hands: Hands) -> None:
        """H102: six run side by side, and nobody gets another's answer."""
        names = [f"b{number}" for number in range(6)]
        for number, attempt in enumerate(names):
            part = Part(seconds=SEEN_S, stdout=f"o{number}", stderr=f"e{number}", exit_code=number)
            self.start(hands, attempt, part)
        assert sorted(hands.terminals.names()) == [f"orch-{attempt}" for attempt in names]
        records = [self.finished(hands, attempt) for attempt in names]
        began = min(record.started_at for record in records)
        whole = max(record.ended_at for record in records) - began
        assert whole < sum(record.ended_at - record.started_at for record in records)
        assert [record.exit_code for record in records] == list(range(6))
        assert [record.attempt for record in records] == names
        for number, attempt in enumerate(names):
            directory = hands.directory(attempt)
            assert hands.terminals.output(directory, "stdout") == f"o{number}".encode()
            assert hands.terminals.output(directory, "stderr") == f"e{number}".encode()

    def test_h104_what_follows_a_finished_terminal_is_started_anew(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(stdout="first"))
        self.finished(hands, "a1")
        self.eventually(lambda: not hands.terminals.names())
        launch, directory = hands.launch(Part(stdout="second")), hands.directory("a2")
        hands.terminals.start("orch-a1", directory, "a2", launch)
        self.eventually(lambda: hands.terminals.probe("orch-a1", directory) != "absent")

        async def wait() -> None:
            await hands.terminals.ended("orch-a1", directory)

        hands.run(wait())
        assert hands.terminals.output(hands.directory("a1"), "stdout") == b"first"
        assert hands.terminals.output(directory, "stdout") == b"second"

    # --- at most once

    def test_h21_h89_a_directory_starts_one_program_for_ever(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=0.3, stdout="first"))
        self.start(hands, "a1", Part(stdout="second"))
        record = self.finished(hands, "a1")
        for terminals in (hands.terminals, hands.reopened()):
            launch = hands.launch(Part(stdout="third", exit_code=9))
            terminals.start("orch-a1", hands.directory("a1"), "a1", launch)
            assert self.wait(hands, "a1") == record
        assert hands.terminals.output(hands.directory("a1"), "stdout") == b"first"
        assert hands.runs("a1") == 1

    def test_a_stopped_attempt_never_starts_again(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S))
        self.stop(hands, "a1")
        record = self.found(hands, "a1")
        assert record is not None
        self.start(hands, "a1", Part(stdout="again"))
        assert self.wait(hands, "a1") == record
        assert list(hands.terminals.names()) == []

    def test_a_taken_name_starts_nothing(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S))
        self.eventually(lambda: hands.runs("a1") == 1)
        launch = hands.launch(Part())
        hands.terminals.start("orch-a1", hands.directory("a2"), "a2", launch)
        self.stop(hands, "a1")
        assert hands.runs("a2") == 0
        assert self.found(hands, "a2") is None

    def test_of_twenty_starts_at_once_one_wins(self, hands: Hands) -> None:
        """RELIABILITY §3, many sessions at once."""
        launches = [hands.launch(Part(seconds=0.2, stdout=str(n))) for n in range(20)]
        faults: list[BaseException] = []
        gate = threading.Barrier(20)

        def start(launch: Launch) -> None:
            try:
                gate.wait()
                hands.terminals.start("orch-a1", hands.directory("a1"), "a1", launch)
            except BaseException as fault:  # noqa: BLE001 - told to the test
                faults.append(fault)

        threads = [threading.Thread(target=start, args=(launch,)) for launch in launches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert self.finished(hands, "a1").exit_code == 0
        assert hands.runs("a1") == 1

    # --- waiting

    def test_fifty_wait_for_one_and_half_of_them_leave(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=0.3))

        async def wait() -> None:
            ended, directory = hands.terminals.ended, hands.directory("a1")
            waits = [asyncio.ensure_future(ended("orch-a1", directory)) for _ in range(50)]
            await asyncio.sleep(0)
            for gone in waits[::2]:
                gone.cancel()
            await asyncio.gather(*waits[1::2])

        hands.run(wait())
        assert self.probe(hands, "a1") == "ended"

    def test_another_process_finds_it_and_waits_for_it(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=SEEN_S, stdout="x"))
        heir, directory = hands.reopened(), hands.directory("a1")
        assert heir.probe("orch-a1", directory) == "alive"
        assert list(heir.names()) == ["orch-a1"]
        heir.start("orch-a1", directory, "a1", hands.launch(Part(stdout="y")))

        async def wait() -> None:
            await heir.ended("orch-a1", directory)

        hands.run(wait())
        record = heir.exit_record(directory)
        assert record is not None
        assert record.exit_code == 0
        assert heir.output(directory, "stdout") == b"x"

    # --- ends that were not the program's own

    def test_h109_wall_time_ends_it(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S, stdout="late"), timeout_s=0.4)
        record = self.finished(hands, "a1")
        assert record.timed_out
        assert not (record.lost)
        assert not (record.stopped)
        assert not (record.error)
        assert record.exit_code != 0
        assert 0.3 < record.ended_at - record.started_at < PATIENCE_S
        assert self.probe(hands, "a1") == "ended"
        assert hands.terminals.output(hands.directory("a1"), "stdout") == b""

    def test_wall_time_that_was_enough_changes_nothing(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=0.1), timeout_s=30.0)
        record = self.finished(hands, "a1")
        assert (record.exit_code, record.timed_out) == (0, False)

    def test_stop_ends_it_at_once_and_says_so(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S, stdout="late"))
        self.eventually(lambda: hands.runs("a1") == 1)
        began = time.monotonic()
        self.stop(hands, "a1", grace_s=30.0)
        assert time.monotonic() - began < 10.0  # the grace is for those who need it
        record = self.finished(hands, "a1")
        assert record.stopped
        assert not (record.lost)
        assert not (record.timed_out)
        assert self.probe(hands, "a1") == "ended"
        assert list(hands.terminals.names()) == []
        self.stop(hands, "a1")
        assert self.found(hands, "a1") == record
        assert hands.terminals.output(hands.directory("a1"), "stdout") == b""

    def test_stop_right_after_start(self, hands: Hands) -> None:
        """The program may not even have begun; it does not begin afterwards."""
        self.start(hands, "a1", Part(seconds=LONG_S))
        self.stop(hands, "a1", grace_s=10.0)
        record = self.finished(hands, "a1")
        assert record.stopped
        assert self.probe(hands, "a1") == "ended"
        assert list(hands.terminals.names()) == []

    def test_h106_stop_leaves_what_has_ended_as_it_was(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(stdout="done"))
        record = self.finished(hands, "a1")
        self.stop(hands, "a1")
        assert self.found(hands, "a1") == record
        assert not record.stopped
        assert hands.terminals.output(hands.directory("a1"), "stdout") == b"done"
        assert self.probe(hands, "a1") == "ended"

    def test_one_stop_ends_one_terminal(self, hands: Hands) -> None:
        """RELIABILITY §0.3: `orch-4` is not `orch-42`."""
        for attempt in ("4", "42"):
            self.start(hands, attempt, Part(seconds=LONG_S))
        self.stop(hands, "4")
        assert list(hands.terminals.names()) == ["orch-42"]
        assert self.probe(hands, "42") == "alive"
        self.stop(hands, "42")
        assert list(hands.terminals.names()) == []

    def test_a_lost_terminal_is_not_ended_and_not_started_again(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S))
        self.eventually(lambda: hands.runs("a1") == 1)
        hands.lose("orch-a1", "a1")
        assert self.wait(hands, "a1") is None
        assert self.probe(hands, "a1") == "lost"
        self.start(hands, "a1", Part())
        assert self.wait(hands, "a1") is None
        assert self.probe(hands, "a1") == "lost"
        assert hands.runs("a1") == 1
        self.stop(hands, "a1")
        assert self.finished(hands, "a1").stopped
        assert self.probe(hands, "a1") == "ended"

    def test_no_answer_is_no_answer(self, hands: Hands) -> None:
        """H23: what cannot be told is `unknown`, and an exit record needs nobody's answer."""
        self.start(hands, "a1", Part(stdout="done"))
        self.finished(hands, "a1")
        self.start(hands, "a3", Part(seconds=LONG_S))  # a server that stays
        hands.silence()
        assert self.probe(hands, "a1") == "ended"
        assert self.probe(hands, "a2") == "unknown"
        assert self.probe(hands, "a3") in ("alive", "unknown")

    # --- messages

    def send(self, hands: Hands, attempt: str, text: str, key: str = "k") -> Delivery:
        directory = hands.directory(attempt)
        return hands.terminals.send(f"orch-{attempt}", directory, text, key=key)

    def heard(self, hands: Hands, attempt: str) -> bytes:
        return hands.terminals.output(hands.directory(attempt), "heard")

    def undelivered(self, delivery: Delivery, code: str) -> None:
        assert not delivery.delivered
        assert delivery.code == code, delivery
        assert delivery.reason.endswith(".")
        assert not delivery.proof

    def test_a_message_reaches_a_program_that_reads_its_terminal(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S, listens=True), io="tty")
        for number, text in enumerate(("hello", "-n; $(x) “é” 🎉;", "two\nlines\t")):
            delivery = self.send(hands, "a1", text, key=f"k{number}")
            assert delivery.delivered, delivery
            assert delivery.proof.endswith(".")
            assert not delivery.code
            assert not delivery.reason
        said = "hello\r-n; $(x) “é” 🎉;\rtwo\nlines\t\r".encode()
        self.eventually(lambda: self.heard(hands, "a1") == said)
        assert self.probe(hands, "a1") == "alive"

    def test_a_message_is_sent_once_for_ever(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S, listens=True), io="tty")
        first = self.send(hands, "a1", "once")
        assert first.delivered
        self.eventually(lambda: self.heard(hands, "a1") == b"once\r")
        heir = hands.reopened()
        assert heir.send("orch-a1", hands.directory("a1"), "once", key="k") == first
        assert self.send(hands, "a1", "twice", key="k2").delivered
        self.eventually(lambda: self.heard(hands, "a1") == b"once\rtwice\r")
        self.stop(hands, "a1")
        assert self.send(hands, "a1", "once") == first

    def test_a_program_with_pipes_gets_no_message(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S))
        self.undelivered(self.send(hands, "a1", "hello"), "pipes")

    def test_a_program_that_is_not_there_gets_no_message(self, hands: Hands) -> None:
        self.undelivered(self.send(hands, "a1", "hello"), "not_running")
        self.start(hands, "a2", Part(), io="tty")
        self.finished(hands, "a2")
        self.undelivered(self.send(hands, "a2", "hello"), "not_running")
        self.start(hands, "a3", Part(seconds=LONG_S), io="tty")
        self.eventually(lambda: hands.runs("a3") == 1)
        hands.lose("orch-a3", "a3")
        self.undelivered(self.send(hands, "a3", "hello"), "not_running")

    def test_a_program_that_does_not_read_gets_no_message(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S), io="tty")
        self.undelivered(self.send(hands, "a1", "hello"), "not_reading")

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "empty"), ("a\0b", "control_character"), ("\x1b[201~", "control_character"),
            ("\r", "control_character"), ("\x7f", "control_character"),
            ("\x9b201~", "control_character"), ("\x03", "control_character"),
            ("\ud800", "not_text"),
        ],
    )  # fmt: skip
    def test_keys_and_what_is_no_text_are_no_message(
        self, hands: Hands, text: str, code: str
    ) -> None:
        self.undelivered(self.send(hands, "a1", text), code)

    def test_no_answer_is_no_delivery(self, hands: Hands) -> None:
        """H23 for messages."""
        self.start(hands, "a1", Part(seconds=LONG_S, listens=True), io="tty")
        self.eventually(lambda: hands.runs("a1") == 1)
        hands.silence()
        self.undelivered(self.send(hands, "a1", "hello"), "no_answer")

    # --- what is refused

    @pytest.mark.parametrize(
        "name",
        ["", "-x", "a b", "a.b", "a:b", "A", "#(touch x)", "$(touch x)", ";", "é", "a\n", "x" * 41],
    )
    def test_names_that_mean_something_to_a_terminal_are_refused(
        self, hands: Hands, name: str
    ) -> None:
        terminals, directory = hands.terminals, hands.directory("a1")

        async def ended() -> None:
            await terminals.ended(name, directory)

        for call in (
            lambda: terminals.start(name, directory, "a1", hands.launch(Part())),
            lambda: terminals.probe(name, directory),
            lambda: terminals.stop(name, directory, grace_s=1.0),
            lambda: terminals.send(name, directory, "hello", key="k"),
            lambda: terminals.attach_command(name, read_only=False),
            lambda: hands.run(ended()),
        ):
            with pytest.raises(UsageError) as refused:
                call()
            assert refused.value.code == "bad_name"
        assert hands.runs("a1") == 0

    @pytest.mark.parametrize("attempt", ["", "-x", "a b", "a/b", "a;", "a=b\n", "x" * 65])
    def test_attempts_that_cannot_be_a_variables_value_are_refused(
        self, hands: Hands, attempt: str
    ) -> None:
        with pytest.raises(UsageError) as refused:
            hands.terminals.start("orch-a1", hands.directory("a1"), attempt, hands.launch(Part()))
        assert refused.value.code == "bad_name"
        assert self.probe(hands, "a1") == "absent"

    @pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc/passwd", ".hid", "a\0"])
    def test_files_outside_of_the_attempt_are_refused(self, hands: Hands, name: str) -> None:
        with pytest.raises(UsageError) as refused:
            hands.terminals.output(hands.directory("a1"), name)
        assert refused.value.code == "bad_name"
        with pytest.raises(UsageError) as refused:
            self.start(hands, "a1", Part(), files={name: "x"})
        assert refused.value.code == "bad_name"
        assert self.probe(hands, "a1") == "absent"

    @pytest.mark.parametrize("name", ["exit.json", "started", "stdout", "launch.json", "prompt"])
    def test_files_of_the_attempt_itself_are_refused(self, hands: Hands, name: str) -> None:
        with pytest.raises(UsageError) as refused:
            self.start(hands, "a1", Part(), files={name: "x"})
        assert refused.value.code == "bad_name"
        assert self.probe(hands, "a1") == "absent"

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
        self, hands: Hands, words: dict[str, Any]
    ) -> None:
        launch = msgspec.structs.replace(hands.launch(Part()), **words)
        with pytest.raises(UsageError) as refused:
            hands.terminals.start("orch-a1", hands.directory("a1"), "a1", launch)
        assert refused.value.code == "bad_launch"
        assert self.probe(hands, "a1") == "absent"
        assert list(hands.terminals.names()) == []
