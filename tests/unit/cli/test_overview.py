"""What `orch` alone says: one screen, every command, once."""

from __future__ import annotations

import re

from orch.cli.app import COMMANDS
from orch.cli.overview import GROUPS, overview


def test_it_fits_a_screen_and_names_every_command_once() -> None:
    text = overview(COMMANDS)
    lines = text.splitlines()
    assert len(lines) <= 22, "the typed command and the next prompt need a line each"
    assert max(map(len, lines)) <= 80
    listed = re.findall(r"[a-z]+", text.partition("Commands:\n")[2].partition("\n\n")[0])
    for name in COMMANDS:
        assert listed.count(name) >= 1, name


def test_a_command_without_a_group_stands_under_more() -> None:
    text = overview([*COMMANDS, "unheard"])
    assert re.search(r"^  more +.*\bunheard$", text, re.MULTILINE)


def test_groups_name_only_commands_that_there_are() -> None:
    assert {name for names in GROUPS.values() for name in names} <= set(COMMANDS)
    assert "worktree" not in overview(["run"]).partition("Commands:")[2]
