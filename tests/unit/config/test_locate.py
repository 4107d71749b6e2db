"""The locator agrees with tomllib on what is there, and ends on everything else."""

from __future__ import annotations

import json
import time
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from orch.config.locate import DEPTH, TooDeep, locate

BARE = st.text("abcXYZ019_-", min_size=1, max_size=4)
NAMES = BARE | st.sampled_from(["a b", "a.b", "", "ä", "#", "[x]", "'", '"', "\\", "= 1"])


def quoted(name: str) -> str:
    """A name as a TOML key: bare where possible, else a basic string."""
    return (
        name
        if name and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        else (json.dumps(name, ensure_ascii=False))
    )


SCALARS = st.sampled_from(
    [
        "1", "-2.5", "true", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00", "07:32:00", "0xff",
        "inf", '"a # b"', "'a ] b'", '"\\" = 1"', "'''\n[t]\nx = 1\n'''",
        '"""\nk = [\n"q" \\\n  x\\""""',
        '""', "''", '"""a"""""', "''''a''''",
    ]
)  # fmt: skip
GAPS = st.sampled_from(["", " ", "\n", " # ] } ,\n", "\n\n\t"])


@st.composite
def values(draw: st.DrawFn, depth: int = 0) -> str:
    kind = draw(st.integers(0, 9)) if depth < 3 else 0
    if kind < 7:
        return draw(SCALARS)
    if kind == 7:
        names = draw(st.lists(NAMES, max_size=3, unique=True))
        pairs = [f"{quoted(name)} = {draw(values(depth + 1))}" for name in names]
        return "{ " + ", ".join(pairs) + " }"
    items = [
        draw(GAPS) + draw(values(depth + 1)) + draw(GAPS) for _ in range(draw(st.integers(0, 3)))
    ]
    comma = draw(st.sampled_from(["", ","])) if items else ""
    return "[" + ",".join(items) + comma + draw(GAPS) + "]"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Statements of every kind; now and then they clash, and then tomllib refuses the document."""
    lines = []
    for _ in range(draw(st.integers(0, 8))):
        key = " . ".join(quoted(name) for name in draw(st.lists(NAMES, min_size=1, max_size=3)))
        match draw(st.integers(0, 5)):
            case 0:
                lines.append(f"[ {key} ] # comment")
            case 1:
                lines.append(f"[[{key}]]")
            case 2:
                lines.append(draw(st.sampled_from(["", "# [a]", "   # x = 1", "\t"])))
            case _:
                lines.append(f"  {key} = {draw(values())}  # x = [")
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


def paths(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {path} if path else set()
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        found |= paths(inner, (*path, key))
    return found


@settings(max_examples=300)
@given(documents())
def test_every_path_of_a_document_has_a_line_and_no_other(text: str) -> None:
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        locate(text)
        return
    assert set(locate(text)) == paths(parsed)


@given(
    st.lists(st.tuples(BARE, st.sampled_from(["", "\n", "# x\n", "s = '''\n\n'''\n"])), max_size=9)
)
def test_the_line_is_the_one_on_which_the_key_stands(parts: list[tuple[str, str]]) -> None:
    text, expected = "", {}
    for number, (name, before) in enumerate(parts):
        key = f"k{number}-{name}"
        text += before.replace("s =", f"s{number} =") + f"{key} = [\n  1,\n\n  2,\n]\n"
        line = text.count("\n") - 4
        expected[key,], expected[key, 0], expected[key, 1] = line, line + 1, line + 3
    found = locate(text)
    assert {path: found[path] for path in expected} == expected


def test_tables_arrays_of_tables_and_what_is_inside_them() -> None:
    text = '[a."b c"]\nd.e = 1\n[[t]]\nn = {x = [\n1]}\n[[t]]\n[t.s]\nq = 1\n[[t.u]]\n'
    assert locate(text) == {
        ("a",): 1, ("a", "b c"): 1, ("a", "b c", "d"): 2, ("a", "b c", "d", "e"): 2,
        ("t",): 3, ("t", 0): 3, ("t", 0, "n"): 4, ("t", 0, "n", "x"): 4, ("t", 0, "n", "x", 0): 5,
        ("t", 1): 6, ("t", 1, "s"): 7, ("t", 1, "s", "q"): 8, ("t", 1, "u"): 9, ("t", 1, "u", 0): 9,
    }  # fmt: skip


@given(st.text(st.sampled_from("[]{}=.,\"'#\\\n abu01"), max_size=80) | st.text(max_size=40))
def test_any_text_gives_an_answer(text: str) -> None:
    lines = text.count("\n") + 1
    try:
        found = list(locate(text).values())
    except TooDeep as error:
        found = [error.line]
    assert all(1 <= line <= lines for line in found)


@pytest.mark.parametrize(
    "text",
    [
        "a." * (DEPTH + 1) + "a=1",
        "x=" + "[" * 100_000,
        "x=" + "{a=" * 100_000,
        "[" + "a." * 99 + "a]",
    ],
)
def test_deep_nesting_is_refused_before_it_costs_anything(text: str) -> None:
    with pytest.raises(TooDeep):
        locate(text)


@pytest.mark.parametrize(
    "text",
    [
        '"' * 10**6,
        '"""' + "\\" * 10**6,
        "'''" + "''x" * 300_000,
        'a="""' + '"" ' * 300_000,
        "a=[#" * 250_000,
    ],
    ids=["quotes", "escapes", "apostrophes", "pairs", "comments"],
)
def test_a_megabyte_of_nonsense_costs_no_more_than_reading_it(text: str) -> None:
    before = time.process_time()
    locate(text)
    assert time.process_time() - before < 2
