"""Names made from people's words fit git, tmux and the file system, whatever the words were."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings, strategies as st

from orch.model.naming import (
    SLUG_LENGTH,
    milestone_base,
    nearest,
    person_branch,
    repo_slug,
    run_branch,
    run_worktree,
    slug,
    terminal,
    ticket_worktree,
)

CLEAN = re.compile(r"([a-z0-9]+(-[a-z0-9]+)*)?")
ANY_TEXT = st.text(max_size=400)
HEX = st.text("0123456789abcdef", min_size=7, max_size=7)
HOSTILE = [
    "--upload-pack=touch x", "a; rm -rf ~", "$(id)", "`id`", "#(id)", "..", "../../etc", "-", "",
    "@{-1}", "HEAD", "refs/heads/main", "a\0b", "a\nb", "con", "ＦＵＬＬ ＷＩＤＴＨ", "İstanbul",
    "\u202egnirts", "日本語", "🦄" * 300, "Ä" * 300, "x" * 300, "\ud800",
]  # fmt: skip


@given(text=ANY_TEXT, length=st.integers(1, 80))
@settings(deadline=None)
def test_h17_h67_a_slug_has_only_letters_digits_and_single_dashes(text: str, length: int) -> None:
    made = slug(text, length)
    assert CLEAN.fullmatch(made)
    assert len(made) <= length
    assert slug(made, length) == made, "a slug is its own slug"


@pytest.mark.parametrize("text", HOSTILE)
def test_h67_hostile_words_leave_nothing_that_git_tmux_or_a_shell_reads(text: str) -> None:
    assert CLEAN.fullmatch(slug(text))
    assert CLEAN.fullmatch(repo_slug(text))
    name, branch = person_branch(text)
    assert CLEAN.fullmatch(name)
    assert branch == "" or re.fullmatch(r"[a-z]+/[a-z0-9]+(-[a-z0-9]+)*", branch)
    assert CLEAN.fullmatch(run_worktree(text, text, text, "0123456"))


SLUGS = [
    ("Add a --json flag", "add-a-json-flag"),
    ("  spaces  and\ttabs ", "spaces-and-tabs"),
    ("Änderung: Größe", "anderung-groe"),
    ("Crème brûlée #42", "creme-brulee-42"),
    ("ISSUE-001", "issue-001"),
    ("日本語", ""),
    ("日本語 v2", "v2"),
    ("", ""),
    ("---", ""),
    ("x" * 300, "x" * SLUG_LENGTH),
    ("a-" * 300, ("a-" * 20)[:39]),
    ("é" * 300, "e" * SLUG_LENGTH),
]


@pytest.mark.parametrize(("text", "expected"), SLUGS)
def test_h17_slugs_are_cut_on_characters(text: str, expected: str) -> None:
    assert slug(text) == expected


@given(
    subject=ANY_TEXT, title=ANY_TEXT, suffix=ANY_TEXT, short=HEX, first=st.integers(1, 99),
    second=st.integers(1, 99),
)  # fmt: skip
@example(subject="", title="", suffix="", short="0" * 7, first=1, second=2)
@example(subject="I", title="x" * 300, suffix="y" * 300, short="0" * 7, first=1, second=2)
@settings(deadline=None)
def test_h17_h101_worktree_names_fit_and_the_nth_of_the_same_words_is_another(
    subject: str, title: str, suffix: str, short: str, first: int, second: int
) -> None:
    name = run_worktree(subject, title, suffix, short, first)
    assert CLEAN.fullmatch(name)
    assert len(run_branch(name).encode()) <= 160, "well under the 255 bytes of a file's name"
    assert name.endswith(short)
    assert (run_worktree(subject, title, suffix, short, second) == name) == (first == second)


WORKTREES = [
    (("ISSUE-001", "Add a --json flag", "", "0123456"), "issue-001-add-a-json-flag-0123456"),
    (("ISSUE-001", "Add it", "impl", "0123456"), "issue-001-add-it-impl-0123456"),
    (("ISSUE-001", "Add it", "", "0123456", 2), "issue-001-add-it-2-0123456"),
    (("ISSUE-001", "Add it", "impl", "0123456", 3), "issue-001-add-it-impl-3-0123456"),
    (("task-7", "日本語", "", "0123456"), "task-7-0123456"),
]


@pytest.mark.parametrize(("words", "expected"), WORKTREES)
def test_worktree_names(words: tuple[str, str, str, str], expected: str) -> None:
    assert run_worktree(*words) == expected


# SEED-CONTRACT 1A: the prefix of the name decides the branch; the slug keeps the dash form.
BRANCHES = [
    ("fix-crash", "fix-crash", "fix/crash"),
    ("bug-crash", "bug-crash", "fix/crash"),
    ("feat-login", "feat-login", "feat/login"),
    ("release-1-2", "release-1-2", "release/1-2"),
    ("chore-123-cleanup", "chore-123-cleanup", "chore/123-cleanup"),
    ("docs-readme", "docs-readme", "docs/readme"),
    ("refactor-store", "refactor-store", "refactor/store"),
    ("test-edges", "test-edges", "test/edges"),
    ("ci-cache", "ci-cache", "ci/cache"),
    ("perf-hot-loop", "perf-hot-loop", "perf/hot-loop"),
    ("login", "login", "feat/login"),
    ("fixture-files", "fixture-files", "feat/fixture-files"),
    ("feature-x", "feature-x", "feat/feature-x"),
    ("fix", "fix", "feat/fix"),
    ("fix-", "fix", "feat/fix"),
    ("fix/crash", "fix-crash", "fix/crash"),
    ("FIX-Crash Now", "fix-crash-now", "fix/crash-now"),
    ("feat/a/b", "feat-a-b", "feat/a-b"),
    ("x" * 300, "x" * 60, "feat/" + "x" * 60),
    ("日本語", "", ""),
    ("", "", ""),
    ("--", "", ""),
]


@pytest.mark.parametrize(("name", "expected_slug", "branch"), BRANCHES)
def test_the_prefix_of_a_persons_worktree_decides_its_branch(
    name: str, expected_slug: str, branch: str
) -> None:
    assert person_branch(name) == (expected_slug, branch)


@given(name=ANY_TEXT)
@settings(deadline=None)
def test_h67_a_persons_branch_is_always_one_git_takes(name: str) -> None:
    made, branch = person_branch(name)
    assert CLEAN.fullmatch(made)
    assert len(made) <= 60
    assert bool(made) == bool(branch)
    assert branch == "" or re.fullmatch(
        r"[a-z]+/[a-z0-9][a-z0-9-]*[a-z0-9]|[a-z]+/[a-z0-9]", branch
    )


REPOS = [
    ("/src/thing", "thing"),
    ("/src/thing/", "thing"),
    ("/srv/git/thing.git", "thing"),
    ("/srv/git/thing.git/", "thing"),
    ("https://github.com/me/Thing.git", "thing"),
    ("git@github.com:me/thing.git", "thing"),
    ("host:thing", "thing"),
    ("ssh://git@host:2222/me/my.thing.git", "my-thing"),
    (r"C:\src\Thing", "thing"),
    ("/path with spaces/My Repo", "my-repo"),
    ("/", ""),
    ("", ""),
]


@pytest.mark.parametrize(("location", "expected"), REPOS)
def test_h24_one_canonical_name_for_a_repository(location: str, expected: str) -> None:
    assert repo_slug(location) == expected


def test_terminals_are_named_from_the_attempt() -> None:
    assert terminal("0123456789ab") == "orch-0123456789ab"
    assert re.fullmatch(r"[a-z0-9-]{1,40}", terminal("f" * 12))


def test_near_names_are_suggested_best_first_and_at_most_three() -> None:
    known = ["basic_pr", "multi_agent", "reviewed_pr", "enforced_pr", "basic"]
    assert nearest("basic-pr", known)[0] == "basic_pr"
    assert nearest("zzz", known) == []
    assert len(nearest("pr", ["pr1", "pr2", "pr3", "pr4"])) == 3


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((), "feat-issue-7-do-it"),
        (("urgent", "Bug", "docs"), "fix-issue-7-do-it"),
        (("documentation",), "docs-issue-7-do-it"),
        (("performance ",), "perf-issue-7-do-it"),
        (("debug", "fixture"), "feat-issue-7-do-it"),
    ],
)
def test_a_tickets_first_telling_label_names_its_worktree(
    labels: tuple[str, ...], expected: str
) -> None:
    assert ticket_worktree("ISSUE-7", "Do it!", labels) == expected


def test_h17_a_tickets_name_is_cut_to_forty_characters() -> None:
    name = ticket_worktree("ISSUE-007", "a very long title " * 9, ())
    assert len(name) <= 40
    assert person_branch(name)[0] == name


@pytest.mark.parametrize("title", ["1.2", "v2.0-rc.1", "next_big", "2026"])
def test_a_milestone_stands_for_its_release_branch(title: str) -> None:
    assert milestone_base(title) == f"release/{title}"


@pytest.mark.parametrize(
    "title",
    ["", " 1.2", "1 2", "1/2", "a..b", ".x", "x.", "x.lock", "1.2\n", "é", "x" * 101, "a@{b", "~1"],
)
def test_a_title_that_is_no_part_of_a_branch_is_ignored(title: str) -> None:
    assert milestone_base(title) is None
