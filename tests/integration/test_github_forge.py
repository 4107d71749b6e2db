"""The forge `github` on the stand-in: the contract as far as GitHub keeps it, and its own ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orch.config.source_tree import ForgeConfig
from orch.forges.github import GitHubForge
from orch.git.memory import MemoryGit
from orch.hosts.github.client import connect
from orch.model.effect import Strategy
from orch.model.errors import Conflict
from orch.model.pull import PullRequest
from orch.model.repo import Repo as OurRepo
from orch.plugins import Premises
from orch.testing.forges import ForgeContract, SteppingClock, a_repo, opened
from orch.testing.merging import ForgeMergeContract
from orch.testing.repositories import STRATEGIES, refused
from tests.contract.test_git import RealHands
from tests.githubrooms import standin as standin
from tests.standins.github import pulls
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Repo

R = "octo/thing"
SLUGS = ("thing", "one", "two", "a", "b", "c")


Make = Callable[..., GitHubForge]


class Pushing(GitHubForge):
    """Its caller has pushed the branch; the contract's fake repositories cannot."""

    world_of: Callable[[OurRepo], Repo]

    def open_pr(self, repo: OurRepo, *, head: str, base: str, **words: Any) -> PullRequest:
        if repo.slug in SLUGS:
            git = self.world_of(repo).git
            if not git.tip(base):
                git.point(f"refs/heads/{base}", git.tip("main"))
            if head and not git.tip(head):
                git.commit(head, {f"{len(head)}.txt": head}, start="main")
        return super().open_pr(repo, head=head, base=base, **words)


@pytest.fixture
def making(standin: GitHubStandIn, clock: SteppingClock) -> Iterator[Make]:
    """Forges, each with a client of its own whose time is the stand-in's."""
    made = []

    def forge(
        *, login: str = "octo", git: Any = None, kind: type[GitHubForge] = GitHubForge,
        **options: Any,
    ) -> GitHubForge:  # fmt: skip
        at = standin.world.clock
        client = connect(standin.environ(login), now=at, sleep=at.advance)
        made.append(client)
        projects = {slug: f"octo/{slug}" for slug in SLUGS}
        premises = Premises(
            name="github", directory=Path("/nowhere"), environ={}, clock=clock,
            git=git or MemoryGit(),
            settings=ForgeConfig(kind="github", options={"projects": projects} | options),
        )  # fmt: skip
        return kind(premises, client, sleep=at.advance)

    yield forge
    for client in made:
        client.close()


@pytest.fixture
def clock(standin: GitHubStandIn) -> SteppingClock:
    class Ours(SteppingClock):
        """To step it moves the stand-in's, too."""

        def __setattr__(self, name: str, value: float) -> None:
            if name == "at" and hasattr(self, "at") and value > self.at:
                standin.world.clock.advance(value - self.at)
            super().__setattr__(name, value)

    return Ours()


