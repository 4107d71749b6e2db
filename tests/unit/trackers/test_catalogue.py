"""A long listing opens only what changed, and never believes itself over a file."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orch.trackers import catalogue
from orch.trackers.vault import Vault

MANY = catalogue.LEAST + 20
HOUR_NS = 3_600_000_000_000


class Shop:
    """A vault of many files with a catalogue, and what was opened by the last listing."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root / "vault"
        self.root.mkdir()
        self.file = root / "catalogue"
        self.opened: list[str] = []
        for n in range(1, MANY + 1):
            self.write(n, f"Number {n}")
        real = os.open

        def counted(path: str, *words: object, **more: object) -> int:
            if str(path).endswith(".md"):
                self.opened.append(os.path.basename(path))
            return real(path, *words, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "open", counted)

    def path(self, n: int) -> Path:
        return self.root / f"ISSUE-{n:03}.md"

    def write(self, n: int, title: str) -> None:
        self.path(n).write_text(f"---\ntitle: {title}\n---\nbody {n}\n")

    def titles(self, now_ns: Callable[[], int] | None = None) -> dict[str, str]:
        """What the listing says; the clock is an hour on, so that every file is settled."""
        self.opened.clear()
        clock = now_ns or (lambda: time.time_ns() + HOUR_NS)
        vault = Vault(self.root, catalogue=self.file, now_ns=clock)
        tickets, broken = vault.list()
        plain = Vault(self.root).list()
        del self.opened[len(self.opened) - len(plain[0]) - len(plain[1]) :]
        assert (tickets, broken) == plain, "with and without a catalogue"
        return {ticket.id: ticket.title for ticket in tickets}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, monkeypatch)


def test_the_second_listing_opens_nothing(shop: Shop) -> None:
    first = shop.titles()
    assert len(shop.opened) == MANY
    assert shop.titles() == first
    assert shop.opened == []
    assert oct(shop.file.stat().st_mode & 0o777) == "0o600"


def test_only_what_changed_is_opened(shop: Shop) -> None:
    shop.titles()
    shop.write(7, "Number 8")
    shop.path(9).unlink()
    shop.write(MANY + 1, "new")
    shop.path(11).write_text("broken")
    found = shop.titles()
    assert sorted(shop.opened) == ["ISSUE-007.md", "ISSUE-011.md", f"ISSUE-{MANY + 1}.md"]
    assert found["ISSUE-007"] == "Number 8"
    assert "ISSUE-009" not in found
    shop.titles()
    assert shop.opened == [], "a broken file is remembered as broken"


def test_an_edit_of_the_same_size_with_the_old_times_is_seen(shop: Shop) -> None:
    shop.titles()
    known = shop.path(5).stat()
    with shop.path(5).open("r+") as file:
        file.write("---\ntitle: Nambur 5")
    os.utime(shop.path(5), ns=(known.st_atime_ns, known.st_mtime_ns))
    assert shop.titles()["ISSUE-005"] == "Nambur 5"


def test_files_that_changed_places_are_seen(shop: Shop) -> None:
    shop.titles()
    third = shop.root / "aside"
    shop.path(3).rename(third)
    shop.path(4).rename(shop.path(3))
    third.rename(shop.path(4))
    found = shop.titles()
    assert (found["ISSUE-003"], found["ISSUE-004"]) == ("Number 4", "Number 3")


def test_what_was_just_written_is_not_remembered(shop: Shop) -> None:
    """Another change within the clock's grain would have the same times."""
    shop.titles(time.time_ns)
    shop.titles(time.time_ns)
    assert len(shop.opened) == MANY


def test_a_large_file_is_read_each_time(shop: Shop) -> None:
    shop.path(2).write_text("---\ntitle: Large\n---\n" + "x" * catalogue.LARGEST)
    shop.titles()
    shop.titles()
    assert shop.opened == ["ISSUE-002.md"]


@pytest.mark.parametrize(
    "data", [b"", b"\x93\x01\xa1x\x80", b"not msgpack at all", b"\x93\x02\xa1x\x80"]
)
def test_a_damaged_catalogue_costs_time_only(shop: Shop, data: bytes) -> None:
    shop.file.write_bytes(data)
    shop.titles()
    assert len(shop.opened) == MANY
    shop.titles()
    assert shop.opened == []


def test_a_catalogue_that_cannot_be_written_is_done_without(shop: Shop) -> None:
    shop.file.mkdir()
    assert len(shop.titles()) == MANY
    assert sorted(p.name for p in shop.file.parent.iterdir()) == ["catalogue", "vault"]


def test_another_vaults_catalogue_is_not_believed(shop: Shop, tmp_path: Path) -> None:
    shop.titles()
    moved = tmp_path / "moved"
    shop.root.rename(moved)
    tickets, _ = Vault(moved, catalogue=shop.file).list()
    assert {Path(ticket.path).parent for ticket in tickets} == {moved}


def test_a_file_that_goes_while_the_directory_is_read_takes_no_other_with_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    @contextlib.contextmanager
    def taking_away(path: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        def entries() -> Iterator[os.DirEntry[str]]:
            with real(path) as found:
                for entry in found:
                    if entry.name == "ISSUE-003.md":
                        os.unlink(entry.path)
                    yield entry

        yield entries()

    monkeypatch.setattr(os, "scandir", taking_away)
    tickets, broken = Vault(shop.root, catalogue=shop.file).list()
    assert (len(tickets), broken) == (MANY - 1, ())


def test_few_files_need_none(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault", catalogue=tmp_path / "catalogue")
    vault.create("One", created="2026-01-01T00:00:00Z")
    assert len(vault.list()[0]) == 1
    assert not (tmp_path / "catalogue").exists()
