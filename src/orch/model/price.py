"""What an attempt cost: tokens times a dated price, or nothing known.

Invariant: an unknown model, or tokens that nobody counted, is an unknown cost (None), never zero and
never a guess; a cost that the agent itself reports beats the list. Prices are data
(`orch.config.prices`), nothing here holds one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

MILLION = 1_000_000
_DATE = re.compile(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$")
_WINDOW = re.compile(r"\[[0-9a-z]+\]$")


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars per million tokens. Without a price of their own, tokens from the cache cost what
    fresh ones do: never too little. `source` and `as_of` (a date) say where it is from."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    source: str = ""
    as_of: str = ""


Prices = Mapping[str, Price]
"""Model -> price."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """`input` without those of the cache; None: nobody counted."""

    input: int | None = None
    output: int | None = None
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int | None:
        """All of them; None when neither side was counted."""
        if self.input is None and self.output is None:
            return None
        return (self.input or 0) + (self.output or 0) + self.cache_read + self.cache_write


def price_of(model: str, prices: Prices) -> Price | None:
    """The price of a model under the name that it was given by: with a vendor in front
    (`anthropic/…`), a date or a context window behind (`…-20260101`, `…[1m]`)."""
    name = model.strip()
    for shorter in (name, _WINDOW.sub("", name)):
        for candidate in (shorter, _DATE.sub("", shorter)):
            for word in (candidate, candidate.rpartition("/")[2]):
                if word in prices:
                    return prices[word]
    return None


def cost(model: str, tokens: Tokens, prices: Prices) -> float | None:
    """US dollars; None when the model has no known price or a side was not counted."""
    price = price_of(model, prices)
    if price is None or tokens.input is None or tokens.output is None:
        return None
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    dollars = (
        tokens.input * price.input
        + tokens.output * price.output
        + tokens.cache_read * read
        + tokens.cache_write * write
    )
    return dollars / MILLION


def tokens_of(usage: Mapping[str, Any]) -> Tokens:
    """The tokens in an attempt's `usage`."""
    return Tokens(
        input=_count(usage.get("input_tokens")),
        output=_count(usage.get("output_tokens")),
        cache_read=_count(usage.get("cache_read_input_tokens")) or 0,
        cache_write=_count(usage.get("cache_creation_input_tokens")) or 0,
    )


def cost_of(usage: Mapping[str, Any], model: str, prices: Prices) -> float | None:
    """What an attempt cost: as it reports itself (`cost_usd`), else by the list; None: unknown."""
    told = usage.get("cost_usd")
    if isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < math.inf:
        return float(told)
    return cost(model, tokens_of(usage), prices) if model else None


def _count(value: Any) -> int | None:
    usable = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if usable else None
