"""Keys follow from where a step stands, never from time, text or luck."""

from __future__ import annotations

import re

from hypothesis import given, settings, strategies as st

from orch.model.ids import attempt_id, short, step_key

WORD = st.text("abcdef0123456789/._-", min_size=1, max_size=30)
PLACE = st.tuples(WORD, WORD, WORD, st.integers(1, 50))


def test_keys_are_the_same_for_ever() -> None:
    """A changed recipe would make every effect under way unfindable: these never change."""
    assert step_key("install", "0123456789ab", "2/gather.1/0") == "xpjtfz5a6psf2thl2dua"
    assert attempt_id("install", "0123456789ab", "2/gather.1/0", 1) == "8f18130a67b5"


@given(place=PLACE)
@settings(deadline=None)
def test_keys_have_one_form(place: tuple[str, str, str, int]) -> None:
    assert re.fullmatch(r"[a-z2-7]{20}", step_key(*place))
    assert re.fullmatch(r"[0-9a-f]{12}", attempt_id(*place))
    assert step_key(*place) == step_key(*place)


@given(places=st.lists(PLACE, min_size=2, max_size=60, unique=True))
@settings(deadline=None)
def test_h54_h103_other_places_have_other_keys(places: list[tuple[str, str, str, int]]) -> None:
    """Install, run, path (with its iteration and branch) and attempt all count."""
    assert len({step_key(*place) for place in places}) == len(places)
    assert len({attempt_id(*place) for place in places}) == len(places)


def test_h103_neighbours_do_not_collide() -> None:
    places = [
        (install, run, f"{n}/gather.{branch}/{step}", attempt)
        for install in ("a", "b")
        for run in ("0" * 12, "1" * 12)
        for n in range(12)
        for branch in range(12)
        for step in range(5)
        for attempt in (1, 2, 3)
    ]
    assert len({step_key(*place) for place in places}) == len(places)
    assert len({attempt_id(*place) for place in places}) == len(places)


def test_parts_do_not_run_into_one_another() -> None:
    assert step_key("a", "bc", "d") != step_key("ab", "c", "d")
    assert step_key("a", "b", "1", 11) != step_key("a", "b", "11", 1)
    assert attempt_id("a", "b", "1", 11) != attempt_id("a", "b", "11", 1)


def test_the_short_form_is_what_people_type() -> None:
    assert short("0123456789ab") == "0123456"


def test_h55_an_attempt_is_known_by_its_record_whatever_its_names_end_in() -> None:
    """H55: names that look like suffixes of other names change nothing: ids follow from the path."""
    ids_of = {
        path: attempt_id("install", "r" * 12, path, 1) for path in ("1", "1-review", "1/do/0")
    }
    assert len(set(ids_of.values())) == 3
    assert all(len(name) == 12 for name in ids_of.values())
