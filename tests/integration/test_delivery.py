"""Messages on a real tmux: byte for byte to what reads its terminal, or reported as not delivered.

Readers write down exactly the bytes that they got. Steady ones must get every message that a
terminal can carry (a courier that delivers nothing does not pass); of the others, those that start
slowly, stop, die or throw their input away, no answer may say `delivered` when it is not all there,
and what was not delivered must not come later. 1,000 cases and more: see `CASES`.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from orch.model.delivery import Delivery, Undeliverable
from orch.terminals.delivery import Patience
from orch.terminals.keyboard import Keyboard
from orch.terminals.line import LONGEST_LINE
from orch.terminals.server import Server
from orch.terminals.tmux import Tmux
from tests.terminalrooms import Room, room, until

pytestmark = pytest.mark.linux

CASES = {
    "raw": 120, "brackets": 120, "selects": 10, "lines": 180, "slow-lines": 50, "cat": 150,
    "script": 130, "job": 80, "busy": 20,
}  # fmt: skip
MODES = 60
DEAD = 30
SLOW = 24
FICKLE = 48
# Who reads on is waited for, however busy the machine; who does not is given up soon.
STEADY = Patience(ready_s=30.0, busy_s=0.6, settle_s=0.2, read_s=30.0, limit_s=60.0, pause_s=0.004)
SHORT = Patience(ready_s=8.0, busy_s=0.6, settle_s=0.2, read_s=3.0, limit_s=20.0, pause_s=0.004)
PASTE, END = b"\x1b[200~", b"\x1b[201~"
ODD = (
    "-", "--", "-n", "-l hello", ";", "hello;", "a \\;", "\\", "#{pane_id}", "#(touch x)", "%1",
    "$(touch x) `touch x`", "Enter", "C-c", "'\"", "\n", "\n\n\n", "a\n", "\n;", "\ta\t", "~", "!!",
    "[201~", "[200~x[201~", "\ufeff", "\u2028", "\ufffe\uffff", "\U0010ffff", "e\u0301\u200d🏳️‍🌈",
    "\u202eabc", "é" * 2047, "x" * LONGEST_LINE, "x" * (LONGEST_LINE + 1), "日" * 1365, "日" * 1366,
)  # fmt: skip
KEYS = (
    "\x1b[201~", "a\x1b[201~b", "\x1b[200~\x1b[201~", "\x9b201~", "\x00", "a\x00b", "\x03", "\x04",
    "a\x1a", "\x7f", "\x15", "\r", "a\r\nb", "\x16\x03", "\x1c", "\x11", "\x13", "\udc80", "",
)  # fmt: skip
HUGE = "x" * 100_000
HUGE_LINES = ("é" * 2047 + "\n") * 24 + "ü;"
clean = st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("\n\t;-\\ ")
texts = st.one_of(
    st.text(clean, min_size=1, max_size=200),
    st.text(clean, min_size=1, max_size=200),
    st.sampled_from(ODD),
    st.sampled_from(KEYS),
    st.text(max_size=50),
    st.builds(lambda head, mark, tail: head + mark + tail, st.text(clean, max_size=9),
              st.sampled_from(ODD + KEYS), st.text(clean, max_size=9)),
    st.builds(lambda unit, times: unit * times, st.text(clean, min_size=1, max_size=5),
              st.integers(300, 5_000)),
)  # fmt: skip

READER = r"""
import os, random, select, signal, sys, termios, time, tty
style, log, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
woken, waker = os.pipe()
os.set_blocking(waker, False)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.set_wakeup_fd(waker)

def work(seconds):  # as a program that starts: reading many files, sleeping now and then
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with open(sys.executable, "rb") as file:
            file.read(200_000)
        time.sleep(0.001)

def keep(size=1022):
    data = os.read(0, size)
    os.write(log, data)
    return len(data)

if style in ("slow raw", "slow brackets"):
    work(number / 100)
    select.select([woken], [], [], 0.05)  # as one that asks a server
if style == "slow lines":
    time.sleep(number / 100)
if style == "slow waits":  # longer than anybody takes it for anything but a reader
    select.select([woken], [], [], number / 100)
    work(0.02)
if "lines" not in style and style != "thrower":
    tty.setraw(0, termios.TCSAFLUSH)
if style == "slow brackets":
    time.sleep(0.02)
if "brackets" in style:
    os.write(1, b"\x1b[?2004h")
if style == "busy":  # an agent at work: it reads its files beside
    import threading
    threading.Thread(target=work, args=(600,), daemon=True).start()
if style == "selects":
    while True:
        select.select([0], [], [])
        keep()
if style == "stops":
    left = number
    while left > 0:
        left -= keep(min(left, 1022))
    os.read(woken, 1)
