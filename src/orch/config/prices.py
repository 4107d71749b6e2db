"""The list of prices that ships, with the person's own prices laid over it.

Invariant: every price says where and of what day it is; what the person set beats what ships.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import msgspec

from orch.config.service_tree import PriceConfig
from orch.model.price import Price, Prices, price_of

FILE = "prices.toml"


@functools.cache
def shipped() -> Prices:
    """The list beside this file."""
    import tomllib

    raw = tomllib.loads((Path(__file__).parent / FILE).read_text(encoding="utf-8"))
    return {
        model: Price(**figures, source=source["name"], as_of=source["read"])
        for source in raw["source"]
        for model, figures in source["models"].items()
    }


def in_force(own: Mapping[str, PriceConfig]) -> Prices:
    """What ships, and over it `[prices.MODEL]`."""
    prices = dict(shipped())
    for model, one in own.items():
        listed = price_of(model, prices)
        figures = {**(msgspec.structs.asdict(listed) if listed else {}), **_given(one)}
        if {"input", "output"} <= figures.keys():
            prices[model] = Price(**{**figures, "source": "config.toml", "as_of": ""})
    return prices


def _given(one: PriceConfig) -> dict[str, float]:
    figures = msgspec.structs.asdict(one)
    return {name: amount for name, amount in figures.items() if amount is not None}
