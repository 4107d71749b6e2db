"""Names: whatever passes is harmless and valid for git (H67)."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings, strategies as st

from orch.git import names
from orch.git.gateway import DEFAULT_PROTOCOLS
from orch.model.errors import UsageError


@pytest.mark.parametrize(
    "name",
    [
        "main", "feat/x", "orch/ISSUE-001-add-a-flag-1a2b3c", "release/1.0", "a" * 200, "é漢🎉",
        "a;b", "a$(b)", "a`b`", "a#(b)", "user@host", "a'b\"c", "a|b&c", "x/-y", "100%", "a{b}",
    ],
)  # fmt: skip
def test_names_that_git_takes_are_taken(name: str) -> None:
    assert names.check_branch(name) == name
    assert names.branch_ref(name) == f"refs/heads/{name}"


@pytest.mark.parametrize(
    "name",
    [
        "", "-", "-x", "--upload-pack=x", "a b", "a\tb", "a\nb", "a\0b", "a\x7fb", "a\x85b",
        "a\u2028b", "a\u00a0b", "a\\b", "a:b", "a?b", "a*b", "a[b", "a^b", "a~1", "a..b", "a@{1}",
        "@", "HEAD", "/a", "a/", "a//b", ".a", "a/.b", "a.", "a.lock", "a.lock/b", "a.LOCK",
        "x" * 201, "é" * 101, "/".join(["x" * 199] * 5), "\ud800",
    ],
)  # fmt: skip
def test_h67_names_that_could_do_something_else_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        names.check_branch(name)
    assert caught.value.code == "bad_name"
    caught.value.message.encode()
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 250


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=12) | st.from_regex(r"[-./@{a~l:ock]{1,8}"))
def test_whatever_passes_is_valid_for_git(name: str) -> None:
    try:
        names.check_branch(name)
    except UsageError:
        return
    said = subprocess.run(
        ["git", "check-ref-format", "--branch", name], capture_output=True, check=False
    )
    assert said.returncode == 0, name


@pytest.mark.parametrize("name", ["origin", "a-fork", "team/fork", "x.y"])
def test_remotes_have_plain_names(name: str) -> None:
    assert names.check_remote(name) == name


@pytest.mark.parametrize(
    "name", ["", "-x", "a b", "ext::sh", "a..b", "a.lock", "x;y", "$(x)", "/x"]
)
def test_other_names_are_no_remotes(name: str) -> None:
    with pytest.raises(UsageError):
        names.check_remote(name)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/o/r.git", "ssh://git@host:22/x", "git@github.com:o/r.git", "host:x/y",
        "git://host/x", "file:///srv/x.git", "/srv/a b/x.git", "https://me:token@host/x",
    ],
)  # fmt: skip
def test_urls_that_git_may_go_to(url: str) -> None:
    assert names.check_url(url, DEFAULT_PROTOCOLS) == url


@pytest.mark.parametrize(
    "url",
    [
        "", "-x", "--upload-pack=x", "ext::sh -c x", "fd::3", "a::b", "relative/x", "http://h/x",
        "ftp://h/x", "ssh://-oProxyCommand=x/y", "ssh://u@-oProxyCommand=x/y", "https://", "h:-x",
        "https://h/\nx", "git@host:\0", "-oProxyCommand=x:y",
    ],
)  # fmt: skip
def test_h67_urls_that_could_run_something_are_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        names.check_url(url, DEFAULT_PROTOCOLS)
    assert caught.value.code == "bad_url"


def test_a_protocol_can_be_allowed() -> None:
    with pytest.raises(UsageError):
        names.check_url("http://10.0.0.1/x", DEFAULT_PROTOCOLS)
    assert names.check_url("http://10.0.0.1/x", DEFAULT_PROTOCOLS | {"http"})


def test_plain_http_is_spoken_on_loopback_only() -> None:
    assert names.check_url("http://127.0.0.1:8080/o/r.git", DEFAULT_PROTOCOLS)
    for url in ("http://127.0.0.1.example.org/x", "http://localhost@example.org/x", "http:///x"):
        with pytest.raises(UsageError):
            names.check_url(url, DEFAULT_PROTOCOLS)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("relative/a", "a"), ("/x/../a", "a"), ("/x/a/", "a"), ("/x/a\nb", "a\nb"), ("/x/b", "a"),
        ("/x/" + "a" * 256, "a" * 256), ("/x" * 1600 + "/a", "a"), ("/x/\udcff", "\udcff"), ("", ""),
    ],
)  # fmt: skip
def test_paths_that_cannot_hold_a_worktree_are_refused(path: str, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        names.check_worktree_path(path, name)
    assert caught.value.code == "bad_path"


def test_a_path_with_spaces_and_letters_of_any_kind_is_fine() -> None:
    assert names.check_worktree_path("/home/me/a b/é漢", "é漢")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a" * 40, True),
        ("0" * 64, True),
        ("A" * 40, False),
        ("a" * 41, False),
        ("a" * 40 + "\n", False),
        ("", False),
    ],
)
def test_commit_ids_are_full(text: str, is_one: bool) -> None:
    assert names.is_commit_id(text) is is_one
    if not is_one:
        with pytest.raises(UsageError):
            names.check_commit_id(text)
