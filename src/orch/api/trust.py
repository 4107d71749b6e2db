"""Which repositories' own workflows may run: pinned to the content that a person has looked at.

Invariant: trust is in a content, not in a place. It is given to every file's name, mode and bytes at
once and ends with the first difference; what is run is compared with what was trusted as text, so a
file that is changed between the look and the run is not run. Kept in `trust/<repository>.json`
of the home, mode 0600, one file each: nothing in a repository can write there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from orch.model import typed
from orch.model.errors import ConfigError, Conflict, NotFound, ToolFailed, UsageError
from orch.model.naming import repo_slug
from orch.model.repo import Repo
from orch.model.run import Source

FOLDER = Path(".orch", "workflows")
MOST_FILES = 500
MOST_BYTES = 8 * 2**20
PASSED_OVER = "__pycache__"
"""Python writes it beside modules that a person runs; a run never reads it."""
State = Literal["trusted", "untrusted", "changed"]


class Pinned(msgspec.Struct, frozen=True):
    """A file as it was trusted. `mode` are its permission bits, `sha256` of its bytes in hex."""

    mode: int
    sha256: str


class Grant(msgspec.Struct, frozen=True):
    """What a person trusts: `files` by their paths in the directory. `at` is RFC 3339."""

    repo: str
    directory: str
    digest: str
    at: str
    by: str
    files: dict[str, Pinned]
    version: int = 1


class Contents:
    """A directory as it was read, once: `data` by path, and what a grant would pin of it."""

    def __init__(
        self, directory: Path, data: Mapping[str, bytes], modes: Mapping[str, int]
    ) -> None:
        self.directory = directory
        self.data = dict(data)
        self.files = {
            name: Pinned(modes[name], hashlib.sha256(data[name]).hexdigest())
            for name in sorted(data)
        }

    @property
    def digest(self) -> str:
        """One hash of all names, modes and contents."""
        return hashlib.sha256(msgspec.json.encode(self.files)).hexdigest()

    def vouch(self, sources: Iterable[Source]) -> None:
        """Every source below the directory is the text that was read here; else `Conflict`."""
        for source in sources:
            path = Path(source.filename)
            if not path.is_relative_to(self.directory):
                continue
            held = self.data.get(str(path.relative_to(self.directory)))
            if held is None or _as_text(held) != source.text:
                raise Conflict(
                    f"{source.filename} was changed while it was looked at; nothing was run",
                    code="workflows_changed", hint="orch trust --list",
                )  # fmt: skip


def read(checkout: Path) -> Contents | None:
    """The workflows of a main checkout, None when it has none. `UsageError` (`workflows_unsafe`)
    for links, odd files and directories too large to look at."""
    place = checkout
    for part in FOLDER.parts:
        place = place / part
        if place.is_symlink():
            raise _unsafe(place, "is a link")
    if not place.is_dir():
        return None
    data: dict[str, bytes] = {}
    modes: dict[str, int] = {}
    room = MOST_BYTES
    for path in _files(place):
        name = str(path.relative_to(place))
        data[name], modes[name] = _content(path, room)
        room -= len(data[name])
        if len(data) > MOST_FILES:
            raise _unsafe(place, f"has more than {MOST_FILES} files")
    return Contents(place, data, modes)


def _files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, by name. Links are refused wherever they lead."""
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise _unsafe(folder, f"cannot be read: {error.strerror}") from error
    for path in found:
        if not path.name.isprintable():
            raise _unsafe(folder, f"has a file with an odd name, {path.name!r}")
        if path.is_symlink():
            raise _unsafe(path, "is a link")
        if path.is_dir():
            if path.name != PASSED_OVER:
                yield from _files(path)
        else:
            yield path


def _content(path: Path, room: int) -> tuple[bytes, int]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unsafe(path, f"cannot be read: {error.strerror}") from error
    with open(handle, "rb") as file:
        seen = os.fstat(handle)
        if not stat.S_ISREG(seen.st_mode):
            raise _unsafe(path, "is no plain file")
        data = file.read(room + 1)
    if len(data) > room:
        raise _unsafe(path, f"makes the directory larger than {MOST_BYTES // 2**20} MiB")
    return data, stat.S_IMODE(seen.st_mode)


