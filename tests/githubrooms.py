"""A repository at a stand-in for GitHub, over HTTP only: fixtures to import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Repo


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[GitHubStandIn]:
    with GitHubStandIn(tmp_path / "github") as made:
        yield made
        assert made.rest.unknown == []


@pytest.fixture
def repo(standin: GitHubStandIn) -> Repo:
    return a_project(standin, "octo/hello")


def a_project(
    standin: GitHubStandIn, name: str, *, writer: str = "cat", stranger: str = "eve"
) -> Repo:
    """One commit on `main`; `writer` may write there, `stranger` may not. `octo` is who we are."""
    made = standin.world.add_repo(name, rights={"octo": "admin", writer: "write"})
    for login in (writer, stranger):
        standin.world.add_user(login)
    made.git.commit("main", {"README.md": "hello\n"})
    return made
