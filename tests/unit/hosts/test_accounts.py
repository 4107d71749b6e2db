"""What was spent and what is kept outlive the process, and never stand in anybody's way."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orch.hosts.accounts import APART_S, Accounts, read
from orch.hosts.budget import Allowance, Budget
from orch.hosts.kept import Kept
from orch.hosts.kept_files import OnDisk

HOST = "github.example:8443"


class Now:
    def __init__(self) -> None:
        self.at = 1_763_697_600.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def process(tmp_path: Path, now: Now) -> Callable[..., tuple[Accounts, Budget]]:
    """A process with a budget of its own; all write to one home."""

    def started(whose: str = "abc", name: str = "GITHUB_TOKEN") -> tuple[Accounts, Budget]:
        accounts, budget = Accounts(tmp_path / "api", now), Budget(HOST)
        accounts.follow(budget, credential=name, whose=lambda: whose)
        return accounts, budget

    return started


def spent(tmp_path: Path, whose: str = "abc") -> int:
    (found,) = read(tmp_path / "api")
    return found.accounts[whose].spent


def test_what_several_processes_spent_is_one_sum(
    tmp_path: Path, now: Now, process: Callable[..., tuple[Accounts, Budget]]
) -> None:
    assert read(tmp_path / "api") == []
    (first, one), (second, two) = process(), process()
    one.count("read", 1)
    two.count("graphql", 5)
    one.count("read", 1)
    assert spent(tmp_path) == 6  # the third is written later
    first.close()
    first.close()
    assert spent(tmp_path) == 7
    now.at += APART_S
    two.count("write", 1)
    assert spent(tmp_path) == 8
    second.close()
    (found,) = read(tmp_path / "api")
    assert found.host == HOST
    account = found.accounts["abc"]
    assert account.requests == {"read": 2, "graphql": 1, "write": 1}
    assert (account.credential, account.reserve) == ("GITHUB_TOKEN", 500)
    assert os.stat(tmp_path / "api").st_mode & 0o777 == 0o700


def test_credentials_have_accounts_of_their_own_and_a_day_begins_with_nothing(
    tmp_path: Path, now: Now, process: Callable[..., tuple[Accounts, Budget]]
) -> None:
    _, one = process("abc")
    _, two = process("def", "the configured token")
    one.count("read", 3)
    two.count("read", 4)
    assert (spent(tmp_path, "abc"), spent(tmp_path, "def")) == (3, 4)
    now.at += 86_400
    one.count("read", 1)
    assert (spent(tmp_path, "abc"), spent(tmp_path, "def")) == (1, 4)


def test_of_what_is_left_the_newest_is_known(
    tmp_path: Path, now: Now, process: Callable[..., tuple[Accounts, Budget]]
) -> None:
    (first, one), (second, two) = process(), process()
    for budget, left in ((one, 4000), (two, 4100)):  # the second answer is older
        budget.told("core", Allowance(limit=5000, left=left, reset_at=now.at + 60))
        budget.told("search", Allowance(limit=30, left=30, reset_at=now.at + 60))
        budget.count("read", 1)
    (found,) = read(tmp_path / "api")
    assert {name: one.left for name, one in found.accounts["abc"].allowances.items()} == {
        "core": 4000
    }
    two.told("core", Allowance(limit=5000, left=4999, reset_at=now.at + 3700))
    two.count("read", 1)
    second.close()
    first.close()
    (found,) = read(tmp_path / "api")
    assert found.accounts["abc"].allowances["core"].left == 4999


def test_threads_lose_nothing(
    tmp_path: Path, process: Callable[..., tuple[Accounts, Budget]]
) -> None:
    made = [process() for _ in range(4)]

    def work(accounts: Accounts, budget: Budget) -> None:
        for _ in range(25):
            budget.count("read", 1)
            accounts.close()

    threads = [threading.Thread(target=work, args=one) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spent(tmp_path) == 100


def test_a_broken_account_is_begun_anew_and_a_broken_disk_stops_nobody(
    tmp_path: Path, now: Now, process: Callable[..., tuple[Accounts, Budget]]
) -> None:
    folder = tmp_path / "api"
    folder.mkdir()
    (folder / "github.example%3A8443.json").write_text("{")
    assert read(folder) == []
    _, budget = process()
    budget.count("read", 1)
    assert spent(tmp_path) == 1
    accounts = Accounts(tmp_path / "api" / "github.example%3A8443.json" / "below", now)
    other = Budget(HOST)
    accounts.follow(other, credential="x", whose=lambda: "x")
    other.count("read", 1)
    keeper = accounts.keeper(HOST, lambda: "x")
    keeper.put("k", Kept(etag="e", body=b"b"))
    assert keeper.get("k") is None


# --- answers that are kept --------------------------------------------------------------------


def test_what_is_kept_is_there_for_the_next_process_and_for_nobody_else(tmp_path: Path) -> None:
    kept = Kept(etag='W/"1"', link='<x>; rel="next"', body=b'[{"a": 1}]\n\x00')
    OnDisk(tmp_path, lambda: "abc").put("GITHUB_TOKEN /repos", kept)
    assert OnDisk(tmp_path, lambda: "abc").get("GITHUB_TOKEN /repos") == kept
    assert OnDisk(tmp_path, lambda: "def").get("GITHUB_TOKEN /repos") is None
    assert OnDisk(tmp_path, lambda: "abc").get("GITHUB_TOKEN /other") is None
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data", [b"", b"{", b"{}\nx", b'{"key": "other", "etag": "e"}\nx', b"\xff"]
)
def test_a_file_that_is_none_of_ours_is_passed_over(tmp_path: Path, data: bytes) -> None:
    keeper = OnDisk(tmp_path, lambda: "abc")
    keeper.put("k", Kept(etag="e", body=b"b"))
    (file,) = tmp_path.iterdir()
    file.write_bytes(data)
    assert keeper.get("k") is None
    keeper.put("k", Kept(etag="e", body=b"b"))
    assert keeper.get("k") == Kept(etag="e", body=b"b")


def test_what_is_kept_is_bounded_in_number_and_in_bytes(tmp_path: Path) -> None:
    keeper = OnDisk(tmp_path, lambda: "abc", most=100, largest_answer=1000)
    for number in range(300):
        keeper.put(f"k{number}", Kept(etag="e", body=b"x"))
        assert keeper.get("k0") is not None  # what is looked at stays
    assert len(list(tmp_path.iterdir())) <= 101
    keeper.put("large", Kept(etag="e", body=b"x" * 1001))
    assert keeper.get("large") is None
    small = OnDisk(tmp_path / "small", lambda: "abc", largest=10_000)
    for number in range(130):
        small.put(f"k{number}", Kept(etag="e", body=b"x" * 500))
    sizes = [file.stat().st_size for file in (tmp_path / "small").iterdir()]
    assert sum(sizes) <= 10_000 + 64 * 600
    assert json.loads(next((tmp_path / "small").iterdir()).read_bytes().split(b"\n")[0])["etag"]
