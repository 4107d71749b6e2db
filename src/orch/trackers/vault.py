"""The vault: tickets as Markdown files `ISSUE-NNN.md` that people may read and edit by hand.

Invariants:

- The file's name is the issue's identity, numbered per vault, never given twice (H110, see
  `orch.shelf`).
- A person's file is theirs. A change touches the named fields and no other byte (H88); a file that
  cannot be read as an issue is reported with its line, kept as it is, and stops no other (H105).
- An issue is created at most once for its key: look and creation are under one lock (H85).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from orch.model.errors import Conflict, UsageError
from orch.model.ticket import Ticket
from orch.shelf import Content, Listing, Mark, Shelf, Unreadable
from orch.trackers import frontmatter, rules
from orch.trackers.catalogue import LEAST, Catalogue, Entry
from orch.trackers.issue_file import broken, decoded, parse_issue_file, ticket_of
from orch.trackers.scalars import Broken

if TYPE_CHECKING:
    from pathlib import Path

    from orch.plugins import Premises

__all__ = ["Vault", "parse_issue_file"]

PLUGIN_API = 1
_SUFFIX = ".md"
_TRIES = 8


def make(premises: Premises) -> Vault:
    catalogue = premises.directory.parent / "run" / "vault.catalogue"
    return Vault(premises.directory, catalogue=catalogue)


class Vault:
    """The `Tracker` of a directory, which need not exist until the first issue is created."""

    name = "vault"

    def __init__(
        self, directory: Path, *, catalogue: Path | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        """`catalogue` is a file that makes listings of many issues fast (see `catalogue`)."""
        self._now_ns = now_ns
        self._shelf = Shelf(
            os.fspath(directory),
            prefix=rules.PREFIX,
            suffix=_SUFFIX,
            digits=rules.DIGITS,
            limit=rules.LARGEST,
        )
        self._catalogue = Catalogue(catalogue, self._shelf.directory) if catalogue else None

    def create(
        self, title: str, *, body: str = "", labels: Sequence[str] = (), repo: str = "",
        created: str, key: str = "",
    ) -> Ticket:  # fmt: skip
        """A new issue with the next number. With `key`, the issue that has it, if one does.

        Errors: `UsageError` (`empty_title`, `too_large`, `not_utf8`, `bad_key`; `issue_broken` when
        a file that names the key cannot be read), `ToolFailed` (`disk_full`, `disk_failed`).
        """
        values: dict[str, str | Sequence[str]] = {
            "title": rules.title(title),
            "status": "open",
            "labels": rules.labels(labels),
            "repo": rules.line("repo", repo),
            "created": rules.line("created", created),
            "key": rules.key(key),
        }
        text = rules.body(body)

        def rendered(number: int) -> bytes:
            filled = [(name, value) for name, value in values.items() if value or name == "labels"]
            return frontmatter.render([("id", rules.issue_id(number)), *filled], text).encode()

        with self._shelf.lock():
            if key and (ticket := self._with_key(key)):
                return ticket
            number = self._shelf.add(rendered)
        return self.get(str(number))

    def get(self, identifier: str) -> Ticket:
        """The issue, by `7`, `007`, `issue-7` or `ISSUE-007`."""
        name, content = self._find(identifier)
        return self._ticket(name, content)

    def ids(self) -> Sequence[str]:
        """The ids there are, highest number first. No file is opened."""
        return [rules.issue_id(n) for n in sorted(self._shelf.files().numbers, reverse=True)]

    def list(self) -> tuple[Sequence[Ticket], Sequence[str]]:
        """All issues, highest number first, and a sentence for each file that is none."""
        began = self._now_ns()
        seen: dict[str, Mark] = {}
        listing = self._shelf.files(seen=seen)
        entries = self._entries(listing.numbers, seen, began)
        tickets = [entry.ticket for entry in entries.values() if entry.ticket is not None]
        reports = {name: entry.problem for name, entry in entries.items() if entry.problem}
        for name in listing.strays:
            reports[name] = self._stray(name, listing)
        return tuple(tickets), tuple(reports[name] for name in sorted(reports))

    def _entries(
        self, numbers: Mapping[int, str], seen: Mapping[str, Mark], began: int
    ) -> dict[str, Entry]:
        """What each file says, highest number first; one that is gone meanwhile says nothing."""
        book = self._catalogue if len(numbers) >= LEAST else None
        known = book.known() if book else {}
        found: dict[str, Entry] = {}
        fresh = 0
        for _, name in sorted(numbers.items(), reverse=True):
            entry = known.get(name)
            if entry is None or entry.stamp != seen[name]:
                entry = self._entry(name, seen[name])
                fresh += 1
            if entry is not None:
                found[name] = entry
        if book and (fresh or len(found) != len(known)):
            book.keep(found, known, read_at_ns=began)
        return found

    def _entry(self, name: str, stamp: Mark) -> Entry | None:
        try:
            content = self._read(name)
            return Entry(stamp, self._ticket(name, content)) if content else None
        except UsageError as error:
            return Entry(stamp, None, error.message)

    def update(self, identifier: str, **fields: Any) -> Ticket:
        """Change `status`, `labels`, `title`, `body`, `pr_url`, `resolved`; nothing else moves.

        A file that a person saves meanwhile is read again, so their edit and ours both stay.
        """
        wanted = rules.changes(fields)
        name, _ = self._find(identifier)
        with self._shelf.lock():
            for _ in range(_TRIES):
                name, content = self._find(identifier)
                before = self._ticket(name, content)
                data = self._changed(name, content, before, wanted)
                if data == content.data:
                    return before
                if self._shelf.replace(name, content, data):
                    return self._ticket(name, content._replace(data=data))
        raise Conflict(
            f"{self._shelf.path(name)} changed {_TRIES} times while it was to be changed.",
            code="issue_busy",
            hint="Stop the program that writes it, then run the command again.",
        )

    def _find(self, identifier: str) -> tuple[str, Content]:
        listing = self._shelf.files()
        number = rules.number_of(identifier)
        name = listing.numbers.get(number) if number is not None else None
        content = self._read(name) if name else None
        if name is None or content is None:
            raise rules.unknown(identifier, listing.numbers)
        return name, content

    def _read(self, name: str) -> Content | None:
        try:
            return self._shelf.read(name)
        except Unreadable as error:
            raise broken(self._shelf.path(name), 0, error.reason) from error

    def _ticket(self, name: str, content: Content) -> Ticket:
        path, number = self._shelf.path(name), _number(name)
        try:
            document = frontmatter.read(decoded(content.data))
            ticket = ticket_of(document, rules.issue_id(number), path)
            if not ticket.title:
                raise Broken(document.line_of("title"), "`title` is missing or empty")
            if rules.number_of(ticket.id) != number:
                raise Broken(
                    document.line_of("id"),
                    f"`id` is {ticket.id!r}, but the file's name says {rules.issue_id(number)}",
                )
        except Broken as error:
            raise broken(path, error.line, error.reason) from error
        return msgspec.structs.replace(ticket, id=rules.issue_id(number))

    def _with_key(self, key: str) -> Ticket | None:
        """The issue with `key`. A file that holds the key's text and cannot be read stops the
        creation: making a second issue is worse than asking a person to mend the first."""
        for _, name in sorted(self._shelf.files().numbers.items(), reverse=True):
            content = self._read(name)
            if content is None or key.encode() not in content.data:
                continue
            ticket = self._ticket(name, content)
            if frontmatter.read(decoded(content.data)).scalar("key") == key:
                return ticket
        return None

    def _changed(
        self,
        name: str,
        content: Content,
        before: Ticket,
        wanted: Mapping[str, str | tuple[str, ...]],
    ) -> bytes:
        """The file's bytes with `wanted` in them, read back once: what a person wrote is too dear
        to be replaced by something that no longer says it."""
        text = content.data.decode()
        for field, value in wanted.items():
            if getattr(before, field) == value:
                continue
            document = frontmatter.read(text)
            if field == "body":
                text = frontmatter.with_body(document, str(value))
            elif isinstance(value, str):
                text = frontmatter.with_scalar(document, field, value)
            else:
                text = frontmatter.with_sequence(document, field, value)
        data = text.encode()
        after = self._ticket(name, content._replace(data=data))
        if after != msgspec.structs.replace(before, **wanted):
            raise AssertionError(f"{name} would not say what was asked of it: {sorted(wanted)}")
        return data

    def _stray(self, name: str, listing: Listing) -> str:
        path = self._shelf.path(name)
        number = rules.number_of(name.lower().removesuffix(_SUFFIX))
        if number is not None:
            return f"{path}: {listing.numbers[number]} has the same number; rename one of them."
        return f"{path}: the name is not ISSUE-NNN.md, so it is no issue; rename it."


def _number(name: str) -> int:
    """The number in a name that the shelf knows for a record's."""
    return int(name[len(rules.PREFIX) : -len(_SUFFIX)])
