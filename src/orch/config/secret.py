"""Values that must not be seen: masked text, and the references by which configuration names them.

Invariant: a `Secret` shows its text to nobody who does not call `reveal()`. `repr`, `str`, f-strings
and logging give a mask; encoding one as JSON fails.

A reference is `env:NAME` (a variable of our own environment), `file:PATH` (a file's text without
trailing line ends) or `cmd:WORDS` (a program's stdout without trailing line ends). The words are
split like a shell would and run by none. Anything else is the value itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orch.model.errors import OrchError, UsageError

if TYPE_CHECKING:
    from subprocess import Popen

MASK = "***"
LIMIT = 64 * 1024
"""The largest value, in bytes, that a file or a program may give."""
COMMAND_TIMEOUT_S = 30.0


class Secret:
    """A masked text. Equal to another of the same text; never equal to a `str`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def kind(self) -> str:
        """`env`, `file`, `cmd` or `literal`."""
        head, colon, _ = self._text.partition(":")
        return head if colon and head in ("env", "file", "cmd") else "literal"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK


class SecretUnavailable(UsageError):
    """A reference that gives no value now: no such variable or file, a program that failed."""

    default_code = "secret_unavailable"


def resolve(reference: Secret, environ: Mapping[str, str], *, purpose: str) -> Secret:
    """The value behind `reference`. `purpose` names the key in errors (`agents.x.env.KEY`).

    `environ` is where `env:` looks and what a `cmd:` program inherits. Raises `SecretUnavailable`.
    """
    kind = reference.kind()
    if kind == "literal":
        return reference
    target = reference.reveal().partition(":")[2]
    try:
        if kind == "env":
            return _variable(target, environ)
        value = _file(target) if kind == "file" else _output(target, environ)
    except OrchError as error:
        error.message = f"{purpose}: {error.message}"
        error.args = (error.message,)
        if "." in purpose and not error.hint:
            error.hint = f"orch config explain {purpose}"  # where it is written
        raise
    return Secret(value)


def _variable(name: str, environ: Mapping[str, str]) -> Secret:
    if name not in environ:
        raise SecretUnavailable(
            f"the environment variable {name} is not set", hint=f"export {name}=…"
        )
    return Secret(_checked(environ[name], name))


def _file(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SecretUnavailable(f"{path} is not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                raw = file.read(LIMIT + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SecretUnavailable(f"cannot read {path}: {error.strerror}") from error
    return _text(raw, path)


def _output(command: str, environ: Mapping[str, str]) -> str:
    """Run `command` without a terminal (H15: it cannot ask for a passphrase and wait for ever)."""
    import shlex
    import subprocess

    argv = shlex.split(command)
    shown = argv[0]
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ),
            cwd=environ.get("HOME") or "/",
            start_new_session=True,
        )
    except OSError as error:
        raise SecretUnavailable(f"cannot run {shown}: {error.strerror}") from error
    try:
        stdout, stderr = process.communicate(timeout=COMMAND_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        _end(process)
        raise SecretUnavailable(
            f"{shown} gave no answer within {COMMAND_TIMEOUT_S:.0f} s",
            hint="it runs without a terminal: unlock it first, or use file: or env:",
        ) from error
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        # Its stdout may hold the value and is never shown; stderr is where it explains itself.
        reason = stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
        printable = "".join(c for c in reason if c.isprintable())
        raise SecretUnavailable(
            f"{shown} ended with exit code {process.returncode}"
            + (f": {printable}" if printable else "")
        )
    return _text(stdout, shown)


def _end(process: Popen[bytes]) -> None:
    """End the program and what it started; it is not reaped yet, so its group is still its own."""
    import signal

    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _text(raw: bytes, source: str) -> str:
    if len(raw) > LIMIT:
        raise SecretUnavailable(f"{source} gives more than {LIMIT // 1024} KiB")
    try:
        value = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise SecretUnavailable(f"{source} does not give UTF-8 text") from error
    if not value:
        raise SecretUnavailable(f"{source} gives nothing")
    return _checked(value, source)


def _checked(value: str, source: str) -> str:
    if "\0" in value:
        raise SecretUnavailable(f"{source} gives a NUL character, which no variable can hold")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise SecretUnavailable(f"{source} does not give UTF-8 text")
    return value