class TestGitHubForge(ForgeContract):
    @pytest.fixture(autouse=True)
    def _given(self, standin: GitHubStandIn) -> None:
        self.world = standin.world
        for slug in SLUGS:
            self.world.add_repo(f"octo/{slug}").git.commit("main", {"README.md": "hello\n"})

    @pytest.fixture
    def clock(self, clock: SteppingClock) -> SteppingClock:
        return clock

    @pytest.fixture
    def forge(self, making: Make) -> GitHubForge:
        Pushing.world_of = staticmethod(lambda repo: self.world.repos[f"octo/{repo.slug}"])
        self.making = making
        return making(kind=Pushing)

    def reopened(self, forge: Any) -> Any:
        """What a forge of another process lists without a repository is nothing."""
        made = self.making(kind=Pushing)
        made._projects.known.update(forge._projects.known)
        return made

    def settle(self, forge: Any, repo: OurRepo, number: int, state: str) -> None:
        issue = self.world.repos[f"octo/{repo.slug}"].issues[number]
        octo = self.world.users["octo"]
        if state == "merged":
            pulls.merge(self.world, octo, issue)
        else:
            self.world.set_state(octo, issue, "closed")

    def test_a_new_pr_is_open_and_has_what_was_given(self, forge: Any) -> None:
        """Its head is the branch's tip, and it was made when GitHub says that it was."""
        made = opened(
            forge, "orch/x-1", base="trunk", title="T: “é”", body="B\r\n\n", draft=True,
            labels=("bug", "a b"), key="k234",
        )  # fmt: skip
        assert (made.repo, made.number, made.state) == ("thing", 1, "open")
        assert (made.head, made.base) == ("orch/x-1", "trunk")
        assert made.head_sha == self.world.repos[R].git.tip("orch/x-1")
        assert (made.title, made.draft, made.labels) == ("T: “é”", True, ("bug", "a b"))
        assert made.body.startswith("B")
        assert made.forge == forge.name == "github"
        assert made.created
        assert made.url.endswith("/octo/thing/pull/1")
        assert self.reopened(forge).get_pr(a_repo(), 1) == made

    @pytest.mark.parametrize(
        "text",
        ["\x1b[31m", "a\nb\r\n", '"\\', "👩‍👩‍👧‍👦\u202e", "$(touch x) --flag {0}", "x" * 256],
    )
    def test_titles_and_bodies_are_data(self, forge: Any, text: str) -> None:
        """GitHub takes no empty title and none of more than 256 characters."""
        super().test_titles_and_bodies_are_data(forge, text)

    def test_a_long_text_is_cut_and_keeps_its_mark(self, forge: Any) -> None:
        assert opened(forge, "no-title", title=" ").title == "no-title"
        made = opened(forge, "h", title="t" * 60_000, body="b" * 70_000, key="k1")
        assert made.title == "t" * 256
        assert len(made.body) <= 65_536
        assert made.body.endswith("<!-- orch:v1:k1 -->")

    def test_heads_are_compared_whole_and_to_the_letter(self, forge: Any) -> None:
        """Without the names that git cannot have side by side or at all."""
        heads = ["orch/a", "orch/a-1", "orch/A", "a"]
        assert [opened(forge, head).number for head in heads] == [1, 2, 3, 4]
        for number, head in enumerate(heads, 1):
            found = forge.find_pr(a_repo(), head)
            assert found is not None
            assert found.number == number
        assert forge.find_pr(a_repo(), "orch/") is None
        assert forge.find_pr(a_repo(), "") is None

    def test_listings_are_newest_first(self, forge: Any, clock: SteppingClock) -> None:
        """By GitHub's time, which does not go back."""
        made = []
        for number, slug in enumerate(["b", "a", "b", "c", "a"]):
            clock.at += 1
            made.append(opened(forge, f"h{number}", a_repo(slug)))
        assert list(self.reopened(forge).list_prs()) == made[::-1]
        assert [pr.number for pr in forge.list_prs(a_repo("b"))] == [2, 1]

    def test_checks_hang_on_a_commit_and_are_listed_by_name(
        self, forge: Any, clock: SteppingClock
    ) -> None:
        """As statuses, which only a commit that was pushed can have; GitHub says when."""
        git = self.world.repos[R].git
        head, other = git.tip("main"), git.commit("other", {"x": "y"}, start="main")
        assert forge.checks(a_repo(), head) == forge.checks(a_repo(), "b" * 40) == ()
        made = forge.set_check(
            a_repo(), head, "unit: “é” 3.11", "pending", url="https://x/1", summary="s" * 200
        )
        assert (made.name, made.state, made.url) == ("unit: “é” 3.11", "pending", "https://x/1")
        assert made.summary == "s" * 140
        assert made.at
        lint = forge.set_check(a_repo(), head, "lint", "failure")
        assert forge.set_check(a_repo(), head, "docs", "neutral").state == "success"
        listed = self.reopened(forge).checks(a_repo(), head)
        assert [one.name for one in listed] == ["docs", "lint", "unit: “é” 3.11"]
        assert listed[1:] == (lint, made)
        assert forge.checks(a_repo(), other) == ()
        clock.at += 60
        again = forge.set_check(a_repo(), head, made.name, "success")
        assert (again.state, again.url) == ("success", "")
        assert again.at > made.at
        count = len(self.world.repos[R].statuses)
        assert forge.set_check(a_repo(), head, made.name, "success") == again
        assert len(self.world.repos[R].statuses) == count


class GitHubHands(RealHands):
    """Repositories whose remote is the stand-in's, reached as a directory."""

    def __init__(self, root: Path, standin: GitHubStandIn) -> None:
        super().__init__(root)
        self._standin = standin

    def repository(
        self, slug: str = "thing", *, branch: str = "main", remote: bool = True, empty: bool = False
    ) -> OurRepo:
        made = self._standin.world.add_repo(f"octo/{slug}", default_branch=branch)
        self.repos.git(self.repos.root, "clone", "--quiet", str(made.git.path), slug)
        path = self.repos.root / slug
        self.repos.git(path, "checkout", "--quiet", "-B", branch)
        self.repos.commit(path, {"README.md": "start\n", "src/app.py": "print('hello')\n"})
        self.repos.git(path, "push", "--quiet", "origin", branch)
        return self.repos.register(self.git, path, slug)

    def message(self, repo: OurRepo, commit: str) -> str:
        return self.repos.git(repo.remote_url, "show", "-s", "--format=%B", commit)

    def files_of(self, repo: OurRepo, commit: str) -> dict[str, str]:
        words = self.repos.git(repo.remote_url, "ls-tree", "-r", "-z", "--name-only", commit)
        names = [name for name in words.split("\0") if name]
        return {n: self.repos.git(repo.remote_url, "show", f"{commit}:{n}") + "\n" for n in names}


