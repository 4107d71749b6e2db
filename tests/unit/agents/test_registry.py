"""Agents by name: what was asked for, or an error that says what there is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orch import plugins
from orch.agents.command import CommandAgent
from orch.agents.registry import Configured, Registry
from orch.agents.scripted_agent import ScriptedAgent
from orch.config import load
from orch.config.loading import PROGRAMS
from orch.model.errors import NotFound, UsageError

TWO = "[agents.coder]\ncommand = ['x']\n[agents.player]\nkind = 'scripted'\n"


def registry(tmp_path: Path, text: str) -> Registry:
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "config.toml").chmod(0o600)
    return Registry(load(tmp_path, None, {}, {}))


def test_each_kind_has_its_class(tmp_path: Path) -> None:
    agents = registry(tmp_path, TWO)
    assert agents.names() == ["coder", "player"]
    assert type(agents.get("coder")) is CommandAgent
    assert type(agents.get("player")) is ScriptedAgent
    assert agents.get("coder").name == "coder"


def test_an_unknown_name_is_answered_with_the_nearest_and_all(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        registry(tmp_path, TWO).get("codr")
    assert caught.value.code == "unknown_agent"
    assert caught.value.exit_code == 3
    assert "did you mean coder? (configured: coder, player)" in caught.value.message


@pytest.mark.parametrize(
    ("asked", "run", "text", "chosen"),
    [
        ("coder", "player", TWO, "coder"),
        (None, "player", TWO, "player"),
        (None, "", TWO + "[defaults]\nagent = 'player'\n", "player"),
        (None, "", "[agents.one]\ncommand = ['x']\n", "one"),
    ],
)
def test_the_effects_then_the_runs_then_the_default_then_the_only_one(
    tmp_path: Path, asked: str | None, run: str, text: str, chosen: str
) -> None:
    assert registry(tmp_path, text).choose(asked, run) == chosen


def test_who_was_taken_out_shows_nothing_and_may_still_be_written_to(tmp_path: Path) -> None:
    """A run's agent can be at work when its entry goes."""
    text = "[agents.one]\nkind = 'claude'\n"
    config = load(tmp_path, None, {}, {})
    (tmp_path / "config.toml").write_text(text)
    home: Any = SimpleNamespace(config=lambda repo: load(tmp_path, None, {}, {}))
    assert Configured(home).took("one") is not None
    home.config = lambda repo: config
    assert Configured(home).took("one") is None


def test_nothing_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="coder, player") as caught:
        registry(tmp_path, TWO).choose(None, "")
    assert caught.value.code == "agent_needed"
    assert caught.value.hint == "--agent coder, or: orch config set defaults.agent coder"
    with pytest.raises(NotFound):
        registry(tmp_path, TWO).choose(None, "claude")
    with pytest.raises(UsageError) as caught:
        registry(tmp_path, "").choose(None, "")
    assert caught.value.code == "no_agent"
    command = """orch config set agents.{}.command '["PROGRAM", "ARG"]'"""
    assert caught.value.hint == command.format("mine")
    for name, offered in (("wholly-other", "wholly-other"), ("a b; rm", "mine")):
        with pytest.raises(NotFound) as unknown:
            registry(tmp_path, "").choose(name, "")
        assert unknown.value.hint == command.format(offered)


def test_every_shipped_program_may_be_started_by_another_command() -> None:
    shipped = plugins.SHIPPED[plugins.AGENTS].items()
    known = {name for name, module in shipped if hasattr(import_module(module), "PROGRAM")}
    assert known == PROGRAMS
