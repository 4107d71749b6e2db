"""References give values when they are asked for; nobody sees them on the way (H95)."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

import msgspec
import pytest

from orch.config import secret
from orch.config.secret import Secret, SecretUnavailable, resolve

CANARY = "c4n4ry-value"


def value(reference: str, environ: dict[str, str] | None = None) -> str:
    found = resolve(Secret(reference), environ or dict(os.environ), purpose="agents.x.env.KEY")
    return found.reveal()


def unavailable(reference: str, environ: dict[str, str] | None = None) -> SecretUnavailable:
    with pytest.raises(SecretUnavailable, match=r"^agents\.x\.env\.KEY: ") as caught:
        value(reference, environ)
    assert caught.value.exit_code == 2
    assert str(caught.value) == caught.value.message
    assert caught.value.hint, "what helps"
    return caught.value


def test_h95_a_secret_shows_a_mask_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    hidden = Secret(CANARY)
    logging.getLogger("orch").warning("%s %r", hidden, {"key": hidden})
    shown = f"{hidden} {hidden!r} {[hidden]} {caplog.text}"
    assert CANARY not in shown
    assert "***" in shown
    with pytest.raises(TypeError):
        msgspec.json.encode(hidden)


def test_a_secret_equals_its_like_and_no_text() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_text_without_a_reference_is_the_value() -> None:
    assert value("plain") == "plain"
    assert value("https://host/") == "https://host/"
    assert value("") == ""


def test_a_variable_of_our_environment() -> None:
    assert value("env:K", {"K": CANARY}) == CANARY
    assert "K is not set" in unavailable("env:K", {}).message


def test_a_file_without_its_trailing_line_end(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{CANARY}\n\n")
    assert value(f"file:{tmp_path}/key") == CANARY


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"\n", "gives nothing"),
        (b"\xff\xfe", "UTF-8"),
        (b"a\0b", "NUL"),
        (b"x" * 70_000, "64 KiB"),
    ],
)
def test_a_file_that_gives_no_value(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    assert words in unavailable(f"file:{tmp_path}/key").message


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key")
    assert "not a regular file" in unavailable(f"file:{tmp_path}/key").message


def test_a_command_is_split_into_words_and_given_to_no_shell(tmp_path: Path) -> None:
    program = tmp_path / "show.py"
    program.write_text("import sys; print(*sys.argv[1:], sep='|')")
    words = "'two words' $HOME `id` ; $(id)"
    expected = "two words|$HOME|`id`|;|$(id)"
    assert value(f"cmd:{sys.executable} {program} {words}") == expected


def test_h95_a_command_that_fails_says_why_and_hides_its_output(tmp_path: Path) -> None:
    program = tmp_path / "fail.py"
    program.write_text(
        f"import sys; print('{CANARY}')\n"
        "sys.stderr.write('noise\\nno\\x1b such entry\\n'); sys.exit(3)\n"
    )
    message = unavailable(f"cmd:{sys.executable} {program}").message
    assert "ended with exit code 3: no such entry" in message
    assert CANARY not in message


def test_a_command_that_is_not_there() -> None:
    assert "cannot run no-such-program" in unavailable("cmd:no-such-program x").message


def test_h15_a_command_cannot_ask_on_a_terminal(tmp_path: Path) -> None:
    program = tmp_path / "ask.py"
    program.write_text(
        "import sys\n"
        "try: open('/dev/tty'); print('tty')\n"
        "except OSError: print('none', repr(sys.stdin.read()))\n"
    )
    assert value(f"cmd:{sys.executable} {program}") == "none ''"


def test_h15_a_command_that_hangs_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret, "COMMAND_TIMEOUT_S", 0.5)
    program = tmp_path / "hang.py"
    program.write_text(
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    assert "no answer within" in unavailable(f"cmd:{sys.executable} {program}").message
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 60
    while Path(f"/proc/{child}/stat").exists() and _state(child) != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