class TestMergingAtGitHub(ForgeMergeContract):
    @pytest.fixture
    def clock(self, clock: SteppingClock) -> SteppingClock:
        return clock

    @pytest.fixture
    def hands(self, tmp_path: Path, standin: GitHubStandIn) -> GitHubHands:
        return GitHubHands(tmp_path, standin)

    @pytest.fixture
    def forge(self, making: Make, hands: GitHubHands) -> GitHubForge:
        self.made = lambda: making(git=hands.git)
        return self.made()

    def reopened(self, forge: Any) -> Any:
        return self.made()

    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_a_merged_pr_says_which_commit_did_it(
        self, forge: Any, hands: Any, repo: OurRepo, strategy: Strategy
    ) -> None:
        """When is GitHub's to say. It keeps no key: only who merged knows it, from the answer."""
        _, pull = self.ready(forge, hands, repo)
        hands.commit_remotely(repo, "main", {"other.txt": "x\n"})
        done = self.merged(forge, repo, strategy=strategy, expected_head=pull.head_sha)
        assert (done.state, done.merge_key) == ("merged", "run/5#1")
        assert done.merged_sha == hands.git.remote_tip(repo, "main")
        assert done.head_sha == pull.head_sha
        assert done.merged_at
        assert hands.files_of(repo, done.merged_sha)["a.txt"] == "work\n"
        again = self.reopened(forge)
        seen = again.get_pr(repo, 1)
        assert seen == again.refresh_pr(repo, 1) == msgspec.structs.replace(done, merge_key="")

    def test_merging_again_with_any_key_is_the_same_answer(
        self, forge: Any, hands: Any, repo: OurRepo
    ) -> None:
        """But for the key, as above."""
        _, pull = self.ready(forge, hands, repo)
        done = msgspec.structs.replace(self.merged(forge, repo), merge_key="")
        tip = hands.git.remote_tip(repo, "main")
        for key in ("run/5#1", "other"):
            same = self.merged(self.reopened(forge), repo, key=key, expected_head=pull.head_sha)
            assert same == done
        assert hands.git.remote_tip(repo, "main") == tip
        with refused(Conflict, "head_moved"):
            self.merged(forge, repo, expected_head="b" * 40)

    def test_h80_another_head_than_the_expected_is_refused(
        self, forge: Any, hands: Any, repo: OurRepo
    ) -> None:
        """GitHub shows the new head at once, without being asked to look."""
        _, pull = self.ready(forge, hands, repo)
        moved = hands.commit_remotely(repo, pull.head, {"b.txt": "x\n"})
        base = hands.git.remote_tip(repo, "main")
        with refused(Conflict, "head_moved") as caught:
            self.merged(forge, repo, expected_head=pull.head_sha)
        assert caught.value.data == {"expected": pull.head_sha, "head": moved}
        assert (forge.get_pr(repo, 1).head_sha, forge.get_pr(repo, 1).state) == (moved, "open")
        assert hands.git.remote_tip(repo, "main") == base
        assert self.merged(forge, repo, expected_head=moved).head_sha == moved

    def test_a_look_follows_the_branch(self, forge: Any, hands: Any, repo: OurRepo) -> None:
        """And so does every other answer."""
        worktree, pull = self.ready(forge, hands, repo)
        looked = forge.refresh_pr(repo, 1)
        assert (looked.head_sha, looked.base_sha) == (pull.head_sha, worktree.base_commit)
        moved = hands.commit_remotely(repo, pull.head, {"b.txt": "x\n"})
        assert forge.refresh_pr(repo, 1).head_sha == moved
        assert self.reopened(forge).get_pr(repo, 1).head_sha == moved

    def test_a_pr_without_its_branch_stays_closed_and_is_not_merged(
        self, forge: Any, hands: Any, repo: OurRepo
    ) -> None:
        """GitHub closes it when its branch goes."""
        _, pull = self.ready(forge, hands, repo)
        hands.set_remotely(repo, pull.head, "")
        with refused(Conflict, "pr_closed"):
            self.merged(forge, repo)
        assert forge.refresh_pr(repo, 1).state == "closed"
        with refused(Conflict, "head_gone"):
            forge.reopen_pr(repo, 1)
        assert forge.get_pr(repo, 1).state == "closed"
