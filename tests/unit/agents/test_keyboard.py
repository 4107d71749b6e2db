"""What is typed into an agent's terminal: read whole, and left alone once nobody will act on it."""

from __future__ import annotations

import array
import fcntl
import os
import pty
import select
import termios
import threading
from collections.abc import Iterator

import pytest

from orch.agents.inside import keyboard
from orch.agents.inside.keyboard import Inbox
from tests.terminalrooms import until


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """(a person's end, the path of the program's)."""
    person, program = pty.openpty()
    yield person, os.ttyname(program)
    os.close(program)
    os.close(person)


def arriving(inbox: Inbox) -> threading.Event:
    event = threading.Event()
    inbox.arrived = event.set
    return event


def unread(path: str, wait_s: float = 5.0) -> int:
    file = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        select.select([file], [], [], wait_s)  # it may be on its way inside of the kernel
        count = array.array("i", [0])
        fcntl.ioctl(file, termios.FIONREAD, count)
        return count[0]
    finally:
        os.close(file)


def test_lines_that_come_together_are_one_message(terminal: tuple[int, str]) -> None:
    person, path = terminal
    inbox = Inbox(path)
    came = arriving(inbox)
    os.write(person, "one\n  two ä\n\nthree\n".encode())
    assert came.wait(10)
    inbox.close()
    assert inbox.take() == ["one\n  two ä\n\nthree"]


def test_a_line_that_follows_at_once_belongs_to_the_message(
    terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyboard, "TOGETHER_S", 1.0)
    person, path = terminal
    inbox = Inbox(path)
    came = arriving(inbox)
    os.write(person, b"one\n")
    until(lambda: not unread(path, wait_s=0))
    os.write(person, b"two\n")
    assert came.wait(10)
    inbox.close()
    assert inbox.take() == ["one\ntwo"]


def test_an_end_of_input_and_an_empty_line_say_nothing(terminal: tuple[int, str]) -> None:
    person, path = terminal
    inbox = Inbox(path)
    came = arriving(inbox)
    os.write(person, b"\x04\n \n\x04")
    os.write(person, b"still here\n")
    assert came.wait(10)
    inbox.close()
    assert [text.strip() for text in inbox.take()] == ["still here"]


def test_what_is_typed_after_the_end_stays_in_the_terminal(terminal: tuple[int, str]) -> None:
    """So a sender that looks whether it was read is told that it was not."""
    person, path = terminal
    inbox = Inbox(path)
    inbox.close()
    os.write(person, b"too late\n")
    assert unread(path) == len("too late\n")
    assert inbox.take() == []
    came = arriving(inbox)
    inbox.open()
    assert came.wait(10)
    inbox.close()
    assert inbox.take() == ["too late"]


def test_no_message_is_lost_between_reading_and_ending(terminal: tuple[int, str]) -> None:
    """Each is either taken, or still in the terminal; whenever the reading ends."""
    person, path = terminal
    inbox = Inbox(path)
    sent = 0
    for number in range(60):
        os.write(person, b"message\n")
        sent += 1
        if number % 3:
            inbox.close()
            inbox.open()
    inbox.close()
    read = sum(text.count("message") for text in inbox.take())
    if read < sent:
        assert read + unread(path) // len("message\n") == sent


def test_a_terminal_that_goes_away_ends_the_reading() -> None:
    person, program = pty.openpty()
    inbox = Inbox(os.ttyname(program))
    os.close(program)
    os.close(person)
    inbox.close()
    assert inbox.take() == []
