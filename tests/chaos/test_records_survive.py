"""Issues and PR records outlive kill -9 at each system call, many writers, and a full disk."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import orch
from orch.model.errors import ToolFailed
from orch.testing.forges import a_repo, opened
from tests.chaos.record_runner import BODY, NOW, forge, new_issue, new_pull, two_issues, vault

ROOT = Path(__file__).parents[2]
RUNNER = [sys.executable, "-m", "tests.chaos.record_runner"]
WRITERS = 8
EACH = 50


def started(*words: str, **options: Any) -> subprocess.Popen[str]:
    here = os.pathsep.join([str(ROOT), str(Path(orch.__file__).parents[1])])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": here}
    return subprocess.Popen(
        [*RUNNER, *words], cwd=ROOT, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options,
    )  # fmt: skip


def run(*words: str) -> Any:
    with started(*words) as process:
        out, _ = process.communicate()
        assert process.returncode == 0
    return json.loads(out)


def wrecks(act: str, tmp_path: Path) -> Iterator[Path]:
    """The place as each kill left it."""
    killed = run("kill", act, str(tmp_path))
    assert killed >= 15
    for number in range(1, killed + 1):
        yield tmp_path / str(number)


def shown(directory: Path) -> list[str]:
    names = os.listdir(directory) if directory.exists() else []
    return sorted(name for name in names if not name.startswith("."))


def check_hidden(directory: Path) -> None:
    """Only the lock and the one high-water mark are left."""
    hidden = sorted(name for name in os.listdir(directory) if name.startswith("."))
    assert len(hidden) == 2
    assert hidden[1] == ".lock"
    assert re.fullmatch(r"\.last-\d+", hidden[0])


# --- kill -9 ------------------------------------------------------------------------------


@pytest.mark.chaos
@pytest.mark.parametrize(("act", "there"), [("first-issue", 0), ("next-issue", 2)])
def test_h100_h110_a_killed_creation_leaves_a_whole_issue_or_none(
    tmp_path: Path, act: str, there: int
) -> None:
    visible = 0
    for place in wrecks(act, tmp_path):
        tracker = vault(place)
        tickets, reports = tracker.list()
        assert reports == ()
        assert [ticket.title for ticket in tickets if ticket.title != "new"] == ["two", "one"][
            :there
        ]
        assert {ticket.body for ticket in tickets} <= {BODY}
        assert all(re.fullmatch(r"ISSUE-\d{3}\.md", name) for name in shown(place / "vault"))
        made = [ticket for ticket in tickets if ticket.title == "new"]
        visible += len(made)

        again = tracker.create("new", body=BODY, labels=["a"], created=NOW, key="key-new")
        assert again == (made[0] if made else again)
        assert again.body == BODY
        assert [ticket.title for ticket in tracker.list()[0]].count("new") == 1
        # What the kill left lying about may be a second name of the issue: never write into it.
        other = tracker.create("other", created=NOW)
        assert other.id > again.id
        assert tracker.get(again.id) == again
        check_hidden(place / "vault")

        (place / "vault" / f"{other.id}.md").unlink()
        (place / "vault" / f"{again.id}.md").unlink()
        later = tracker.create("later", created=NOW)
        assert later.id > other.id
        check_hidden(place / "vault")
    assert visible, "no kill came after the issue was visible"


@pytest.mark.chaos
def test_h88_h100_a_killed_change_leaves_the_old_issue_or_the_new(tmp_path: Path) -> None:
    olds = news = 0
    for place in wrecks("changed-issue", tmp_path):
        tracker = vault(place)
        tickets, reports = tracker.list()
        assert reports == ()
        two, one = tickets
        assert one.title == "one"
        old = (two.title, two.body, two.labels, two.status) == ("two", BODY, ("a",), "open")
        new = (two.title, two.body, two.labels) == ("changed", BODY * 2, ("b",))
        assert old != new
        olds, news = olds + old, news + new
        assert tracker.update("2", title="again", body="").title == "again"
        check_hidden(place / "vault")
        assert tracker.create("three", created=NOW).id == "ISSUE-003"
    assert olds
    assert news


@pytest.mark.chaos
@pytest.mark.parametrize(("act", "there"), [("first-pull", 0), ("next-pull", 2)])
def test_h100_h110_a_killed_opening_leaves_a_whole_pr_or_none(
    tmp_path: Path, act: str, there: int
) -> None:
    visible = 0
    for place in wrecks(act, tmp_path):
        pulls = forge(place)
        assert pulls.problems() == ()
        records = pulls.list_prs()
        assert [pull.head for pull in records if pull.head != "new"] == ["two", "one"][:there]
        made = [pull for pull in records if pull.head == "new"]
        visible += len(made)

        again = new_pull(place)
        assert again == (made[0] if made else again)
        assert again.body.startswith(BODY.rstrip())
        assert [pull.head for pull in pulls.list_prs()].count("new") == 1
        other = opened(pulls, "other")
        assert other.number > again.number
        assert pulls.get_pr(a_repo(), again.number) == again

        (place / "forge" / "thing" / "pulls" / f"{other.number}.json").unlink()
        assert opened(pulls, "later").number > other.number
        check_hidden(place / "forge" / "thing" / "pulls")
    assert visible, "no kill came after the PR was visible"


@pytest.mark.chaos
@pytest.mark.parametrize("act", ["next-issue", "next-pull"])
def test_h110_kill_upon_kill_in_one_place_makes_one_record(tmp_path: Path, act: str) -> None:
    killed = run("kill", act, str(tmp_path), "same")
    assert killed >= 10
    place = tmp_path / "same"
    if act == "next-issue":
        titles = [ticket.title for ticket in vault(place).list()[0]]
        assert titles == ["new", "two", "one"]
        new_issue(place)
        assert vault(place).list()[1] == ()
        assert len(vault(place).list()[0]) == 3
    else:
        assert [pull.head for pull in forge(place).list_prs()] == ["new", "two", "one"]
        assert forge(place).problems() == ()


@pytest.mark.parametrize(
    ("act", "final"), [("next-issue", "ISSUE-003.md"), ("next-pull", "3.json")]
)
def test_h100_a_record_is_on_the_disk_before_it_is_seen(
    tmp_path: Path, act: str, final: str
) -> None:
    """A kill cannot show a missing sync, a power cut would: so the order of calls is checked."""
    calls = [tuple(call) for call in run("trace", act, str(tmp_path))]
    names = [
        (name, *(Path(word).name for word in words if name not in ("open", "fchmod", "mkdir")))
        for name, *words in calls
    ]
    link = names.index(("link", ".new", final))
    directory = Path(calls[link][2]).parent.name
    last_write = max(i for i, call in enumerate(names) if call[:2] == ("write", ".new"))
    synced = names.index(("fsync", ".new"))
    taken = names.index(("rename", ".last-2", ".last-3"))
    assert last_write < synced < taken < link < names.index(("fsync", directory), link)


@pytest.mark.parametrize("act", ["first-issue", "first-pull"])
def test_h100_a_new_directory_is_on_the_disk_before_what_stands_in_it(
    tmp_path: Path, act: str
) -> None:
    calls = [tuple(call) for call in run("trace", act, str(tmp_path))]
    made = [call[1] for call in calls if call[0] == "mkdir"]
    assert made
    for path in made:
        at = next(i for i, call in enumerate(calls) if call[:2] == ("mkdir", path))
        after = next(i for i, call in enumerate(calls) if call == ("fsync", str(Path(path).parent)))
        inside = next(i for i, call in enumerate(calls) if call[1].startswith(path + "/"))
        assert at < after < inside


# --- many writers -------------------------------------------------------------------------


def together(place: Path, *writing: tuple[str, str], count: int = EACH) -> list[list[int]]:
    """What each writer, given by what it makes and its tag, made; all begin at one word."""
    writers = [started("many", what, str(place), str(count), tag) for what, tag in writing]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    answers = [writer.communicate()[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * len(writers)
    return [json.loads(answer) for answer in answers]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["issues", "pulls"])
def test_h85_h110_many_writers_never_share_a_number(tmp_path: Path, what: str) -> None:
    numbers = together(tmp_path, *[(what, f"w{n}") for n in range(WRITERS)])
    every = sorted(number for mine in numbers for number in mine)
    assert every == list(range(1, WRITERS * EACH + 1))
    if what == "issues":
        tickets, reports = vault(tmp_path).list()
        assert reports == ()
        assert [int(ticket.id[6:]) for ticket in tickets] == every[::-1]
        assert len({ticket.title for ticket in tickets}) == len(every)
    else:
        assert forge(tmp_path).problems() == ()
        pulls = forge(tmp_path).list_prs(a_repo())
        assert [pull.number for pull in pulls] == every[::-1]
        assert len({pull.head for pull in pulls}) == len(every)


@pytest.mark.parametrize("what", ["issues", "pulls"])
def test_h85_many_writers_with_one_key_make_one_record(tmp_path: Path, what: str) -> None:
    numbers = together(tmp_path, *[(what, "same")] * WRITERS, count=10)
    assert numbers == [list(range(1, 11))] * WRITERS
    if what == "issues":
        assert len(vault(tmp_path).list()[0]) == 10
    else:
        assert len(forge(tmp_path).list_prs()) == 10


def test_h85_two_writers_of_one_issue_lose_nothing(tmp_path: Path) -> None:
    two_issues(tmp_path)
    together(tmp_path, ("labels", ""), ("urls", ""), count=60)
    ticket = vault(tmp_path).get("1")
    assert (ticket.labels, ticket.pr_url) == (("59",), "59")
    assert (ticket.title, ticket.body) == ("one", BODY)


# --- a full disk --------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("mounting a small disk needs root on Linux")
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    mounted = subprocess.run(words, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.root
def test_a_full_disk_changes_nothing_and_is_named(small_disk: Path) -> None:
    tracker, pulls = vault(small_disk), forge(small_disk)
    first = tracker.create("first", body="text", created=NOW)
    opened(pulls, "first")

    def fill() -> None:
        while True:
            tracker.create("more", body="x" * 9000, created=NOW)

    with pytest.raises(ToolFailed) as full:
        fill()
    made = len(shown(small_disk / "vault"))
    assert full.value.code == "disk_full"
    assert full.value.hint
    before = shown(small_disk / "vault")
    for act in (
        lambda: tracker.update("1", body="y" * 30_000),
        lambda: opened(pulls, "second", body="z" * 30_000),
    ):
        with pytest.raises(ToolFailed) as full:
            act()
        assert full.value.code == "disk_full"
    assert shown(small_disk / "vault") == before
    tickets, reports = tracker.list()
    assert reports == ()
    assert len(tickets) == made
    assert tracker.get("1") == first
    assert [pull.head for pull in pulls.list_prs()] == ["first"]
    assert not (small_disk / "vault" / ".new").exists()

    (small_disk / "vault" / "ISSUE-002.md").unlink()
    (small_disk / "vault" / "ISSUE-003.md").unlink()
    assert tracker.create("room again", created=NOW).id == f"ISSUE-{made + 1:03d}"
