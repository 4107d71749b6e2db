"""Plays of many seeds, whatever the universe: what went wrong, and in which of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Play = Callable[[int], tuple[Any, list[str]]]
"""A seed's universe at its end, and what is wrong with it."""


def all_end_well(play: Play, seeds: range) -> None:
    """The seed that fails is named."""
    for seed in seeds:
        try:
            _, wrong = play(seed)
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
        assert not wrong, f"seed {seed}: {wrong}"


def found_by(play: Play, seeds: int) -> str:
    """What is said about a planted bug."""
    for seed in range(seeds):
        try:
            _, wrong = play(seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the bug was found
            return f"{type(error).__name__}: {error}"
        if wrong:
            return str(wrong)
    return ""
