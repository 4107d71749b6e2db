"""The tools and the disk are looked at before anything is begun."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orch.api.preflight import Preflight
from orch.git.memory import MemoryGit
from orch.model.errors import OrchError, ToolFailed
from orch.terminals.memory import MemoryTerminals, Script


def refused(code: str, act: Callable[[], Any]) -> OrchError:
    with pytest.raises(ToolFailed) as caught:
        act()
    assert caught.value.code == code
    return caught.value


class OtherGit(MemoryGit):
    """git of another version; None is no git at all."""

    def __init__(self, other: tuple[int, ...] | None) -> None:
        super().__init__()
        self.other = other

    def version(self) -> tuple[int, ...]:
        if self.other is None:
            raise ToolFailed("there is no git", code="git_missing")
        return self.other


class OtherTmux(MemoryTerminals):
    """tmux of another version; None is no tmux at all."""

    def __init__(self, other: tuple[int, ...] | None) -> None:
        super().__init__(lambda _, __: Script(), lambda _, __: None, lambda: 0.0)
        self.other = other

    def version(self) -> tuple[int, ...]:
        if self.other is None:
            raise ToolFailed("there is no tmux", code="tmux_missing")
        return self.other


TOOLS = [
    ((2, 38), (3, 2), True, ""),
    ((2, 39, 5), (3, 3), True, ""),
    ((3,), (4,), True, ""),
    ((2, 37, 9), (3, 3), True, "git_too_old"),
    ((1, 9), (3, 3), True, "git_too_old"),
    ((2, 40), (3, 1), True, "tmux_too_old"),
    ((2, 40), (3, 1), False, ""),
    ((2, 40), None, False, ""),
    ((2, 40), None, True, "tmux_missing"),
    (None, (3, 3), True, "git_missing"),
]


@pytest.mark.parametrize(("git", "tmux", "needs_tmux", "code"), TOOLS)
def test_tools_are_there_and_new_enough(git: Any, tmux: Any, needs_tmux: bool, code: str) -> None:
    preflight = Preflight(OtherGit(git), OtherTmux(tmux), 0)
    if not code:
        preflight.tools(tmux=needs_tmux)
        return
    error = refused(code, lambda: preflight.tools(tmux=needs_tmux))
    assert error.exit_code == 9
    if code.endswith("too_old"):
        assert "or newer is needed" in error.message
        assert error.hint


def preflight_with(room_mb: int) -> Preflight:
    return Preflight(OtherGit((2, 40)), OtherTmux((3, 3)), room_mb)


def test_room_is_looked_for_on_the_disk_a_folder_will_be_on(tmp_path: Path) -> None:
    preflight_with(0).room(str(tmp_path), str(tmp_path / "not" / "there" / "yet"))
    huge = math.floor(2**60 / 2**20)
    absent = str(tmp_path / "not" / "there" / "yet")
    error = refused("disk_full", lambda: preflight_with(huge).room(absent))
    assert absent in error.message
    assert "nothing was changed" in error.message