if style == "dies":
    left = number
    while left > 0:
        left -= keep(min(left, 1022))
    os._exit(0)
if style == "thrower":  # sets its terminal up again and again, each time throwing input away
    chance = random.Random(number)
    while True:
        chance.choice([tty.setraw, tty.setcbreak])(0, termios.TCSAFLUSH)
        time.sleep(chance.random() / 30)
        if select.select([0], [], [], chance.random() / 30)[0]:
            keep(chance.choice([1, 7, 1022]))
while True:
    keep(65536 if "lines" in style else 1022)
    if style == "slow-lines":
        time.sleep(0.001)
"""

SENDER = """
import sys
from pathlib import Path
from orch.terminals.delivery import Patience
from orch.terminals.tmux import Tmux
run, path, name, directory, read_s = sys.argv[1:]
terminals = Tmux(Path(run), path=path, patience=Patience(read_s=float(read_s)))
print(terminals.send(name, directory, "hello", key="once").code)
"""


class Desk:
    """One reader in its terminal, and what it must have got so far."""

    keys = itertools.count()

    def __init__(self, place: Room, name: str, style: str, number: int = 0) -> None:
        self.place = place
        self.name = name
        self.style = style
        self.terminals = place.terminals
        self.log = place.home / f"{name}.log"
        self.offset = 0
        match style:
            case "cat":
                argv = ("sh", "-c", f"cat >> {self.log}; true")
            case "script":
                loop = f"while IFS= read -r line; do printf '%s\\n' \"$line\" >> {self.log}; done"
                argv = ("sh", "-c", loop)
            case "job":
                argv = ("bash", "--norc", "--noprofile", "-i")
            case _:
                argv = (sys.executable, "-I", "-S", "-c", READER, style, str(self.log), str(number))
        self.directory = place.start(name, *argv, io="tty")
        if style == "job":
            until(lambda: self.send("x").code == "shell")
            place.tmux("send-keys", "-t", f"=orch-{name}:", f"cat >> {self.log}", "Enter")
            until(lambda: self._foreground() == "cat")

    def _foreground(self) -> str:
        target = f"=orch-{self.name}:"
        shown = self.place.tmux("display-message", "-p", "-t", target, "#{pane_current_command}")
        return shown.strip()

    @property
    def canonical(self) -> bool:
        return "lines" in self.style or self.style in ("cat", "script", "job")

    def send(self, text: str, key: str = "") -> Delivery:
        key = key or f"k{next(self.keys)}"
        return self.terminals.send(f"orch-{self.name}", self.directory, text, key=key)

    def wake(self) -> None:
        """Let a reader that waits for it read on."""
        for pid in self.place.processes():
            if self.place.wrapper(self.name) == parent(pid):
                os.kill(pid, signal.SIGUSR1)

    def sender(self, read_s: float) -> subprocess.Popen[str]:
        """A process that sends `hello` and prints the answer's code."""
        words = [str(self.place.home / "run"), self.place.path, f"orch-{self.name}", self.directory]
        return subprocess.Popen(
            [sys.executable, "-c", SENDER, *words, str(read_s)], stdout=subprocess.PIPE, text=True
        )

    def expected(self, text: str) -> bytes:
        body = text.encode()
        if self.canonical:
            return body + b"\n"
        return PASTE + body + END + b"\r" if "brackets" in self.style else body + b"\r"

    def carries(self, text: str) -> bool:
        """Whether a terminal can carry `text` to this reader at all."""
        if not text or any(c not in "\n\t" and (c < " " or "\x7f" <= c <= "\x9f") for c in text):
            return False
        try:
            lines = text.encode().split(b"\n")
        except UnicodeEncodeError:
            return False
        return not self.canonical or all(len(line) <= LONGEST_LINE for line in lines)

    def got(self) -> bytes:
        """What the reader has written down since the last message."""
        if not self.log.exists():
            return b""
        with self.log.open("rb") as file:
            file.seek(self.offset)
            return file.read()

    def exchange(self, text: str) -> Delivery:
        """Send `text`, and hold the answer against what the reader got."""
        assert self.got() == b"", "something came later"
        delivery = self.send(text)
        if delivery.delivered:
            wanted = self.expected(text)
            until(lambda: len(self.got()) >= len(wanted))
            assert self.got() == wanted
            self.offset += len(wanted)
            assert delivery.proof
        else:
            assert self.got() == b"", delivery
            assert delivery.code
            assert delivery.reason
        return delivery


@pytest.fixture(scope="module")
def place() -> Iterator[Room]:
    with room() as made:
        made.terminals = Tmux(made.home / "run", path=made.path, patience=STEADY)
        yield made


