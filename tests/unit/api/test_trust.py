"""Trust is in a content: every difference ends it, and what is run is what was trusted."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from orch.api.trust import Contents, TrustBook, read
from orch.api.workflows import Workflows
from orch.model.errors import ConfigError, Conflict, NotFound, UsageError
from orch.model.repo import Repo
from orch.workflow.sources import builtin_names, collect
from tests.records import a_repo

FLOW = "from orch import do\n\n@do\ndef own():\n    '''Ours.'''\n    yield\n"


class Place:
    """A home and a checkout with workflows of its own."""

    def __init__(self, root: Path) -> None:
        self.home, self.checkout = root / "home", root / "thing"
        self.home.mkdir()
        self.folder = self.checkout / ".orch" / "workflows"
        self.folder.mkdir(parents=True)
        self.write("own.py", FLOW)
        self.book = TrustBook(self.home)

    @property
    def repo(self) -> Repo:
        return a_repo(local_path=str(self.checkout))

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self) -> Contents:
        contents = read(self.checkout)
        assert contents is not None
        return contents

    def trust(self) -> None:
        self.book.trust(self.repo, self.read(), at="2026-01-01T00:00:00Z", by="ada")

    def find(self, name: str = "own") -> object:
        return Workflows(self.home, self.repo).find(name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def refusal(place: Place, name: str = "own") -> Conflict:
    with pytest.raises(Conflict) as caught:
        place.find(name)
    assert caught.value.hint == "orch trust thing"
    return caught.value


def test_nothing_is_trusted_until_a_person_says_so(place: Place) -> None:
    assert refusal(place).code == "workflows_untrusted"
    place.trust()
    found = Workflows(place.home, place.repo).find("own")
    assert found is not None
    assert (found.origin, found.source.text) == ("repository", FLOW)


def _exec_bit(folder: Path) -> None:
    (folder / "own.py").chmod(0o755)


CHANGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: (f / "own.py").write_text(FLOW + "# more\n"), "changed own.py"),
    (lambda f: (f / "new.txt").write_text("x"), "added new.txt"),
    (lambda f: (f / "sub").mkdir() or (f / "sub" / "a.py").write_text(""), "added sub/a.py"),
    (lambda f: (f / "own.py").rename(f / "other.py"), "removed own.py"),
    (_exec_bit, "mode of own.py 644 -> 755"),
]


@pytest.mark.parametrize(("change", "told"), CHANGES)
def test_any_change_ends_the_trust_and_is_named(
    place: Place, change: Callable[[Path], object], told: str
) -> None:
    (place.folder / "own.py").chmod(0o644)
    place.write("still.py", FLOW.replace("own", "still"))
    place.trust()
    change(place.folder)
    error = refusal(place, "still")
    assert error.code == "workflows_changed"
    assert told in error.message
    assert told in error.data["changes"]
    place.trust()
    assert place.find("still") is not None


def test_what_python_leaves_behind_changes_nothing_and_is_not_imported(place: Place) -> None:
    place.trust()
    place.write("__pycache__/own.cpython-311.pyc", "x")
    assert place.find() is not None
    place.write("own.py", FLOW.replace("@do", "from __pycache__ import evil\n@do"))
    place.write("__pycache__/evil.py", "x = 1\n")
    place.trust()
    found = Workflows(place.home, place.repo).find("own")
    assert found is not None
    sources = collect(found.source, found.root)
    with pytest.raises(Conflict) as caught:
        found.vouch(sources.values())
    assert "evil" in caught.value.message


@pytest.mark.parametrize("name", ["own.py", "beside.py"])
def test_a_file_changed_between_the_look_and_the_run_is_not_run(place: Place, name: str) -> None:
    place.write("own.py", FLOW.replace("@do", "import beside\n@do"))
    place.write("beside.py", "x = 1\n")
    place.trust()
    found = Workflows(place.home, place.repo).find("own")
    assert found is not None
    found.vouch(collect(found.source, found.root).values())
    place.write(name, "import os\n")
    changed = (
        found.source
        if name == "beside.py"
        else found.source.__class__("own", found.source.filename, "import os\n", "")
    )
    with pytest.raises(Conflict, match="changed while"):
        found.vouch(collect(changed, found.root).values())


def test_line_ends_and_byte_order_marks_are_no_change(place: Place) -> None:
    (place.folder / "own.py").write_bytes(b"\xef\xbb\xbf" + FLOW.replace("\n", "\r\n").encode())
    place.trust()
    found = Workflows(place.home, place.repo).find("own")
    assert found is not None
    found.vouch([found.source])


def _link_file(place: Place) -> None:
    (place.folder / "x.py").symlink_to("/etc/passwd")


def _link_inside(place: Place) -> None:
    (place.folder / "x.py").symlink_to("own.py")


def _link_folder(place: Place) -> None:
    (place.folder / "sub").symlink_to(place.home)


def _link_all(place: Place) -> None:
    place.folder.rename(place.home / "elsewhere")
    place.folder.symlink_to(place.home / "elsewhere")


def _pipe(place: Place) -> None:
    os.mkfifo(place.folder / "x.py")


def _large(place: Place) -> None:
    place.write("large.bin", "x" * (9 * 2**20))


@pytest.mark.parametrize(
    "spoil", [_link_file, _link_inside, _link_folder, _link_all, _pipe, _large]
)
def test_links_and_odd_files_are_refused(place: Place, spoil: Callable[[Place], None]) -> None:
    place.trust()
    spoil(place)
    with pytest.raises(UsageError) as caught:
        read(place.checkout)
    assert caught.value.code == "workflows_unsafe"
    with pytest.raises(UsageError):
        place.find()


def test_a_name_of_a_shipped_one_needs_consent_to_be_taken_over(place: Place) -> None:
    place.write("basic_pr.py", FLOW.replace("own", "basic_pr"))
    found = Workflows(place.home, place.repo).find("basic_pr")
    assert found is not None
    assert found.origin == "built-in"
    assert "passed over" in found.notes[0]
    assert "orch trust thing" in found.notes[0]
    place.trust()
    found = Workflows(place.home, place.repo).find("basic_pr")
    assert found is not None
    assert found.origin == "repository"
    assert "not the built-in workflow basic_pr" in found.notes[0]
    place.write("own.py", "x = 1\n")
    assert refusal(place, "basic_pr").code == "workflows_changed"


def test_the_order_is_repository_home_shipped(place: Place) -> None:
    mine = place.home / "workflows"
    mine.mkdir()
    for name in ("own", "multi_agent", "mine"):
        (mine / f"{name}.py").write_text(FLOW.replace("own", name))
    place.trust()
    workflows = Workflows(place.home, place.repo)
    origins = {}
    for name in ("own", "multi_agent", "mine", "basic_pr"):
        found = workflows.find(name)
        assert found is not None
        origins[name] = (found.origin, len(found.notes))
    assert origins == {
        "own": ("repository", 1), "multi_agent": ("home", 1), "mine": ("home", 0),
        "basic_pr": ("built-in", 0),
    }  # fmt: skip
    assert workflows.find("absent") is None
    assert {"own", "mine", *builtin_names()} == set(workflows.names())
    states = [(item.name, item.origin, item.state) for item in workflows.list()]
    assert states[0] == ("own", "repository", "ready")
    assert ("own", "home", "hidden") in states
    assert ("multi_agent", "built-in", "hidden") in states


@pytest.mark.parametrize("name", ["../own", "a/b", "", ".", "own.py", "a b", "ä" * 3])
def test_only_plain_names_are_looked_for(place: Place, name: str) -> None:
    assert Workflows(place.home, place.repo).find(name) is None


def test_a_listing_reads_nothing_through_links(place: Place, tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("from orch import do\n@do\ndef x():\n    'secret'\n")
    (place.folder / "own.py").unlink()
    (place.folder / "own.py").symlink_to(tmp_path / "secret.py")
    listed = Workflows(place.home, place.repo).list()[0]
    assert (listed.name, listed.state, listed.summary) == ("own", "broken", "")
    with pytest.raises(UsageError):
        Workflows(place.home, place.repo).look("own")


def test_grants_are_private_and_broken_ones_are_told(place: Place) -> None:
    place.trust()
    path = place.home / "trust" / "thing.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [grant.repo for grant in place.book.grants()] == ["thing"]
    path.write_text("{")
    with pytest.raises(ConfigError) as caught:
        place.find()
    assert caught.value.hint == "orch trust thing --revoke"
    place.book.revoke("thing")
    with pytest.raises(NotFound):
        place.book.revoke("thing")


@pytest.mark.parametrize("name", ["../config", "", "A", "a/b", ".."])
def test_trust_is_kept_below_its_folder_only(place: Place, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        place.book.revoke(name)
    assert caught.value.code == "bad_name"


def test_a_grant_holds_for_content_not_for_its_age(place: Place) -> None:
    place.trust()
    os.utime(place.folder / "own.py", (1, 1))
    assert place.find() is not None
