"""The local forge: pull requests as files `<repo slug>/pulls/<number>.json`, one record each.

Invariants:

- At most one PR for a head branch of a repository, whatever became of it: look and creation are
  under one lock (H85), and a record that cannot be read counts as a PR that may be the one (H105).
- Numbers and heads mean something only within their repository (H94); no number is given twice.
- A record is whole or absent (H100, `orch.shelf`). Nothing here removes one; what changes is patched
  into what is there, with everything a person wrote beside it (H88), and a merged one stays.

What is promised of a pushed branch is git's; a record only says what was asked for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orch.forges import checks, rules
from orch.forges.merging import Merging
from orch.model import typed
from orch.model.effect import Strategy
from orch.model.errors import ToolFailed, UsageError
from orch.model.pull import Check, CheckState, PullRequest
from orch.model.repo import Repo
from orch.shelf import Content, Shelf, Unreadable

if TYPE_CHECKING:
    from orch.plugins import Premises
    from orch.ports import Clock, Git

PLUGIN_API = 1
_decoder = typed.decoder(PullRequest)
_HEAD = re.compile(rb'"head"\s*:\s*("(?:[^"\\]|\\.)*")')
_BYTE = re.compile(r"\(byte (\d+)\)")


class Unsound(msgspec.Struct, frozen=True):
    """A record that cannot be read. `head` is the branch its text still names, empty for none."""

    path: str
    line: int
    reason: str
    head: str = ""

    def sentence(self) -> str:
        where = f"{self.path}, line {self.line}" if self.line else self.path
        return f"{where}: {self.reason}."

    def error(self) -> UsageError:
        return UsageError(
            self.sentence(),
            code="pr_broken",
            hint=f"Mend or move away {self.path} (it was left as it is), then run `orch resume`.",
            file=self.path,
            **({"line": self.line} if self.line else {}),
        )


def make(premises: Premises) -> LocalForge:
    return LocalForge(premises.directory, premises.clock, premises.git)


class LocalForge:
    """The `Forge` of a directory, which need not exist until the first PR is opened."""

    name = "local"

    def __init__(self, directory: Path, clock: Clock, git: Git) -> None:
        self._directory = os.path.abspath(directory)
        self._clock = clock
        self._merging = Merging(self, git, clock)

    def open_pr(
        self, repo: Repo, *, head: str, base: str, head_sha: str, title: str, body: str,
        draft: bool, labels: Sequence[str], key: str,
    ) -> PullRequest:  # fmt: skip
        """The PR for `head`: the one there is, in any state and as it is, else a new one.

        Errors: `UsageError` (`pr_broken` when an unreadable record may be the one, `bad_key`,
        `bad_name`, `not_utf8`, `too_large`), `ToolFailed` (`disk_full`, `disk_failed`).
        """
        shelf = self._shelf(rules.slug(repo))
        record = PullRequest(
            repo=repo.slug,
            number=0,
            url="",
            state="open",
            head=rules.text("head", head),
            base=rules.text("base", base),
            title=rules.text("title", title),
            body=rules.text("body", rules.with_marker(body, key)),
            head_sha=head_sha,
            draft=draft,
            labels=tuple(rules.text("label", label) for label in labels),
            forge=self.name,
            created=rules.timestamp(self._clock.now()),
        )

        def rendered(number: int) -> bytes:
            return _encoded(_numbered(record, shelf, number))

        with shelf.lock():
            if found := self._with_head(shelf, repo.slug, head):
                return found
            return _numbered(record, shelf, shelf.add(rendered))

    def find_pr(self, repo: Repo, head: str) -> PullRequest | None:
        """The newest PR with that head. `pr_broken` when an unreadable record may be the one."""
        slug = rules.slug(repo)
        return self._with_head(self._shelf(slug), slug, head)

    def list_prs(self, repo: Repo | None = None) -> Sequence[PullRequest]:
        """All that can be read, newest first; `problems` tells of the others."""
        slugs = [rules.slug(repo)] if repo else self._slugs()
        found = [
            record
            for slug in slugs
            for record in self._records(self._shelf(slug), slug)
            if isinstance(record, PullRequest)
        ]
        return tuple(found) if repo else rules.newest_first(found)

    def get_pr(self, repo: Repo, number: int) -> PullRequest:
        """`NotFound(unknown_pr)`, `UsageError(pr_broken)`."""
        slug = rules.slug(repo)
        shelf = self._shelf(slug)
        name = shelf.files().numbers.get(number)
        record = _record(shelf, slug, number, name) if name else None
        if record is None:
            raise rules.unknown(repo, number)
        if isinstance(record, Unsound):
            raise record.error()
        return record

    def refresh_pr(self, repo: Repo, number: int) -> PullRequest:
        return self._merging.refresh(repo, number)

    def merge_pr(
        self, repo: Repo, number: int, *, strategy: Strategy, expected_head: str, key: str,
        message: str = "", ignore_checks: bool = False, trial: bool = False,
    ) -> PullRequest:  # fmt: skip
        return self._merging.merge(
            repo, number, strategy=strategy, expected_head=expected_head, key=key,
            message=message, ignore_checks=ignore_checks, trial=trial,
        )  # fmt: skip

    def close_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        return self._merging.close(repo, number, trial=trial)

    def reopen_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        return self._merging.reopen(repo, number, trial=trial)

    def delete_head(self, repo: Repo, number: int) -> bool:
        return self._merging.delete_head(repo, number)

    def checks(self, repo: Repo, head_sha: str) -> Sequence[Check]:
        """See the port; `UsageError(check_broken)` for a file that cannot be read."""
        return checks.read(self._checks(repo, head_sha))

    def set_check(
        self, repo: Repo, head_sha: str, name: str, state: CheckState, *, url: str = "",
        summary: str = "",
    ) -> Check:  # fmt: skip
        shelf = self._checks(repo, head_sha)
        rules.check_words(name, state)
        check = Check(
            name=name, state=state, url=rules.text("check", url),
            summary=rules.text("check", summary), at=rules.timestamp(self._clock.now()),
        )  # fmt: skip
        checks.put(shelf, check)
        return check

    def change(self, repo: Repo, number: int, **fields: Any) -> PullRequest:
        """See `orch.forges.merging.Records`."""
        slug = rules.slug(repo)
        shelf = self._shelf(slug)
        with shelf.lock():
            while True:
                record = self.get_pr(repo, number)
                changed = msgspec.structs.replace(record, **fields)
                if record.state == "merged" or changed == record:
                    return record
                name = shelf.files().numbers[number]
                seen = shelf.read(name)
                if seen is None or _decoded(seen, shelf.path(name), slug, number) != record:
                    continue  # a person is writing in it: look again
                whole = msgspec.json.decode(seen.data) | msgspec.to_builtins(fields)
                if shelf.replace(name, seen, _formatted(whole)):
                    return changed

    @contextlib.contextmanager
    def alone(self, repo: Repo) -> Iterator[None]:
        """See `orch.forges.merging.Records`. The directory of the records is what is locked, so that
        who opens or closes a PR, under the shelf's own lock, never waits for a push."""
        directory = self._shelf(rules.slug(repo)).directory
        try:
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _unusable(directory, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def problems(self, repo: Repo | None = None) -> Sequence[str]:
        """One sentence for each record that cannot be read, and each file that looks like one."""
        reports: list[str] = []
        for slug in [rules.slug(repo)] if repo else self._slugs():
            shelf = self._shelf(slug)
            records = self._records(shelf, slug)
            reports += [record.sentence() for record in records if isinstance(record, Unsound)]
            reports += [
                f"{shelf.path(name)}: the name is not NUMBER.json, or its number is there twice."
                for name in shelf.files().strays
            ]
        return tuple(reports)

    def _shelf(self, slug: str) -> Shelf:
        directory = os.path.join(self._directory, slug, "pulls")
        return Shelf(directory, suffix=".json", limit=rules.LARGEST)

    def _checks(self, repo: Repo, head_sha: str) -> Shelf:
        directory = os.path.join(self._directory, rules.slug(repo))
        return checks.shelf_of(directory, rules.commit_id(head_sha))

    def _slugs(self) -> list[str]:
        try:
            with os.scandir(self._directory) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unusable(self._directory, error) from error

    def _records(self, shelf: Shelf, slug: str) -> Iterator[PullRequest | Unsound]:
        """The repository's records, highest number first."""
        for number, name in sorted(shelf.files().numbers.items(), reverse=True):
            if (record := _record(shelf, slug, number, name)) is not None:
                yield record

    def _with_head(self, shelf: Shelf, slug: str, head: str) -> PullRequest | None:
        suspect: Unsound | None = None
        for record in self._records(shelf, slug):
            if record.head == head and isinstance(record, PullRequest):
                return record
            if isinstance(record, Unsound) and record.head in ("", head):
                suspect = suspect or record
        if suspect:
            raise suspect.error()
        return None


def _unusable(directory: str, error: OSError) -> ToolFailed:
    return ToolFailed(
        f"{directory} cannot be read: {(error.strerror or str(error)).lower()}.",
        code="disk_failed",
        hint=f"Look at `ls -ld {directory}`, then run the command again.",
    )


def _numbered(record: PullRequest, shelf: Shelf, number: int) -> PullRequest:
    url = Path(shelf.path(shelf.name(number))).as_uri()
    return msgspec.structs.replace(record, number=number, url=url)


def _encoded(record: PullRequest) -> bytes:
    """The head stands first: a record that something cut short still names its branch."""
    return _formatted({"head": record.head} | msgspec.to_builtins(record))


def _formatted(fields: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"


def _record(shelf: Shelf, slug: str, number: int, name: str) -> PullRequest | Unsound | None:
    """The record in file `name`, or None when it is gone."""
    path = shelf.path(name)
    try:
        content = shelf.read(name)
    except Unreadable as error:
        return Unsound(path, 0, error.reason)
    return None if content is None else _decoded(content, path, slug, number)


def _decoded(content: Content, path: str, slug: str, number: int) -> PullRequest | Unsound:
    try:
        record = _decoder.decode(content.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Unsound(path, _line(content.data, error), _reason(error), _head(content.data))
    for field, found, wanted in (
        ("number", record.number, number),
        ("repo", record.repo, slug),
    ):
        if found != wanted:
            reason = f"`{field}` is {found!r} and the file's place says {wanted!r}"
            return Unsound(path, _line_of(content.data, field), reason, record.head)
    if record.state not in rules.STATES:
        reason = f"`state` is {record.state!r}, not one of {', '.join(rules.STATES)}"
        return Unsound(path, _line_of(content.data, "state"), reason, record.head)
    # A record knows neither where its home has been moved to nor who reads it.
    return msgspec.structs.replace(record, url=Path(path).as_uri(), forge=LocalForge.name)


def _head(data: bytes) -> str:
    """The head that broken text still names, so that it stands in the way of no other branch."""
    match = _HEAD.search(data)
    if match is None:
        return ""
    try:
        return typed.decode(match[1], str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _line(data: bytes, error: Exception) -> int:
    found = _BYTE.search(str(error))
    at = error.start if isinstance(error, UnicodeDecodeError) else int(found[1]) if found else -1
    return data.count(b"\n", 0, at) + 1 if at >= 0 else 1


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "the text is no UTF-8"
    return f"it is no pull request ({error})"


def _line_of(data: bytes, field: str) -> int:
    at = data.find(f'"{field}"'.encode())
    return data.count(b"\n", 0, at) + 1 if at >= 0 else 1
