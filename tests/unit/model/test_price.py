"""Tokens times a dated price; what is not known stays unknown."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from orch.config import prices
from orch.config.service_tree import PriceConfig
from orch.model.price import Price, Tokens, cost, cost_of, price_of, tokens_of

LIST = {
    "opus": Price(input=15, output=75, cache_read=1.5, cache_write=18.75),
    "plain": Price(input=2, output=8),
    "gpt-5.4": Price(input=2.5, output=15),
}


@pytest.mark.parametrize(
    ("model", "tokens", "dollars"),
    [
        ("opus", Tokens(input=1_000_000, output=1_000_000), 90.0),
        ("opus", Tokens(input=0, output=0, cache_read=1_000_000), 1.5),
        ("plain", Tokens(input=0, output=0, cache_read=1_000_000), 2.0),
        ("plain", Tokens(input=500, output=0), 0.001),
        ("plain", Tokens(input=500), None),
        ("plain", Tokens(output=500), None),
        ("other", Tokens(input=1, output=1), None),
        ("", Tokens(input=1, output=1), None),
    ],
)
def test_cost(model: str, tokens: Tokens, dollars: float | None) -> None:
    assert cost(model, tokens, LIST) == (dollars if dollars is None else pytest.approx(dollars))


@pytest.mark.parametrize(
    "name",
    ["opus", "anthropic/opus", "opus-20260101", "opus-latest", "opus[1m]", "x/y/opus@20260101"],
)
def test_a_model_is_found_under_the_names_it_goes_by(name: str) -> None:
    assert price_of(name, LIST) == LIST["opus"]


@pytest.mark.parametrize("name", ["opus-5", "my-opus", "gpt-5", "gpt-5.4-mini", "gpt"])
def test_a_name_that_only_looks_alike_has_no_price(name: str) -> None:
    assert price_of(name, LIST) is None


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        ({"cost_usd": 0.25, "input_tokens": 10**6, "output_tokens": 0}, 0.25),
        ({"cost_usd": 0, "input_tokens": 10**6, "output_tokens": 0}, 0.0),
        ({"cost_usd": -1, "input_tokens": 10**6, "output_tokens": 0}, 2.0),
        ({"cost_usd": float("nan"), "input_tokens": 10**6, "output_tokens": 0}, 2.0),
        ({"cost_usd": True, "input_tokens": 10**6, "output_tokens": 0}, 2.0),
        ({"cost_usd": "1", "input_tokens": "x"}, None),
        ({}, None),
    ],
)
def test_what_an_agent_reports_beats_the_list(usage: dict[str, Any], dollars: float | None) -> None:
    assert cost_of(usage, "plain", LIST) == dollars


def test_tokens_that_nobody_counted_are_not_zero() -> None:
    assert tokens_of({}).total is None
    assert tokens_of({"output_tokens": 5}).total == 5
    assert tokens_of({"input_tokens": -3, "output_tokens": True}).total is None
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3}
    assert tokens_of({**usage, "cache_creation_input_tokens": 4}).total == 10


def test_the_list_that_ships_is_dated_and_has_a_source() -> None:
    shipped = prices.shipped()
    assert len(shipped) > 20
    for model, price in shipped.items():
        assert price.source, model
        datetime.date.fromisoformat(price.as_of)
        assert 0 < price.input < price.output, model
        assert (price.cache_read or 0) < price.input, model
    assert price_of("claude-sonnet-4-5-20250929", shipped) is not None
    assert price_of("nobody-knows", shipped) is None


def test_the_persons_prices_lie_over_the_list() -> None:
    mine = prices.in_force(
        {
            "own-model": PriceConfig(input=0.0, output=0.0),
            "half-known": PriceConfig(input=1.0),
            "gpt-5": PriceConfig(output=99.0),
        }
    )
    assert mine["own-model"].input == 0.0
    assert "half-known" not in mine
    assert (mine["gpt-5"].input, mine["gpt-5"].output) == (1.25, 99.0)
    assert mine["gpt-5"].source == "config.toml"
    assert "half-known" not in prices.shipped()
