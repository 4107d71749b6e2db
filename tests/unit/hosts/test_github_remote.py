"""Which repository of GitHub a git remote is."""

from __future__ import annotations

import pytest

from orch.hosts.github.address import address
from orch.hosts.github.remote import project_of


@pytest.mark.parametrize(
    "url",
    [
        "git@github.com:octo/hello.git",
        "git@github.com:octo/hello",
        "github.com:octo/hello.git",
        "git@GitHub.com:/octo/hello.git/",
        "ssh://git@github.com/octo/hello.git",
        "ssh://git@ssh.github.com:443/octo/hello.git",
        "git+ssh://git@github.com/octo/hello",
        "https://github.com/octo/hello",
        "https://github.com/octo/hello.git/",
        "https://www.github.com/octo/hello/",
        "https://x:gho_secret@github.com/octo/hello.git",
        " https://github.com/octo/hello.git\n",
    ],
)
def test_every_spelling_of_a_remote_is_understood(url: str) -> None:
    assert project_of(url, address({})) == "octo/hello"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/srv/git/octo/hello.git",
        "octo/hello",
        "file:///octo/hello.git",
        "http://github.com/octo/hello.git",
        "https://github.com.evil.example/octo/hello.git",
        "https://evil.example/github.com/octo/hello.git",
        "git@evil.example:octo/hello.git",
        "https://github.com/octo/hello/tree/main",
        "https://github.com/octo",
        "https://github.com/octo/..",
        "https://github.com/../octo/hello",
        "https://github.com/o%00cto/hello",
        "https://[::1/octo/hello",
        "https://github.com:99999/octo/hello",
        "C:\\octo\\hello",
    ],
)
def test_what_is_somewhere_else_is_no_project(url: str) -> None:
    assert project_of(url, address({})) == ""


def test_a_server_of_ones_own_is_known_by_its_name() -> None:
    place = address({}, "https://git.example.org/api/v3")
    for url in ("git@git.example.org:a/b.git", "https://git.example.org/a/b",
                "ssh://git@git.example.org:7999/a/b.git"):  # fmt: skip
        assert project_of(url, place) == "a/b"
    assert project_of("git@github.com:a/b.git", place) == ""
    assert project_of("https://acme.ghe.com/a/b", address({}, "https://api.acme.ghe.com")) == "a/b"


def test_on_loopback_the_port_tells_servers_apart() -> None:
    place = address({"GITHUB_API_URL": "http://127.0.0.1:4711"})
    assert project_of("http://127.0.0.1:4711/octo/hello.git", place) == "octo/hello"
    assert project_of("http://x:token@127.0.0.1:4711/octo/hello.git", place) == "octo/hello"
    assert project_of("http://127.0.0.1:4712/octo/hello.git", place) == ""
    assert project_of("https://github.com/octo/hello.git", place) == ""
    assert project_of("http://127.0.0.1:4711/octo/hello.git", address({})) == ""