def cases(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(
        max_examples=count, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def test_there_are_a_thousand_cases() -> None:
    assert sum(CASES.values()) + MODES + DEAD + SLOW + FICKLE >= 1_000


@pytest.mark.slow
@pytest.mark.parametrize("style", CASES)
def test_a_steady_reader_gets_every_message_that_a_terminal_carries(
    place: Room, style: str
) -> None:
    """RELIABILITY §0.3: leading dashes, a `;` at the end, marks of a paste in the text."""
    desk = Desk(place, style, style)

    @cases(CASES[style])
    @given(text=texts)
    @example(text=HUGE)
    @example(text=HUGE_LINES)
    @example(text="\x1b[201~")
    def exchange(text: str) -> None:
        delivery = desk.exchange(text)
        assert delivery.delivered == desk.carries(text), delivery

    exchange()
    assert desk.got() == b""


@pytest.mark.slow
@pytest.mark.parametrize("style", ["brackets", "lines"])
def test_copy_mode_and_the_like_keep_no_message_back(place: Room, style: str) -> None:
    desk = Desk(place, f"modes-{style}", style)
    target = f"=orch-modes-{style}:"
    desk.exchange("warm")

    @cases(MODES // 2)
    @given(text=texts, mode=st.sampled_from(["copy-mode", "clock-mode", "choose-tree"]))
    def exchange(text: str, mode: str) -> None:
        place.tmux(mode, "-t", target)
        assert desk.exchange(text).delivered == desk.carries(text)

    exchange()


@pytest.mark.parametrize("end", ["ended", "lost"])
def test_the_dead_get_nothing(place: Room, end: str) -> None:
    desk = Desk(place, f"dead-{end}", "raw")
    assert desk.exchange("while it lives").delivered
    if end == "ended":
        place.stop(desk.name)
    else:
        os.kill(place.wrapper(desk.name), signal.SIGKILL)
        until(lambda: place.probe(desk.name) == "lost")

    @cases(DEAD // 2)
    @given(text=texts)
    def exchange(text: str) -> None:
        delivery = desk.exchange(text)
        assert not delivery.delivered
        assert not desk.carries(text) or delivery.code == "not_running"

    exchange()


def test_a_terminal_that_goes_before_the_first_key_is_not_running(place: Room) -> None:
    desk, server = Desk(place, "goes", "raw"), Server(place.home / "run", place.path)
    assert desk.exchange("while it lives").delivered
    leader = int(place.tmux("list-panes", "-t", "=orch-goes:", "-F", "#{pane_pid}"))
    keyboard = Keyboard(server, "orch-goes", leader)
    place.stop(desk.name)
    acts: list[Callable[[], object]] = [
        lambda: Keyboard(server, "orch-goes", leader),
        lambda: keyboard.paste(b"x", brackets=False, enter=True),
    ]
    for other in (False, True):  # a server that is started anew gives the same ids again
        if other:
            Desk(place, "stays", "raw")
        for act in acts:
            with pytest.raises(Undeliverable) as told:
                act()
            assert told.value.delivery.code == "not_running", told.value.delivery


def together(desks: list[Desk], text_of: Callable[[int], str]) -> list[tuple[Desk, str, Delivery]]:
    """A message to each, all at once."""
    said = [text_of(number) for number in range(len(desks))]
    with ThreadPoolExecutor(12) as pool:
        answers = pool.map(lambda pair: pair[0].send(pair[1]), zip(desks, said, strict=True))
        return list(zip(desks, said, answers, strict=True))


@pytest.mark.slow
def test_a_slow_starter_gets_the_message_once_it_reads(place: Room) -> None:
    """H108: what is typed too early is thrown away by the program that sets its terminal up."""
    chance = random.Random(108)
    styles = ("slow raw", "slow brackets", "slow lines")
    desks = [
        Desk(place, f"slow{n}", styles[n % 3], chance.randint(1, 80)) for n in range(SLOW)
    ]  # fmt: skip
    long = "word " * 400 + "\n"
    for desk, text, delivery in together(desks, lambda n: f"-{n} “é”;" + long * (n % 5)):
        assert delivery.delivered, (desk.style, delivery)
        until(lambda desk=desk, text=text: len(desk.got()) >= len(desk.expected(text)))
        assert desk.got() == desk.expected(text)
        place.stop(desk.name, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["stops", "dies", "thrower", "slow waits"])
def test_a_fickle_reader_is_never_said_to_have_got_what_it_has_not(place: Room, style: str) -> None:
    chance = random.Random(style)
    sizes = [chance.choice([1, 40, 3_000, 9_000, 100_000]) for _ in range(FICKLE // 4)]
    numbers = [
        chance.randrange(0, max(2, sizes[n] - 1)) if style in ("stops", "dies") else 20 + n
        for n in range(len(sizes))
    ]  # fmt: skip
    desks = [
        Desk(place, f"{style.replace(' ', '-')}{n}", style, number)
        for n, number in enumerate(numbers)
    ]
    for desk in desks:
        desk.terminals = Tmux(place.home / "run", path=place.path, patience=SHORT)
    answers = together(desks, lambda n: ("0123456789" * 10_000)[: sizes[n]])
    if style == "stops":
        for desk in desks:  # what was taken back does not come when they read on
            desk.wake()
    time.sleep(0.2)  # room for what must not come
    for (desk, text, delivery), number in zip(answers, numbers, strict=True):
        got, wanted = desk.got(), desk.expected(text)
        if delivery.delivered:
            assert got == wanted, (number, delivery)
        elif style == "stops":
            assert got == wanted[:number], (number, delivery)
            assert delivery.code == ("unknown" if number else "not_reading")
        elif style == "dies":
            assert wanted.startswith(got)
            assert delivery.code in ("unknown", "not_running"), delivery
        place.stop(desk.name, 0.0)


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


# --- one thing each


def test_a_shell_that_waits_for_commands_is_not_typed_into(place: Room) -> None:
    place.start("shell", "bash", "--norc", "-i", io="tty")
    mark = place.home / "ran"
    delivery = place.terminals.send(
        "orch-shell", place.directory("shell"), f"touch {mark}", key="shell"
    )
    assert delivery.code == "shell"
    assert not mark.exists()


def test_what_a_person_opened_beside_it_gets_nothing(place: Room) -> None:
    desk = Desk(place, "beside", "raw")
    place.tmux("split-window", "-t", "=orch-beside:", "cat")
    place.tmux("new-window", "-t", "=orch-beside:", "cat")
    assert desk.exchange("to the program").delivered


def test_input_that_a_person_switched_off_stays_off(place: Room) -> None:
    desk = Desk(place, "off", "raw")
    assert desk.exchange("on").delivered
    place.tmux("select-pane", "-d", "-t", "=orch-off:")
    assert desk.exchange("off").code == "input_off"
    place.tmux("select-pane", "-e", "-t", "=orch-off:")
    assert desk.exchange("on").delivered


def test_a_half_typed_line_is_not_the_beginning_of_a_message(place: Room) -> None:
    desk = Desk(place, "half", "lines")
    assert desk.exchange("first").delivered
    place.tmux("send-keys", "-t", "=orch-half:", "-l", "rm -rf ")
    assert desk.exchange("second").delivered


def test_a_key_of_the_text_by_the_programs_own_choice_is_reported(place: Room) -> None:
    """Old terminals erase with `#` and kill with `@`; then neither is text."""
    place.start("erase", "sh", "-c", "stty erase '#' kill @; cat", io="tty")
    send, directory = place.terminals.send, place.directory("erase")
    assert send("orch-erase", directory, "no such key", key="e1").delivered
    assert send("orch-erase", directory, "issue #4", key="e2").code == "terminal_settings"
    assert send("orch-erase", directory, "@someone", key="e3").code == "terminal_settings"


def test_after_its_sender_was_killed_a_message_is_unknown_and_not_sent_again(place: Room) -> None:
    desk = Desk(place, "killed", "stops", 3)
    until(lambda: place.probe("killed") == "alive")
    with desk.sender(read_s=60) as sender:
        until(lambda: desk.got() == b"hel")
        sender.kill()
    again = desk.send("hello", key="once")
    assert (again.delivered, again.code) == (False, "unknown")
    assert desk.got() == b"hel"


def test_what_no_program_had_because_the_machine_stood_still_is_not_counted(place: Room) -> None:
    desk = Desk(place, "still", "stops", 3)
    with desk.sender(read_s=2) as sender:
        until(lambda: desk.got() == b"hel")
        time.sleep(0.5)  # it has seen as much
        sender.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        sender.send_signal(signal.SIGCONT)
        time.sleep(0.1)
        desk.wake()
        assert sender.communicate()[0] == "\n", desk.got()
    assert desk.got() == b"hello\r"


def test_messages_at_once_come_one_after_the_other(place: Room) -> None:
    desk = Desk(place, "many", "brackets")
    said = [f"{n}" * 3_000 for n in range(10)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(desk.send, said))
    assert all(answer.delivered for answer in answers)
    until(lambda: len(desk.got()) >= sum(len(desk.expected(text)) for text in said))
    got = [part.removeprefix(PASTE).removesuffix(END) for part in desk.got().split(b"\r")[:-1]]
    assert sorted(got) == sorted(text.encode() for text in said)
