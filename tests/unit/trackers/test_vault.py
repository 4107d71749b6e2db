"""The vault's files: what a person wrote stays, what leads elsewhere is refused, names find."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from orch.model.errors import Conflict, LimitReached, NotFound, ToolFailed, UsageError
from orch.shelf import Content, Shelf
from orch.trackers.vault import Vault, parse_issue_file

NOW = "2025-11-21T04:00:00Z"
BY_HAND = (
    "\ufeff---\r\n"
    "# Ours to keep\r\n"
    "priority:   high   # not ours\r\n"
    "title:  'Fix ''it'''   \r\n"
    "id: issue-1\r\n"
    "labels:\r\n"
    "  - bug # why\r\n"
    "  - 'a b'\r\n"
    "custom:\r\n"
    "    deep: {x: [1]}\r\n"
    "\r\n"
    "status: open # still\r\n"
    "--- \r\n"
    "Body without newline\r\n\r\nend "
).encode()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "vault"
    path.mkdir()
    return path


@pytest.fixture
def vault(directory: Path) -> Vault:
    return Vault(directory)


def test_a_file_reads_well_and_says_what_was_given(vault: Vault, directory: Path) -> None:
    vault.create("Fix it: now", body="Text\n", labels=["bug", "a b"], repo="thing", created=NOW)
    assert (directory / "ISSUE-001.md").read_text() == (
        '---\nid: ISSUE-001\ntitle: "Fix it: now"\nstatus: open\nlabels: [bug, "a b"]\n'
        'repo: thing\ncreated: "2025-11-21T04:00:00Z"\n---\n\nText\n'
    )


def test_everything_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "home" / "vault")
    path = Path(vault.create("T", created=NOW).path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_reading_makes_nothing(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    assert vault.list() == ((), ())
    for act in (lambda: vault.get("1"), lambda: vault.update("1", status="closed")):
        with pytest.raises(NotFound):
            act()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["1", "001", "0001", "issue-1", "ISSUE-001", "Issue-01", " 1 "])
def test_an_id_is_found_however_it_is_written(vault: Vault, word: str) -> None:
    made = vault.create("T", created=NOW)
    assert made.id == "ISSUE-001"
    assert vault.get(word) == made
    assert vault.update(word, status="closed").status == "closed"


def test_ids_grow_beyond_three_digits(vault: Vault, directory: Path) -> None:
    (directory / "ISSUE-999.md").write_text("---\ntitle: T\n---\n")
    assert vault.create("next", created=NOW).id == "ISSUE-1000"
    assert vault.get("1000").title == "next"
    assert [ticket.id for ticket in vault.list()[0]] == ["ISSUE-1000", "ISSUE-999"]


# --- hand edits ---------------------------------------------------------------------------


def test_a_file_written_by_hand_is_an_issue(vault: Vault, directory: Path) -> None:
    (directory / "issue-7.md").write_text("---\ntitle: By hand\n---\n# Body\n")
    ticket = vault.get("ISSUE-007")
    assert (ticket.id, ticket.title, ticket.body) == ("ISSUE-007", "By hand", "# Body\n")
    assert (ticket.status, ticket.labels) == ("open", ())
    assert ticket.path == str(directory / "issue-7.md")
    assert vault.create("after", created=NOW).id == "ISSUE-008"


def test_h88_an_update_keeps_every_other_byte(vault: Vault, directory: Path) -> None:
    path = directory / "ISSUE-001.md"
    path.write_bytes(BY_HAND)
    path.chmod(0o644)
    before = vault.get("1")
    assert (before.title, before.labels) == ("Fix 'it'", ("bug", "a b"))
    assert before.body == "Body without newline\r\n\r\nend "

    vault.update("1", status="resolved", resolved=NOW, labels=["a b", "new"])

    assert path.read_bytes() == (
        BY_HAND.replace(b"status: open # still", b"status: resolved # still")
        .replace(b"  - bug # why\r\n", b"")
        .replace(b"  - 'a b'\r\n", b"  - 'a b'\r\n  - new\r\n")
        .replace(b"--- \r\n", b'resolved: "2025-11-21T04:00:00Z"\r\n--- \r\n')
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_h88_an_update_that_says_nothing_new_touches_nothing(vault: Vault, directory: Path) -> None:
    path = directory / "ISSUE-001.md"
    path.write_bytes(BY_HAND)
    before = path.stat()
    vault.update("1", status="open", labels=["bug", "a b"], title="Fix 'it'", resolved="")
    assert path.read_bytes() == BY_HAND
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_h85_what_a_person_saves_during_an_update_stays(
    vault: Vault, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.create("T", created=NOW)
    path = directory / "ISSUE-001.md"
    replace = Shelf.replace
    seen: list[bytes] = []

    def edited_just_before(self: Shelf, name: str, content: Content, data: bytes) -> bool:
        if not seen:
            path.write_text(path.read_text().replace("title: T", "title: Theirs"))
        seen.append(data)
        return replace(self, name, content, data)

    monkeypatch.setattr(Shelf, "replace", edited_just_before)
    changed = vault.update("1", status="closed")
    assert (changed.title, changed.status) == ("Theirs", "closed")
    assert vault.get("1") == changed
    assert len(seen) == 2
    assert not (directory / ".new").exists()


def test_h85_a_file_that_never_rests_is_given_up_on(
    vault: Vault, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.create("T", created=NOW)
    before = (directory / "ISSUE-001.md").read_bytes()
    monkeypatch.setattr(Shelf, "replace", lambda *_: False)
    with pytest.raises(Conflict) as busy:
        vault.update("1", status="closed")
    assert busy.value.code == "issue_busy"
    assert (directory / "ISSUE-001.md").read_bytes() == before


# --- broken files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "line", "word"),
    [
        (b"", 1, "front matter"),
        (b"\x00\xff\xfe", 1, "0xff is no UTF-8"),
        (b"---\ntitle: ok\nx: \xe9\n---\n", 3, "0xe9 is no UTF-8"),
        (b"# Only Markdown\n", 1, "front matter"),
        (b"---\ntitle: never closed\n", 1, "not closed"),
        (b"---\nid: ISSUE-001\n---\n", 1, "`title` is missing"),
        (b"---\nid: ISSUE-001\ntitle: # gone\n---\n", 3, "`title` is missing"),
        (b"---\ntitle: T\nstatus: done\n---\n", 3, "not one of open, in_progress"),
        (b"---\ntitle: T\nlabels: a, b\n---\n", 3, "write [a, b]"),
        (b"---\nid: ISSUE-002\ntitle: copied\n---\n", 2, "the file's name says ISSUE-001"),
        (b"---\ntitle: T\ntitle: U\n---\n", 3, "twice"),
        (b"<<<<<<< HEAD\n---\ntitle: T\n---\n", 1, "front matter"),
        (b"---\n<<<<<<< HEAD\ntitle: T\n---\n", 2, "not `key: value`"),
    ],
)
def test_h105_a_broken_file_is_reported_with_its_line_and_kept(
    vault: Vault, directory: Path, data: bytes, line: int, word: str
) -> None:
    path = directory / "ISSUE-001.md"
    path.write_bytes(data)
    whole = vault.create("whole", created=NOW)
    with pytest.raises(UsageError) as broken:
        vault.get("1")
    assert broken.value.code == "issue_broken"
    assert broken.value.data == {"file": str(path), "line": line}
    assert f"{path}, line {line}: " in broken.value.message
    assert word in broken.value.message
    assert broken.value.hint
    with pytest.raises(UsageError):
        vault.update("1", status="closed", title="mended", body="")
    assert vault.list() == ((whole,), (broken.value.message,))
    assert path.read_bytes() == data


def test_a_file_over_one_mebibyte_is_refused_and_kept(vault: Vault, directory: Path) -> None:
    path = directory / "ISSUE-001.md"
    path.write_bytes(b"---\ntitle: T\n---\n" + b"x" * (1024 * 1024))
    with pytest.raises(UsageError) as broken:
        vault.get("1")
    assert broken.value.code == "issue_broken"
    assert "larger than 1,048,576 bytes" in broken.value.message
    assert len(vault.list()[1]) == 1
    assert path.stat().st_size > 1024 * 1024


def test_an_issue_that_would_become_too_large_is_refused(vault: Vault, directory: Path) -> None:
    with pytest.raises(UsageError) as refused:
        vault.create("T", body="x" * 1024 * 1024, created=NOW)
    assert refused.value.code == "too_large"
    made = vault.create("T", body="x" * 1_000_000, created=NOW)
    assert made.id == "ISSUE-001"
    before = Path(made.path).read_bytes()
    with pytest.raises(UsageError) as refused:
        vault.update("1", body="é" * 524_250)
    assert refused.value.code == "too_large"
    assert Path(made.path).read_bytes() == before
    assert sorted(p.name for p in directory.iterdir()) == [".last-1", ".lock", "ISSUE-001.md"]


def test_a_link_out_of_the_vault_is_refused(vault: Vault, directory: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("---\ntitle: secret\n---\n")
    (directory / "ISSUE-001.md").symlink_to(secret)
    (directory / "ISSUE-002.md").symlink_to(tmp_path / "missing")
    for word in ("1", "2"):
        for act in (lambda w=word: vault.get(w), lambda w=word: vault.update(w, title="x")):
            with pytest.raises(UsageError) as refused:
                act()
            assert refused.value.code == "issue_broken"
            assert "symbolic link" in refused.value.message
    assert len(vault.list()[1]) == 2
    assert vault.create("T", created=NOW).id == "ISSUE-003"
    assert secret.read_text() == "---\ntitle: secret\n---\n"
    assert not (tmp_path / "missing").exists()


def test_links_at_the_vaults_own_names_lead_nowhere(directory: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    vault = Vault(directory)
    (directory / ".new").symlink_to(victim)
    vault.create("T", created=NOW)
    assert victim.read_text() == "precious"
    (directory / ".lock").unlink()
    (directory / ".lock").symlink_to(victim)
    with pytest.raises(ToolFailed):
        vault.create("T", created=NOW)
    assert victim.read_text() == "precious"


def test_the_vault_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "vault").symlink_to(tmp_path / "notes")
    vault = Vault(tmp_path / "vault")
    vault.create("T", created=NOW)
    assert (tmp_path / "notes" / "ISSUE-001.md").exists()
    assert len(vault.list()[0]) == 1


def test_what_is_no_plain_file_is_reported_and_never_waited_for(
    vault: Vault, directory: Path
) -> None:
    (directory / "ISSUE-001.md").mkdir()
    os.mkfifo(directory / "ISSUE-002.md")
    assert [report.rpartition(": ")[2] for report in vault.list()[1]] == [
        "is not a plain file."
    ] * 2


def test_names_that_are_nearly_right_are_reported_and_others_left_alone(
    vault: Vault, directory: Path
) -> None:
    vault.create("T", created=NOW)
    for name in (
        "ISSUE-1.md", "ISSUE-001 (copy).md", "issue-x.md", "ISSUE-9999999999.md",
        "README.md", "ISSUE-001.md~", ".ISSUE-001.md.swp", "notes.txt", "ISSUE-002.txt",
    ):  # fmt: skip
        (directory / name).write_text("---\ntitle: other\n---\n")
    tickets, reports = vault.list()
    assert [ticket.title for ticket in tickets] == ["T"]
    assert [Path(report.partition(".md: ")[0]).name for report in reports] == [
        "ISSUE-001 (copy)", "ISSUE-1", "ISSUE-9999999999", "issue-x",
    ]  # fmt: skip
    assert "has the same number" in reports[1]
    assert vault.get("1").title == "T"
    assert vault.create("next", created=NOW).id == "ISSUE-002"


def test_h85_a_broken_file_that_may_have_the_key_stops_the_creation(
    vault: Vault, directory: Path
) -> None:
    vault.create("T", created=NOW, key="abc234")
    path = directory / "ISSUE-001.md"
    path.write_text(path.read_text().replace("status: open", "status open"))
    with pytest.raises(UsageError) as broken:
        vault.create("T", created=NOW, key="abc234")
    assert broken.value.code == "issue_broken"
    assert vault.create("T", created=NOW, key="other").id == "ISSUE-002"
    assert vault.create("T", created=NOW).id == "ISSUE-003"


# --- the disk -----------------------------------------------------------------------------


def test_h87_a_fault_of_the_disk_is_no_empty_vault(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("a file")
    vault = Vault(tmp_path / "vault")
    for act in (
        vault.list,
        lambda: vault.get("1"),
        lambda: vault.create("T", created=NOW),
        lambda: vault.update("1", title="x"),
    ):
        with pytest.raises(ToolFailed) as failed:
            act()
        assert failed.value.code == "disk_failed"


def test_a_write_that_the_system_cuts_short_is_finished(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:7]))
    made = vault.create("T", body="x" * 1000, created=NOW)
    assert made.body == "x" * 1000


def test_a_number_out_of_reach_is_a_clear_error(vault: Vault, directory: Path) -> None:
    (directory / "ISSUE-999999999.md").write_text("---\ntitle: T\n---\n")
    with pytest.raises(LimitReached) as exhausted:
        vault.create("T", created=NOW)
    assert exhausted.value.code == "numbers_exhausted"


# --- files from elsewhere -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("spec.md", "---\nid: PROJ-12\ntitle: T\n---\nB", ("PROJ-12", "T", "B")),
        ("My Spec.md", "just text\n", ("my-spec", "My Spec", "just text\n")),
        ("a.md", "intro\n\n## Add `x` ##\n\n# Later\n", ("a", "Add `x`", None)),
        ("a.md", "```\n# not this\n```\n~~~\n```\n# nor\n~~~\n# This\n", ("a", "This", None)),
        ("a.md", "#nospace\n    # code\n# C#\n", ("a", "C#", None)),
        ("a.md", "---\nlabels: [x]\n---\n# From the body\n", ("a", "From the body", None)),
        ("a.md", "#\n# \n# Real\r\n", ("a", "Real", None)),
        ("日本.md", "", ("issue", "日本", "")),
        ("no extension", "x", ("no-extension", "no extension", "x")),
        ("a.md", "\ufeff# Marked\n", ("a", "Marked", "# Marked\n")),
    ],
)
def test_an_issue_file_from_elsewhere_needs_no_front_matter(
    tmp_path: Path, name: str, text: str, expected: tuple[str, str, str | None]
) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    ticket = parse_issue_file(path)
    assert (ticket.id, ticket.title) == expected[:2]
    if expected[2] is not None:
        assert ticket.body == expected[2]
    assert (ticket.path, ticket.tracker, ticket.status) == (str(path), "file", "open")
    assert path.read_bytes() == text.encode()


def test_an_issue_file_may_be_a_link_that_the_person_names(tmp_path: Path) -> None:
    (tmp_path / "real.md").write_text("# Real\n")
    (tmp_path / "alias.md").symlink_to("real.md")
    ticket = parse_issue_file(tmp_path / "alias.md")
    assert (ticket.id, ticket.title) == ("alias", "Real")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("---\ntitle: a: b\n---\n", 2),
        ("---\ntitle: T\n", 1),
        ("---\ntitle: T\nid: $(touch x)\n---\n", 3),
        ("---\nid: --force\ntitle: T\n---\n", 2),
    ],
)
def test_h105_a_broken_issue_file_is_an_error_with_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    path = tmp_path / "x.md"
    path.write_text(text)
    with pytest.raises(UsageError) as broken:
        parse_issue_file(path)
    assert broken.value.code == "issue_broken"
    assert broken.value.data == {"file": str(path), "line": line}


def test_an_issue_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("missing.md", "missing/x.md", "file/x.md", "x" * 300):
        with pytest.raises(NotFound) as missing:
            parse_issue_file(tmp_path / name)
        assert missing.value.code == "unknown_issue"
    with pytest.raises(UsageError):
        parse_issue_file(tmp_path)
