"""`orch cron` as scripts use it."""

from __future__ import annotations

import pytest

from tests.acceptance.world import World

BERLIN = ("--tz", "Europe/Berlin")


def test_the_exit_code_says_whether_it_is_due(world: World) -> None:
    due = world.orch("cron", "30 9 * * mon-fri", "--at", "2026-06-01T09:30Z", "--tz", "UTC")
    assert (due.code, due.err) == (0, "")
    assert due.out == "due: 2026-06-01T09:30:00Z\nnext: 2026-06-02T09:30:00Z\n"
    off = world.orch("cron", "30 9 * * mon-fri", "--at", "2026-05-31T09:30Z", "--tz", "UTC")
    assert (off.code, off.out) == (1, "not due\nnext: 2026-06-01T09:30:00Z\n")
    elsewhere = world.root / "elsewhere"
    quiet = world.orch("cron", "* * * * *", "--quiet", env={"ORCH_HOME": str(elsewhere)})
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert not elsewhere.exists(), "a question makes no home"


def test_json_and_the_zone(world: World) -> None:
    said = world.ask("cron", "@daily", "--at", "2026-03-29T00:00", "--next", "2", *BERLIN)
    assert said == {
        "expression": "@daily", "zone": "Europe/Berlin", "at": "2026-03-29T00:00:00+01:00",
        "since": None, "due": True, "slot": "2026-03-29T00:00:00+01:00",
        "next": ["2026-03-30T00:00:00+02:00", "2026-03-31T00:00:00+02:00"],
    }  # fmt: skip
    gap = world.ask("cron", "30 2 * * *", "--at", "2026-03-29T01:00", *BERLIN, code=1)
    assert gap["next"] == ["2026-03-29T03:00:00+02:00"]
    here = {"TZ": "Asia/Tokyo"}
    assert world.ask("cron", "@daily", "--next", "0", env=here, code=1)["zone"] == "Asia/Tokyo"
    odd = {"TZ": "CET-1CEST"}
    assert world.ask("cron", "* * * * *", env=odd)["zone"] == "UTC"


def test_since_asks_for_a_slot_between(world: World) -> None:
    at = ("--at", "2026-06-01T12:00Z", "--tz", "UTC")
    said = world.ask("cron", "0 9 * * *", "--since", "2026-05-31T12:00Z", *at)
    assert (said["due"], said["slot"]) == (True, "2026-06-01T09:00:00Z")
    after = world.ask("cron", "0 9 * * *", "--since", "2026-06-01T09:00Z", *at, code=1)
    assert (after["due"], after["slot"]) == (False, None)
    assert world.ask("cron", "0 12 * * *", "--since", "2026-06-01T11:59Z", *at)["due"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("61 * * * *",), "bad_schedule"),
        (("* * *",), "bad_schedule"),
        (("@reboot",), "bad_schedule"),
        (("@daily", "--at", "tomorrow"), "bad_time"),
        (("@daily", "--at", "1066-10-14T09:00"), "bad_time"),
        (("@daily", "--tz", "Nowhere"), "unknown_zone"),
    ],
)
def test_what_is_no_expression_ends_with_2(world: World, words: tuple[str, ...], code: str) -> None:
    world.refused("cron", *words, code=code, exit_code=2)
