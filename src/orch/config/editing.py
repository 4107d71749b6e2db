"""One key of `config.toml` set or removed; every other byte, comments too, stays where it is.

Invariant: the file is sound before and after, or it is not touched. It is replaced as a whole (0600,
on the disk before it is seen), by one writer at a time, and never when somebody else has changed it
since it was read. A link, as those who keep their configuration in git have, stays a link.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from orch.config.explain import parsed, struct_of
from orch.config.keys import Path, dotted
from orch.config.kinds import Place, Wrong
from orch.config.layers import Layer, Origin, from_file, from_text
from orch.config.loading import FILE, Config, load
from orch.config.reading import kinds_of
from orch.config.service_tree import ModelMap
from orch.config.tree import NAMED, SECTIONS
from orch.model.errors import ConfigError, Conflict, NotFound, ToolFailed, UsageError
from orch.model.naming import nearest


class Edit:
    """A change that was checked. `text` is what the file will hold; `was` what it holds."""

    def __init__(self, home: FilePath, was: bytes, text: str) -> None:
        self.file = home / FILE
        self.was = was
        self.text = text

    def config(self, environ: Mapping[str, str]) -> Config:
        """What will be configured with it."""
        text = self.text.removeprefix("\ufeff")
        return load(self.file.parent, None, {}, environ, own=from_text(text, self.file))

    def write(self) -> None:
        """Put it in place, or refuse: `Conflict(config_changed)`, `ToolFailed(disk_full)`."""
        real = FilePath(os.path.realpath(self.file))
        try:
            real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone(real.parent):
                if _bytes(real) != self.was:
                    raise Conflict(
                        f"{self.file} was changed by somebody else meanwhile; nothing was written",
                        code="config_changed", hint="repeat the command",
                    )  # fmt: skip
                _replace(real, self.text.encode())
        except OSError as error:
            full = error.errno in (28, 122)
            raise ToolFailed(
                f"{self.file} cannot be written: {error.strerror}; it is as it was",
                code="disk_full" if full else "config_unwritable",
                hint="free some space" if full else f"ls -ld {real.parent}",
            ) from error


def setting(home: FilePath, key: str, word: str, environ: Mapping[str, str]) -> tuple[Edit, Any]:
    """The edit that sets `key` to `word` (a TOML value, or a text as it stands), and the value.

    `UsageError` (`unknown_config_key`, `config_invalid`) when it is no key, or no value for it.
    """
    path = _settable(key)
    value = _value(path, word, home, environ)
    was, text = _now(home, environ)

    def change(document: Any) -> None:
        table = document
        for part in path[:-1]:
            if part not in table:
                table[part] = _new_table(path, str(part), top=table is document)
            table = table[part]
        table[path[-1]] = value

    wanted = tomllib.loads(text)
    inner = wanted
    for part in path[:-1]:
        inner = inner.setdefault(str(part), {})
    inner[str(path[-1])] = value
    return _checked(home, path, was, _edited(home, path, text, change, wanted), environ), value


def adding(
    home: FilePath, path: Path, table: Mapping[str, Any], environ: Mapping[str, str]
) -> Edit:
    """The edit that adds a named table (`("sources", "thing")`) with these plain values; whatever
    is wrong with them is refused as in a file. `Conflict(config_set)` where there is one."""
    was, text = _now(home, environ)
    wanted = tomllib.loads(text)
    inner: Any = wanted
    for part in path[:-1]:
        inner = inner.setdefault(str(part), {})
    if path[-1] in inner:
        raise Conflict(
            f"[{dotted(path)}] is in {home / FILE} already", code="config_set",
            hint=f"orch config unset {dotted(path)}",
        )  # fmt: skip
    inner[str(path[-1])] = dict(table)

    def change(document: Any) -> None:
        import tomlkit

        place = document
        for part in path[:-1]:
            if part not in place:
                place[part] = tomlkit.table(is_super_table=True)
            place = place[part]
        place[path[-1]] = dict(table)

    return _checked(home, path, was, _edited(home, path, text, change, wanted), environ)


def unsetting(home: FilePath, key: str, environ: Mapping[str, str]) -> Edit:
    """The edit that removes `key`, or a named table as a whole (`agents.x`).

    `NotFound(config_not_set)` when the file does not set it.
    """
    path = parsed(key)
    was, text = _now(home, environ)
    wanted = tomllib.loads(text)
    inner: Any = wanted
    for part in path[:-1]:
        inner = inner.get(part, {}) if isinstance(inner, dict) else {}
    if not isinstance(inner, dict) or path[-1] not in inner:
        raise NotFound(
            f"{key} is not set in {home / FILE}", code="config_not_set",
            hint=f"orch config explain {key}",
        )  # fmt: skip
    del inner[path[-1]]

    def change(document: Any) -> None:
        table = document
        for part in path[:-1]:
            table = table[part]
        del table[path[-1]]

    return _checked(home, path, was, _edited(home, path, text, change, wanted), environ)


def _settable(key: str) -> Path:
    """The path of a key that a file may hold: `defaults.agent`, `agents.x.env.NAME`."""
    path = parsed(key)
    struct = struct_of(str(path[0])) if path else None
    length = 2 if path and path[0] in SECTIONS else 3
    known = list(struct.__struct_fields__) if struct else [*SECTIONS, *NAMED]
    word = str(path[min(length, len(path)) - 1]) if struct else key
    table = len(path) == length + 1 and path[length - 1] in ("env", *ModelMap.__struct_fields__)
    if struct is not None and word in known and (len(path) == length or table):
        return path
    if struct is not None and len(path) < length:
        raise UsageError(
            f"{key} is a table; name one of its keys", code="unknown_config_key",
            hint=f"{key}.{known[0]}, or one of: {', '.join(known[1:])}",
        )  # fmt: skip
    near = nearest(word, known)
    raise UsageError(
        f"there is no configuration key {key}" + (f"; did you mean {near[0]}?" if near else ""),
        code="unknown_config_key",
        hint=f"known here: {', '.join(known)}",
    )


def _value(path: Path, word: str, home: FilePath, environ: Mapping[str, str]) -> Any:
    """`word` as the key's kind takes it: as TOML where it is TOML, else as a text."""
    struct = struct_of(str(path[0]))
    assert struct is not None
    length = 2 if path[0] in SECTIONS else 3
    kind = kinds_of(struct)[str(path[length - 1])]
    place = Place(str(home), environ.get("HOME", ""))
    candidates: list[Any] = [word]
    with contextlib.suppress(ValueError):  # no TOML value: a text, then
        candidates.insert(0, tomllib.loads(f"value = {word}")["value"])
    refusal: Wrong | None = None
    for value in candidates:
        try:
            kind.read({path[-1]: value} if len(path) > length else value, place)
        except Wrong as wrong:
            refusal = refusal or wrong
            continue
        return value
    assert refusal is not None
    raise ConfigError(
        f"{dotted(path)}: {refusal.message}; nothing was changed",
        hint=refusal.hint or f"orch config explain {dotted(path[:length])}",
        key=dotted(path),
    ) from refusal


