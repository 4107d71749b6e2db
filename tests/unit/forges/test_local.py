"""The local forge's records: plain to read, kept when broken, in nobody else's way."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from orch.forges.local import LocalForge
from orch.git.memory import MemoryGit
from orch.model.errors import ToolFailed, UsageError
from orch.testing.forges import SteppingClock, a_repo, opened


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "home dir é" / "forge"


@pytest.fixture
def forge(directory: Path) -> LocalForge:
    return LocalForge(directory, SteppingClock(), MemoryGit())


def test_a_record_is_one_readable_file_at_its_url(forge: LocalForge, directory: Path) -> None:
    made = opened(forge, "orch/x", body="Text", key="k1")
    path = directory / "thing" / "pulls" / "1.json"
    assert unquote(urlsplit(made.url).path) == str(path)
    assert made.url.startswith("file:///")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text()) == {
        "repo": "thing",
        "number": 1,
        "url": made.url,
        "state": "open",
        "head": "orch/x",
        "base": "main",
        "title": "Title",
        "body": "Text\n\n<!-- orch:v1:k1 -->",
        "head_sha": "a" * 40,
        "draft": False,
        "labels": [],
        "forge": "local",
        "created": "2025-11-21T04:00:00Z",
        "base_sha": "",
        "merged_sha": "",
        "merged_at": "",
        "merge_key": "",
    }


def test_reading_makes_nothing(forge: LocalForge, directory: Path) -> None:
    assert forge.list_prs() == ()
    assert forge.problems() == ()
    assert forge.find_pr(a_repo(), "h") is None
    assert not directory.parent.exists()


def test_the_url_is_where_the_record_lies_now(forge: LocalForge, directory: Path) -> None:
    opened(forge, "h")
    moved = directory.with_name("moved")
    directory.rename(moved)
    (found,) = LocalForge(moved, SteppingClock(), MemoryGit()).list_prs()
    assert "/moved/" in found.url


def test_h88_a_record_with_more_in_it_than_we_know_is_read_and_kept(
    forge: LocalForge, directory: Path
) -> None:
    made = opened(forge, "h")
    path = directory / "thing" / "pulls" / "1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"reviewers": ["me"]}))
    before = path.read_bytes()
    assert opened(forge, "h") == made
    assert path.read_bytes() == before


def test_h88_what_changes_is_patched_into_what_is_there(forge: LocalForge, directory: Path) -> None:
    opened(forge, "h")
    path = directory / "thing" / "pulls" / "1.json"
    mine = json.loads(path.read_text()) | {"reviewers": ["me"], "title": "Mine"}
    del mine["merge_key"]
    path.write_text(json.dumps(mine))
    path.chmod(0o640)
    assert forge.close_pr(a_repo(), 1).title == "Mine"
    assert json.loads(path.read_text()) == mine | {"state": "closed"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    written = path.stat().st_mtime_ns
    forge.close_pr(a_repo(), 1)
    assert path.stat().st_mtime_ns == written, "nothing to change, nothing written"


def test_h81_a_merged_record_stays_as_it_is(forge: LocalForge) -> None:
    opened(forge, "h")
    done = forge.change(a_repo(), 1, state="merged", merged_sha="b" * 40)
    assert forge.change(a_repo(), 1, state="open", head_sha="c" * 40) == done
    assert forge.get_pr(a_repo(), 1) == done


@pytest.mark.parametrize("text", ["", "{}", '{"name": "unit", "state": "odd"}', "\xff"])
def test_h105_a_broken_check_is_no_missing_one(
    forge: LocalForge, directory: Path, text: str
) -> None:
    forge.set_check(a_repo(), "a" * 40, "unit", "failure")
    [path] = (directory / "thing" / "checks" / ("a" * 40)).glob("*.json")
    path.write_bytes(text.encode("latin-1"))
    for act in (
        lambda: forge.checks(a_repo(), "a" * 40),
        lambda: forge.set_check(a_repo(), "a" * 40, "unit", "success"),
    ):
        with pytest.raises(UsageError) as broken:
            act()
        assert broken.value.code == "check_broken"
        assert broken.value.data["file"] == str(path)
    assert path.read_bytes() == text.encode("latin-1")
    assert forge.checks(a_repo(), "b" * 40) == ()


@pytest.mark.parametrize(
    ("damage", "line", "word"),
    [
        (lambda text: "", 1, "no pull request"),
        (lambda text: text[:150], None, "no pull request"),
        (lambda text: text.replace('"number": 1', '"number": 2'), 4, "`number` is 2"),
        (lambda text: text.replace('"repo": "thing"', '"repo": "other"'), 3, "`repo` is 'other'"),
        (lambda text: text.replace('"state": "open"', '"state": "odd"'), 6, "`state` is 'odd'"),
        (lambda text: text.replace('"title": "Title"', '"title": 7'), 1, "no pull request"),
        (lambda text: text.replace("false", "maybe"), 11, "no pull request"),
        (lambda text: "[]", 1, "no pull request"),
    ],
)
def test_h105_a_broken_record_is_reported_with_its_line_and_kept(
    forge: LocalForge, directory: Path, damage, line, word: str
) -> None:
    opened(forge, "broken")
    whole = opened(forge, "whole")
    path = directory / "thing" / "pulls" / "1.json"
    text = damage(path.read_text())
    path.write_text(text)
    assert forge.list_prs() == (whole,)
    (report,) = forge.problems()
    assert report.startswith(f"{path}, line ")
    assert word in report
    with pytest.raises(UsageError) as broken:
        forge.get_pr(a_repo(), 1)
    assert broken.value.code == "pr_broken"
    assert broken.value.message == report
    assert broken.value.data["file"] == str(path)
    if line:
        assert broken.value.data["line"] == line
    assert forge.find_pr(a_repo(), "whole") == whole
    assert opened(forge, "whole") == whole
    assert path.read_text() == text


def test_h85_a_broken_record_stands_in_the_way_of_its_own_branch_only(
    forge: LocalForge, directory: Path
) -> None:
    opened(forge, "orch/mine")
    path = directory / "thing" / "pulls" / "1.json"
    path.write_text(path.read_text().replace("open", "opened"))
    for act in (
        lambda: opened(forge, "orch/mine"),
        lambda: forge.find_pr(a_repo(), "orch/mine"),
    ):
        with pytest.raises(UsageError) as broken:
            act()
        assert broken.value.code == "pr_broken"
    assert opened(forge, "orch/other").number == 2
    path.write_text(path.read_text()[:40])
    with pytest.raises(UsageError):
        opened(forge, "orch/mine")
    assert opened(forge, "orch/third").number == 3


@pytest.mark.parametrize("rest", [b"", b"\x00" * 64, b"\xff\xfe", b'{"title": "x"'])
def test_h105_a_record_that_names_no_branch_may_be_any(
    forge: LocalForge, directory: Path, rest: bytes
) -> None:
    opened(forge, "one")
    two = opened(forge, "two")
    path = directory / "thing" / "pulls" / "1.json"
    path.write_bytes(rest)
    with pytest.raises(UsageError) as broken:
        opened(forge, "three")
    assert broken.value.code == "pr_broken"
    assert forge.find_pr(a_repo(), "two") == two
    assert opened(forge, "h", a_repo("elsewhere")).number == 1
    assert path.read_bytes() == rest
    path.unlink()
    assert opened(forge, "three").number == 3


def test_links_and_directories_are_no_records(
    forge: LocalForge, directory: Path, tmp_path: Path
) -> None:
    opened(forge, "h")
    elsewhere = tmp_path / "secret.json"
    elsewhere.write_bytes((directory / "thing" / "pulls" / "1.json").read_bytes())
    (directory / "thing" / "pulls" / "2.json").symlink_to(elsewhere)
    (directory / "thing" / "pulls" / "notes.json").write_text("{}")
    assert len(forge.list_prs()) == 1
    reports = forge.problems()
    assert len(reports) == 2
    assert "2.json: is a symbolic link" in reports[0]
    assert "notes.json: the name is not NUMBER.json" in reports[1]


def test_h87_a_fault_of_the_disk_is_no_empty_forge(tmp_path: Path) -> None:
    (tmp_path / "forge").write_text("a file")
    forge = LocalForge(tmp_path / "forge", SteppingClock(), MemoryGit())
    for act in (
        forge.list_prs,
        lambda: forge.find_pr(a_repo(), "h"),
        lambda: forge.get_pr(a_repo(), 1),
        lambda: opened(forge, "h"),
    ):
        with pytest.raises(ToolFailed) as failed:
            act()
        assert failed.value.code == "disk_failed"


def test_a_pr_that_would_be_too_large_is_refused(forge: LocalForge, directory: Path) -> None:
    with pytest.raises(UsageError) as refused:
        opened(forge, "h", body="x" * 1024 * 1024)
    assert refused.value.code == "too_large"
    assert forge.list_prs() == ()
    assert opened(forge, "h").number == 1
