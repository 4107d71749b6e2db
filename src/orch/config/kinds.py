"""What a configured value may be: one object a kind, used as the annotation of a field of the tree.

Invariant: a kind either gives the value in the form the tree holds, or raises `Wrong` with one
sentence that says what was expected; it never guesses, converts text to numbers or drops anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from orch.config.keys import Path
from orch.config.secret import Secret
from orch.config.tokens import NAME, belongs_to_service

_KEEP_FROM_AGENTS = "forge, tracker and chat tokens and ORCH_* never reach an agent"


class Wrong(Exception):
    """A value that does not fit. `inner` is the path below the key at fault (`("KEY",)`, `(2,)`)."""

    def __init__(self, message: str, *inner: str | int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.inner: Path = inner
        self.hint = hint


class Place(msgspec.Struct, frozen=True):
    """What relative values are relative to: the folder of the file (empty on the command line) and
    the person's home directory (empty when unknown)."""

    folder: str
    user_home: str


class Kind(Protocol):
    def read(self, value: Any, place: Place) -> Any:
        """The value as the tree holds it. Raises `Wrong`."""


class Text(msgspec.Struct, frozen=True):
    """One line of text; with `pattern` the whole of it has to match. `what` completes "expected"."""

    what: str = "text in quotes"
    pattern: str = ""

    def read(self, value: Any, place: Place) -> str:
        if not isinstance(value, str):
            raise _expected(self.what, value)
        if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value):
            raise Wrong("expected one line of text without control characters")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise _expected(self.what, value)
        return value


class Choice(msgspec.Struct, frozen=True):
    words: tuple[str, ...]

    def read(self, value: Any, place: Place) -> str:
        if value not in self.words or not isinstance(value, str):
            listed = " or ".join(f'"{word}"' for word in self.words)
            raise _expected(listed, value)
        return value


class YesNo:
    """true or false, without quotes."""

    def read(self, value: Any, place: Place) -> bool:
        if not isinstance(value, bool):
            raise _expected("true or false", value)
        return value


class Whole(msgspec.Struct, frozen=True):
    low: int
    high: int = 1_000_000

    def read(self, value: Any, place: Place) -> int:
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not self.low <= value <= self.high
        ):
            raise _expected(f"a whole number from {self.low} to {self.high}", value)
        return value


class Seconds(msgspec.Struct, frozen=True):
    """Seconds, at most a year; with `zero` also 0."""

    zero: bool = False

    def read(self, value: Any, place: Place) -> float:
        usable = isinstance(value, int | float) and not isinstance(value, bool)
        if not usable or not (0 <= value <= 31_536_000) or (value == 0 and not self.zero):
            raise _expected(
                f"a number of seconds, {'0 or more' if self.zero else 'above 0'}", value
            )
        return float(value)


class Argv(msgspec.Struct, frozen=True):
    """A program and its arguments. With `words` one text is split like a shell would (never run
    by one)."""

    words: bool = False

    def read(self, value: Any, place: Place) -> tuple[str, ...]:
        what = 'a list of texts, program first (["prog", "--flag"])'
        if self.words and isinstance(value, str):
            argv = _split(value)
        elif isinstance(value, list):
            argv = [_word(word, index) for index, word in enumerate(value)]
        else:
            raise _expected(what, value)
        if not argv or not argv[0]:
            raise Wrong(f"expected {what}, found an empty one")
        if argv[0].startswith("~/"):
            argv[0] = _absolute(argv[0], place)
        return tuple(argv)


class Names(msgspec.Struct, frozen=True):
    """A list of texts, each of which matches `pattern` as a whole."""

    what: str
    pattern: str

    def read(self, value: Any, place: Place) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise _expected(f"a list of {self.what}", value)
        for index, name in enumerate(value):
            if not isinstance(name, str) or not re.fullmatch(self.pattern, name):
                raise _expected(f"a list of {self.what}", name, index)
        return tuple(value)


class PassEnv:
    """Names of variables that an agent inherits."""

    def read(self, value: Any, place: Place) -> tuple[str, ...]:
        names = Names("variable names", NAME).read(value, place)
        for index, name in enumerate(names):
            if belongs_to_service(name):
                raise Wrong(f"{name} cannot be passed to an agent", index, hint=_KEEP_FROM_AGENTS)
        return names