def _now(home: FilePath, environ: Mapping[str, str]) -> tuple[bytes, str]:
    """The file's bytes and text; refused when it is broken already."""
    load(home, None, {}, environ)
    raw = _bytes(home / FILE)
    return raw, raw.decode("utf-8-sig")


def _edited(
    home: FilePath, path: Path, text: str, change: Callable[[Any], None], wanted: dict[str, Any]
) -> str:
    """`text` changed, and read back: it says what is wanted and nothing else."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    windows = "\r\n" in text
    try:
        document = tomlkit.parse(text.replace("\r\n", "\n"))
        change(document)
        new = tomlkit.dumps(document)
        said = tomllib.loads(new)
    except (TOMLKitError, KeyError, TypeError, ValueError) as error:
        raise _by_hand(home) from error
    if _pruned(said, path) != _pruned(wanted, path):
        raise _by_hand(home)
    return new.replace("\n", "\r\n") if windows else new


def _pruned(table: dict[str, Any], path: Path) -> dict[str, Any]:
    """Without the tables on the way to `path` that hold nothing: they may stay or go."""
    name = str(path[0])
    if len(path) == 1 or not isinstance(inner := table.get(name), dict):
        return table
    others = {key: value for key, value in table.items() if key != name}
    kept = _pruned(inner, path[1:])
    return {**others, name: kept} if kept else others


def _by_hand(home: FilePath) -> UsageError:
    return UsageError(
        f"{home / FILE} is written in a way that cannot be changed here; nothing was changed",
        code="config_by_hand", hint=f"edit {home / FILE}, then: orch config validate",
    )  # fmt: skip


def _new_table(path: Path, part: str, *, top: bool) -> Any:
    """`[retry]`, `[agents.x]` without a line for `[agents]`, `env = {…}` within its agent."""
    import tomlkit

    if len(path) > 3 and part == path[2]:
        return tomlkit.inline_table()
    return tomlkit.table(is_super_table=top and path[0] in NAMED)


def _checked(home: FilePath, path: Path, was: bytes, text: str, environ: Mapping[str, str]) -> Edit:
    """The edit, if the configuration with it is sound. What is wrong below `path` was about to be
    written: it has no line in the file that anybody could edit."""
    layer: Layer = from_text(text, home / FILE)
    try:
        load(home, None, {}, environ, own=layer)
    except ConfigError as error:
        message, hint, data = error.message, error.hint, error.data
        if f"{data.get('key', '')}.".startswith(f"{dotted(path)}."):
            message = message.removeprefix(f"{Origin(data['file'], data['line'])}: ")
            data = {"key": data["key"]}
            hint = "" if hint == f"edit {home / FILE}" else hint
            hint = hint or f"orch config explain {dotted(path)}"
        raise ConfigError(
            f"{message}; nothing was changed", code=error.code, hint=hint, **data
        ) from error
    mark = "\ufeff" if was.startswith(b"\xef\xbb\xbf") else ""
    return Edit(home, was, mark + text)


def _bytes(file: FilePath) -> bytes:
    """What `from_file` would read; empty where there is no file."""
    from_file(file)
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""


@contextlib.contextmanager
def _alone(folder: FilePath) -> Iterator[None]:
    """Be the only one who writes there: the folder itself is the lock, nothing is left behind."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(file: FilePath, data: bytes) -> None:
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(new, file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
