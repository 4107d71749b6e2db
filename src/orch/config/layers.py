"""Configuration files as layers: read safely, parsed, each key with its line.

Invariant: a file is a small regular one that nobody else can write, or it is refused before a byte
of it is believed. Every refusal is a `ConfigError` with file and line.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import msgspec

from orch.config.keys import Path, dotted
from orch.model.errors import ConfigError

SIZE_LIMIT = 1024 * 1024
COMMAND_LINE = "command line"
BUILT_IN = "built-in"


class Origin(msgspec.Struct, frozen=True):
    """Where a value comes from. `line` counts from 1; 0 where there are no lines (`built-in`, the
    command line)."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Layer(msgspec.Struct, frozen=True):
    """One source of values. `folder` is empty on the command line; `repository` marks a file that
    the repository brings, which may only narrow."""

    file: str
    folder: str
    raw: dict[str, Any]
    lines: dict[Path, int]
    repository: bool = False

    def origin(self, path: Path) -> Origin:
        """The place of `path`, or of the nearest table around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return Origin(self.file, self.lines.get(path, 0))

    def below(self, path: Path) -> list[Path]:
        """The located places inside the value of key `path`."""
        length = len(path)
        return [other for other in self.lines if len(other) > length and other[:length] == path]

    def error(self, path: Path, message: str, *, code: str = "", hint: str = "") -> ConfigError:
        """An error that names file, line and key."""
        key = dotted(path)
        text = f"{self.origin(path)}: {key}: {message}"
        return _error(text, self.origin(path), code=code, hint=hint, key=key)


def from_flags(flags: Mapping[str, Any]) -> Layer:
    """Values of the command line by dotted key; None means not given."""
    raw: dict[str, Any] = {}
    for key, value in flags.items():
        if value is None:
            continue
        table = raw
        *outer, last = key.split(".")
        for part in outer:
            table = table.setdefault(part, {})
        table[last] = value
    return Layer(COMMAND_LINE, "", raw, {})


def from_file(path: FilePath, *, repository: bool = False) -> Layer | None:
    """The layer in `path`, or None where there is no such file."""
    raw = _bytes(path, repository=repository)
    if raw is None:
        return None
    return from_text(_text(raw, str(path)), path, repository=repository)


def from_text(text: str, path: FilePath, *, repository: bool = False) -> Layer:
    """The layer that `path` is, or would be, with this text."""
    from orch.config import locate

    text = text.replace("\r\n", "\n")
    try:
        lines = locate.locate(text)
    except locate.TooDeep as error:
        message = f"nested deeper than {locate.DEPTH} levels"
        raise _at(str(path), error.line, message, code="config_too_deep") from error
    return Layer(str(path), str(path.parent), _parsed(text, str(path)), lines, repository)


def _bytes(path: FilePath, *, repository: bool) -> bytes | None:
    # A repository's link could make us read, and quote in an error, any file of the person's.
    no_links = os.O_NOFOLLOW if repository else 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | no_links)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        link = repository and path.is_symlink()
        reason = "a link is not followed here" if link else error.strerror
        raise _at(str(path), 0, f"cannot be read: {reason}", code="config_unreadable") from error
    try:
        _check_file(os.fstat(descriptor), str(path), repository=repository)
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(SIZE_LIMIT + 1)
    finally:
        os.close(descriptor)
    if len(raw) > SIZE_LIMIT:
        raise _at(str(path), 0, "larger than 1 MiB", code="config_too_large")
    return raw


def _check_file(status: os.stat_result, path: str, *, repository: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _at(path, 0, "not a regular file", code="config_unreadable")
    loose = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if repository and status.st_uid == status.st_gid != 0:
        # Checkouts made with umask 002 belong to the person's private group, which has one member;
        # git would restore the mode after every chmod. Group 0 is shared on many systems.
        loose &= stat.S_IWOTH
    if loose:
        who = "everybody" if loose & stat.S_IWOTH else "its group"
        raise _at(
            path, 0, f"{who} can write to it", code="config_unsafe_mode", hint=f"chmod go-w {path}"
        )


def _text(raw: bytes, file: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _at(file, line, "not UTF-8 text", code="config_syntax") from error
    return text


def _parsed(text: str, file: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, message = _syntax_error(str(error), text)
        raise _at(file, line, f"not valid TOML: {message}", code="config_syntax") from error
    except (ValueError, RecursionError) as error:  # a date such as 2023-02-31; odd nesting
        message = f"not valid TOML: {error}"
        raise _at(file, _blamed_line(text), message, code="config_syntax") from error


def _syntax_error(message: str, text: str) -> tuple[int, str]:
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if found:
        return int(found[1]), f"{message[: found.start()]} (column {found[2]})"
    # "(at end of document)": the line is the last one that holds anything.
    return text.rstrip().count("\n") + 1, message


def _blamed_line(text: str) -> int:
    """The first line whose value alone the parser refuses: it tells no place for a wrong date."""
    import tomllib

    for number, line in enumerate(text.split("\n"), 1):
        try:
            tomllib.loads(line)
        except tomllib.TOMLDecodeError:
            continue  # part of a longer value
        except (ValueError, RecursionError):
            return number
    return 0


def _at(file: str, line: int, message: str, *, code: str, hint: str = "") -> ConfigError:
    origin = Origin(file, line)
    return _error(f"{origin}: {message}", origin, code=code, hint=hint)


def _error(text: str, origin: Origin, *, code: str, hint: str, **data: Any) -> ConfigError:
    if not hint and origin.file != COMMAND_LINE:
        hint = f"edit {origin.file}"
    return ConfigError(
        text, code=code, hint=hint, file=origin.file, line=origin.line, **data
    )  # fmt: skip