class EnvTable:
    """Variable -> value or reference (`env:NAME`, `file:PATH`, `cmd:WORDS`), masked."""

    def read(self, value: Any, place: Place) -> dict[str, Secret]:
        if not isinstance(value, dict):
            raise _expected('a table of variables (KEY = "value")', value)
        return {name: self._one(name, text, place) for name, text in value.items()}

    def _one(self, name: str, text: Any, place: Place) -> Secret:
        if not re.fullmatch(NAME, name):
            raise Wrong(f'"{name}" is not the name of an environment variable', name)
        if belongs_to_service(name):
            raise Wrong(f"{name} cannot be given to an agent", name, hint=_KEEP_FROM_AGENTS)
        if not isinstance(text, str):
            raise Wrong(f"expected text in quotes, found {described(text, masked=True)}", name)
        if "\0" in text:
            raise Wrong("no variable can hold a NUL character", name)
        kind, _, target = text.partition(":")
        if kind == "env":
            if not re.fullmatch(NAME, target):
                raise Wrong("expected env: and the name of a variable", name)
            if belongs_to_service(target):
                raise Wrong(f"{target} cannot be given to an agent", name, hint=_KEEP_FROM_AGENTS)
        elif kind == "file":
            return Secret(f"file:{_absolute(target, place, name)}")
        elif kind == "cmd" and not _split(target, name):
            raise Wrong("expected cmd: and the words of a command", name)
        return Secret(text)


class Paths:
    """A list of paths; relative ones are relative to the file that names them."""

    def read(self, value: Any, place: Place) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise _expected("a list of paths", value)
        return tuple(
            _absolute(_word(path, index), place, index) for index, path in enumerate(value)
        )


class Script:
    """The scripted agent's actions: a path, or the list of actions itself."""

    def read(self, value: Any, place: Place) -> str | tuple[dict[str, Any], ...]:
        if isinstance(value, str):
            return _absolute(value, place)
        if not isinstance(value, list):
            raise _expected('a path or a list of actions ([{do = "say", text = "hello"}])', value)
        for index, action in enumerate(value):
            if not isinstance(action, dict):
                raise _expected('an action ({do = "say", text = "hello"})', action, index)
            _plain(action, index)
        return tuple(value)


class Options:
    """A kind's own options: a table of plain values. What is right in it, the kind itself says."""

    def read(self, value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _expected('a table of options (key = "value")', value)
        _plain(value)
        return value


def described(value: Any, *, masked: bool = False) -> str:
    """A value in plain words; with `masked` texts are not shown."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {str(value)[:40]}"
        case str():
            shown = value if len(value) <= 60 else f"{value[:60]}…"
            return (
                "text" if masked else f'"{"".join(c if c.isprintable() else "?" for c in shown)}"'
            )
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time" if hasattr(value, "isoformat") else f"a {type(value).__name__}"


def _expected(what: str, value: Any, *inner: str | int) -> Wrong:
    return Wrong(f"expected {what}, found {described(value)}", *inner)


def _word(value: Any, index: int) -> str:
    if not isinstance(value, str):
        raise _expected("text in quotes", value, index)
    if "\0" in value:
        raise Wrong("no argument can hold a NUL character", index)
    return value


def _split(text: str, *inner: str | int) -> list[str]:
    import shlex

    try:
        return [_word(word, 0) for word in shlex.split(text)]
    except ValueError as error:
        raise Wrong(f"cannot be split into words: {str(error).lower()}", *inner) from error


def _absolute(path: str, place: Place, *inner: str | int) -> str:
    """`path` made absolute; nothing is looked up, so links stay links."""
    if not path or "\0" in path:
        raise Wrong("expected a path", *inner)
    if path.startswith("~/"):
        if not place.user_home:
            raise Wrong("~ is unknown here: HOME is not set", *inner, hint="write the whole path")
        return os.path.join(place.user_home, path[2:])
    if os.path.isabs(path):
        return path
    if not place.folder:
        raise Wrong("expected an absolute path", *inner)
    return os.path.normpath(os.path.join(place.folder, path))


def _plain(value: Any, *inner: str | int) -> None:
    """Actions travel as JSON: dates, infinities and numbers beyond 64 bits have no form there."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            _plain(item, *inner, key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _plain(item, *inner, index)
    elif isinstance(value, bool | str):
        return
    elif not isinstance(value, int | float) or not abs(value) < 2**63:
        raise _expected("text, a number, true or false", value, *inner)
