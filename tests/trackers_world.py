"""A person's world whose repository lives at the stand-in for GitHub, and whose tickets may, too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.acceptance.world import PERSON, World
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Issue, Repo, User

PROJECT = "octo/thing"
RULES = """
[service]
max_parallel = 4
[retry]
base_s = 0.2
max_s = 0.4
max_attempts = 3
[run]
stop_grace_s = 1
[review]
look_s = 0.5
refresh_s = 0.5
begin_s = 0.2
"""
SOURCE = """
[sources.thing]
kind = "github"
repo = "thing"
interval_s = 0.5
"""


class Octo(NamedTuple):
    """`world` is the person's; `octo` owns the project, `cat` may write, `stranger` may not, `bot` is
    whose token the service has."""

    world: World
    github: GitHubStandIn
    project: Repo

    def user(self, login: str) -> User:
        return self.github.world.add_user(login)

    def issue(self, title: str, body: str = "", *, by: str = "octo", labels: Any = ()) -> Issue:
        with self.github.world.lock:
            made = self.github.world.new_issue(self.user(by), self.project, title, body)
            if labels:
                self.github.world.add_labels(self.user(by), made, labels)
        return made

    def label(self, issue: Issue, *names: str, by: str = "octo") -> None:
        with self.github.world.lock:
            self.github.world.add_labels(self.user(by), issue, names)

    def labels(self, issue: Issue) -> set[str]:
        return {label.name for label in issue.labels}

    def said(self, issue: Issue) -> list[str]:
        """The comments that are there, oldest first."""
        return [comment.body for comment in issue.comments]


@contextlib.contextmanager
def at_github(
    root: Path, *, agents: dict[str, str], text: str = RULES + SOURCE, forge: str = "github"
) -> Iterator[Octo]:
    """`text` is the beginning of config.toml."""
    with GitHubStandIn(root / "github") as github:
        for login in ("octo", "cat", "stranger", "bot"):
            github.world.add_user(login, "User")
        project = github.world.add_repo(
            PROJECT, rights={"octo": "admin", "cat": "write", "bot": "write"}
        )
        project.git.commit("main", {"README.md": "a thing\n"})
        home = root / "me"
        world = World(home, home / "orch", home / "thing", Path(str(project.git.path)))
        home.mkdir(parents=True)
        (home / ".gitconfig").write_text(PERSON, encoding="utf-8")
        world.extra.update(github.environ("bot"))
        url = github.remote(PROJECT, "bot")
        world.git("clone", "--quiet", url, str(world.repo), where=home)
        world.configure(agents, f'{text}\n[repos.thing]\nforge = "{forge}"\n')
        world.ask("repo", "add", str(world.repo))
        try:
            yield Octo(world, github, project)
        finally:
            world.orch("service", "stop")
            world.close()
