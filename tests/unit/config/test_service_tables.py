"""The tables of unattended work: read, refused, set, and not a repository's to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.config import load
from orch.model.errors import ConfigError
from orch.model.routing import candidates

TEXT = """
[agents.a]
command = ["prog"]

[router]
mode = "llm"
agent = "a"
model = "small"

[model_map.complex]
a = ["big", "small"]
b = "huge"

[budget.day]
usd = 20
[budget.task]
tokens = 100000

[timeouts]
stuck_simple_s = 60

[breakers]
depth = 3

[prices."gpt-5.4"]
input = 1
"""


def read(tmp_path: Path, text: str, repo: Path | None = None) -> object:
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "config.toml").chmod(0o600)
    return load(tmp_path, repo, {}, {"HOME": str(tmp_path)})


def test_every_table_arrives(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(TEXT)
    (tmp_path / "config.toml").chmod(0o600)
    config = load(tmp_path, None, {}, {"HOME": str(tmp_path)})
    assert (config.router.mode, config.router.model, config.router.fallback) == ("llm", "small", "")
    assert config.model_map.tiers()["complex"] == {"a": ("big", "small"), "b": ("huge",)}
    (candidate,) = candidates(["a"], config.model_map.tiers(), "complex")
    assert candidate.models == ("big", "small")
    assert config.budget["day"].usd == 20.0
    assert config.budget["task"].tokens == 100_000
    assert config.timeouts.stuck_simple_s == 60
    assert config.timeouts.stuck_medium_s == 1800
    assert (config.breakers.depth, config.breakers.same_diff) == (3, 2)
    assert config.prices["gpt-5.4"].input == 1.0
    assert config.origin("budget.day.usd").file.endswith("config.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[router]\nmode = "random"\n', "round_robin"),
        ('[router]\nagent = "nobody"\n', "there is no agent"),
        ('[router]\nfallback = "nobody"\n', "there is no agent"),
        ('[model_map.simple]\nA = "x"\n', "not the name of an agent"),
        ("[model_map.simple]\na = 3\n", "expected a model"),
        ("[model_map.simple]\na = []\n", "expected a model"),
        ('[model_map]\nsimple = "x"\n', "expected a table"),
        ('[model_map.hard]\na = "x"\n', "unknown key"),
        ("[budget.week]\nusd = 1\n", "run, task, agent, repo or day"),
        ("[budget.day]\nusd = -1\n", "0 or more"),
        ("[budget.day]\nusd = inf\n", "0 or more"),
        ("[budget.day]\neuros = 1\n", "unknown key"),
        ("[metering]\nkeep_for_people = 1.5\n", "from 0 to 1"),
        ("[breakers]\ndepth = -1\n", "whole number"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        '[router]\nmode = "llm"\n',
        '[model_map.simple]\na = "big"\n',
        "[budget.day]\nusd = 1000\n",
        "[metering]\nusd_per_mtoken = 0\n",
        "[breakers]\ndepth = 0\n",
        "[timeouts]\nsimple_s = 99999\n",
        "[prices.x]\ninput = 0\noutput = 0\n",
    ],
)
def test_a_repository_has_no_say_in_what_is_spent(tmp_path: Path, text: str) -> None:
    home, repo = tmp_path / "home", tmp_path / "repo"
    home.mkdir()
    repo.mkdir()
    (repo / ".orch.toml").write_text(text)
    with pytest.raises(ConfigError, match="cannot be set by a repository"):
        read(home, "", repo)
