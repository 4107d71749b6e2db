"""Porcelain as data."""

from __future__ import annotations

from orch.git.status import Entry, parse_status

ZERO = "0" * 40


def ordinary(letters: str, path: str, mode: str = "100644") -> str:
    return f"1 {letters} N... 100644 {mode} 100644 {ZERO} {ZERO} {path}"


def test_all_kinds_of_lines_are_read() -> None:
    text = "\0".join(
        [
            f"# branch.oid {'a' * 40}",
            "# branch.head orch/x y",
            ordinary(".M", "with space"),
            ordinary("AD", "1 .M line\nbreak"),
            f"u UU N... 100644 100644 100644 100644 {ZERO} {ZERO} {ZERO} both ways",
            "? new file",
            "? lib/",
            "",
        ]
    )
    found = parse_status(text.encode())
    assert (found.head, found.branch) == ("a" * 40, "orch/x y")
    assert [(e.path, e.staged, e.unstaged) for e in found.entries] == [
        (b"with space", ".", "M"),
        (b"1 .M line\nbreak", "A", "D"),
        (b"new file", "?", "?"),
        (b"lib/", "?", "?"),
    ]
    assert found.unmerged == (b"both ways",)
    assert found.tracked_changes == (b"both ways", b"with space", b"1 .M line\nbreak")
    assert [e.path for e in found.entries if e.embedded] == [b"lib/"]


def test_unborn_and_detached_heads_are_empty() -> None:
    found = parse_status(b"# branch.oid (initial)\0# branch.head (detached)\0")
    assert (found.head, found.branch, found.entries) == ("", "", ())


def test_a_repository_that_the_agent_staged_is_embedded() -> None:
    [entry] = parse_status(ordinary("A.", "lib", "160000").encode()).entries
    assert entry.embedded
    assert not Entry(b"lib", ".", "M", "160000").embedded