def _as_text(data: bytes) -> str:
    """As `orch.workflow.sources.read_source` reads a file."""
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig").read()


def _unsafe(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} {why}: workflows of a repository are plain files in a directory of their own",
        code="workflows_unsafe",
        hint=f"ls -la {path.parent}",
    )


class TrustBook:
    """The grants of one home."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "trust"

    def grants(self) -> list[Grant]:
        """All there are, by repository."""
        if not self._folder.is_dir():
            return []
        slugs = sorted(
            path.stem for path in self._folder.glob("*.json") if repo_slug(path.stem) == path.stem
        )
        return [grant for grant in map(self.grant, slugs) if grant is not None]

    def grant(self, slug: str) -> Grant | None:
        path = self._path(slug)
        try:
            return typed.decode(path.read_bytes(), Grant)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigError(
                f"{path} cannot be read as a grant of trust: {error}",
                code="trust_broken", hint=f"orch trust {slug} --revoke",
            ) from error  # fmt: skip

    def state(self, slug: str, contents: Contents) -> State:
        known = self.grant(slug)
        if known is None:
            return "untrusted"
        return "trusted" if known.files == contents.files else "changed"

    def changes(self, slug: str, contents: Contents) -> list[str]:
        """What differs from what was trusted: `added a.py`, `changed b.py`, ..."""
        known = self.grant(slug)
        then = known.files if known else {}
        now = contents.files
        told = [f"added {name}" for name in now if name not in then]
        told += [f"removed {name}" for name in then if name not in now]
        for name in now.keys() & then.keys():
            if now[name].sha256 != then[name].sha256:
                told.append(f"changed {name}")
            elif now[name].mode != then[name].mode:
                told.append(f"mode of {name} {then[name].mode:o} -> {now[name].mode:o}")
        return sorted(told)

    def require(self, repo: Repo, contents: Contents) -> None:
        """`Conflict` unless this very content is trusted."""
        state = self.state(repo.slug, contents)
        if state == "trusted":
            return
        if state == "untrusted":
            raise Conflict(
                f"the workflows in {contents.directory} are not trusted yet; read them first",
                code="workflows_untrusted", hint=f"orch trust {repo.slug}",
            )  # fmt: skip
        changes = self.changes(repo.slug, contents)
        more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""
        raise Conflict(
            f"the workflows in {contents.directory} are not what was trusted:"
            f" {', '.join(changes[:5])}{more}",
            code="workflows_changed", hint=f"orch trust {repo.slug}", changes=changes,
        )  # fmt: skip

    def trust(self, repo: Repo, contents: Contents, *, at: str, by: str) -> Grant:
        """Pin what was read. Whole or not at all."""
        grant = Grant(
            repo.slug, str(contents.directory), contents.digest, at, by, contents.files
        )  # fmt: skip
        path = self._path(repo.slug)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(grant)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise ToolFailed(
                f"the trust in {repo.slug} could not be written: {error.strerror}",
                code="disk_full" if error.errno in (28, 122) else "disk_failed",
                hint=f"ls -ld {self._folder}",
            ) from error
        return grant

    def revoke(self, slug: str) -> None:
        """`NotFound` (`not_trusted`) when there is nothing to revoke."""
        try:
            self._path(slug).unlink()
        except FileNotFoundError as error:
            raise NotFound(
                f"the workflows of {slug!r} are not trusted", code="not_trusted",
                hint="orch trust --list",
            ) from error  # fmt: skip

    def _path(self, slug: str) -> Path:
        if not slug or repo_slug(slug) != slug:
            raise UsageError(
                f"{slug!r} is no repository's name", code="bad_name", hint="orch repo list"
            )
        return self._folder / f"{slug}.json"
