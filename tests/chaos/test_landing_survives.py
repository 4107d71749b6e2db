"""A pull request lands once, whatever is killed on the way and however often it is tried again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import orch
from orch.model.effect import Strategy
from orch.model.repo import Repo
from tests import stride
from tests.chaos.landing_runner import BRANCH, KEY, Scene, quiet
from tests.integration.test_git_crashes import Killer, died, exhaustive

ROOT = Path(__file__).parents[2]
# Commits with the key, which is how many more the base's own line has: a rebase replays two.
LANDED = {"merge": 1, "squash": 1, "rebase": 2}


def killed(kind: str, strategy: str, root: Path) -> Iterator[Scene]:
    """The scene as each kill left it."""
    here = os.pathsep.join([str(ROOT), str(Path(orch.__file__).parents[1])])
    words = [sys.executable, "-m", "tests.chaos.landing_runner", kind, strategy, str(root)]
    words.append(str(stride.step if kind == "records" else 1))
    done = subprocess.run(
        words, cwd=ROOT, env={"PATH": os.environ["PATH"], "PYTHONPATH": here},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 8
    for number in range(1, int(done.stdout) + 1):
        shutil.rmtree(root / "scene")
        (root / str(number)).rename(root / "scene")
        yield Scene(root / "scene")


def audit(scene: Scene, repo: Repo, strategy: Strategy) -> None:
    """Merged once, recorded right, nothing left over."""
    record = scene.forge.get_pr(repo, 1)
    tip = scene.git.remote_tip(repo, "main")
    assert (record.state, record.merged_sha, record.merge_key) == ("merged", tip, KEY)
    log = scene.repos.git(repo.remote_url, "log", "--first-parent", "--format=%B%x00", "main")
    ours = [text for text in log.split("\0") if text.strip().endswith(f"Orch-Key: {KEY}")]
    assert len(ours) == LANDED[strategy]
    count = scene.repos.git(repo.remote_url, "rev-list", "--first-parent", "--count", "main")
    assert int(count) == 2 + LANDED[strategy]
    files = scene.repos.git(repo.remote_url, "ls-tree", "-r", "--name-only", "main").split()
    assert {"one.txt", "two.txt", "other.txt"} <= set(files)
    assert scene.git.remote_tip(repo, BRANCH) == record.head_sha
    assert scene.forge.problems() == ()
    no_locks(repo)


def no_locks(repo: Repo) -> None:
    for folder in (repo.common_dir, repo.pinned_dir, repo.remote_url):
        assert list(Path(folder).rglob("*.lock")) == []


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "strategy"),
    [("records", "squash"), ("after", "merge"), ("after", "squash"), ("after", "rebase"),
     ("during", "merge"), ("during", "rebase")],
)  # fmt: skip
def test_h81_a_merge_that_was_killed_anywhere_is_completed_by_the_same_call(
    tmp_path: Path, kind: str, strategy: Strategy
) -> None:
    states = set()
    for scene in killed(kind, strategy, tmp_path):
        repo = scene.repo
        before = scene.forge.get_pr(repo, 1)
        landed = len(scene.repos.git(repo.remote_url, "log", "--format=%h", "main").split()) > 2
        states.add((before.state, bool(before.merge_key), landed))
        done = scene.merge(repo, strategy)
        quiet(scene)
        audit(scene, repo, strategy)
        assert scene.merge(repo, strategy) == done
        audit(scene, repo, strategy)
    assert ("open", True, False) in states, "killed between intent and push"
    assert ("open", True, True) in states, "killed between push and record"


class TestExhaustively:
    pytestmark = exhaustive

    @pytest.mark.parametrize("subcommand", ["push", "receive-pack"])
    def test_a_merge_lands_once_after_git_was_killed_anywhere(
        self, tmp_path: Path, subcommand: str
    ) -> None:
        killer = Killer(Scene(tmp_path / "machine").repos)
        deaths = 0

        def act(deadly: object, name: str) -> bool:
            nonlocal deaths
            scene = Scene(tmp_path / name)
            scene.prepare()
            repo = scene.repo
            head = scene.forge.get_pr(repo, 1).head_sha
            words = {
                "head": BRANCH, "base": "main", "expected": head, "strategy": "squash",
                "message": "Title", "key": KEY,
            }  # fmt: skip
            failed = died(lambda: deadly.land(repo, **words))  # type: ignore[attr-defined]
            deaths += failed
            scene.merge(repo, "squash")
            quiet(scene)
            record = scene.forge.get_pr(repo, 1)
            assert (record.state, record.merged_sha) == (
                "merged", scene.git.remote_tip(repo, "main"),
            )  # fmt: skip
            count = scene.repos.git(
                repo.remote_url, "rev-list", "--first-parent", "--count", "main"
            )
            assert count == "3"
            no_locks(repo)
            return failed

        assert killer.every_point(subcommand, act) >= 3
        assert deaths >= 3
