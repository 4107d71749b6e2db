"""By whose words the forge of a repository is reached: its own source's, never another server's."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from orch.compose.forging import Forging
from orch.config import load
from orch.config.secret import Secret
from orch.config.source_tree import ForgeConfig, SourceConfig
from orch.model.repo import Repo


def source(repo: str, token: str = "", base_url: str = "") -> SourceConfig:
    return SourceConfig(kind="github", repo=repo, token=Secret(token), base_url=base_url)


def choice(sources: dict[str, SourceConfig], slug: str = "thing", **forges: ForgeConfig) -> str:
    """What is chosen for a repository at GitHub, and the token by which it is reached."""
    config = replace(load(Path("/nowhere"), None, {}, {}), sources=sources, forges=forges)
    repo = Repo(
        slug=slug, local_path="/r", common_dir="/r/.git", pinned_dir="/p", workspace_dir="/w",
        default_branch="main", remote_name="origin", remote_url="https://github.com/octo/thing",
    )  # fmt: skip
    forging = Forging(lambda: config, lambda name: repo, {})
    chosen = forging.choice_of(slug)
    settings = forging.settings_of(chosen)
    name = "@".join(filter(None, chosen))
    return " ".join(filter(None, (name, settings.token.reveal(), settings.base_url)))


def test_each_repository_has_the_credential_of_its_own_source() -> None:
    both = {"a": source("other", "env:OTHER"), "b": source("thing", "env:THING")}
    assert choice(both) == "github@b env:THING"
    assert choice(both, "other") == "github@a env:OTHER"


def test_what_its_own_source_does_not_say_is_nobody_elses_to_say() -> None:
    assert choice({"a": source("other", "file:/nope"), "b": source("thing")}) == "github"


def test_without_a_source_another_one_at_the_same_server_will_do() -> None:
    assert choice({"a": source("other", "env:OTHER")}) == "github@a env:OTHER"
    elsewhere = {"a": source("other", "env:OTHER", "https://git.example.org/api/v3")}
    assert choice(elsewhere) == "github"
    there = {"a": source("other", "env:OTHER", "https://api.github.com")}
    assert choice(there) == "github@a env:OTHER https://api.github.com"


def test_of_two_sources_of_its_own_the_one_at_its_server_counts() -> None:
    both = {
        "a": source("thing", "env:A", "https://git.example.org/api/v3"),
        "b": source("thing", "env:B", "https://api.github.com"),
    }
    assert choice(both) == "github@b env:B https://api.github.com"


def test_tickets_elsewhere_say_nothing_of_the_forge() -> None:
    assert choice({"a": source("thing", "env:A", "https://git.example.org/api/v3")}) == "github"
    here = "http://127.0.0.1:9000"
    assert choice({"a": source("thing", "env:A", here)}) == f"github@a env:A {here}"


def test_a_table_of_its_own_outranks_every_source() -> None:
    mine = ForgeConfig(token=Secret("env:MINE"))
    assert choice({"a": source("thing", "env:A")}, github=mine) == "github env:MINE"


def test_a_repository_that_is_elsewhere_is_nobodys() -> None:
    assert choice({}) == "github"
