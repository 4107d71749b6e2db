"""Front matter is read as YAML reads it, changed one value at a time, and refused with its line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import assume, given, settings, strategies as st

from orch.trackers.frontmatter import read, render, with_body, with_scalar, with_sequence
from orch.trackers.scalars import Broken

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TRICKY = st.sampled_from(
    ["", " ", "---", "- a", "a: b", "a #b", "#", "[a]", "'", '"', "\\", "\r\n", "true", "1e3", "~"]
)
WORDS = TEXT | TRICKY
LISTS = st.lists(WORDS, max_size=5)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Front matter as a person may have left it, with `title` and `labels` somewhere in it."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    trailing = st.sampled_from(["", "  ", "   # why", " #"])
    title = draw(
        st.sampled_from(["title: plain", "title:   'single ''quoted'''", 'title : "dou\\"ble"'])
        | st.just("title:")
    )
    labels = draw(
        st.sampled_from(
            [
                ["labels:"],
                ["labels: [a, 'b c', \"d\"]"],
                ["labels: [ ]"],
                ["labels:", "- a", "# between", "- 'b c' # kept", "", "- d"],
                ["labels:   # said", "    - a", "    -   b c", "  # x"],
                ["labels: ~"],
            ]
        )
    )
    others = draw(
        st.lists(
            st.sampled_from(
                [
                    ["# a comment"],
                    [""],
                    ["   "],
                    ["due date: 2025-01-01   "],
                    ["nested:", "  deep:", "    - {a: b}", "", "  more: *x"],
                    ["notes: |", "  title: not this one", "  ---", "  - no"],
                    ["ключ: &a !tag значение"],
                    ["  # indented comment"],
                ]
            ),
            max_size=4,
            unique_by=lambda lines: lines[0],
        )
    )
    parts = draw(st.permutations([[title], labels, *others]))
    lines = [line for part in parts for line in part]
    lines = [
        line + draw(trailing) if line and "#" not in line and ":" in line[:8] else line
        for line in lines
    ]
    # An indented line before the first key belongs to nothing.
    while lines[0].startswith(" ") and lines[0].strip() and not lines[0].strip().startswith("#"):
        lines = lines[1:]
    body = draw(st.sampled_from(["", newline, f"{newline}Text", "Text", f"{newline}{newline}  a "]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    fences = draw(st.tuples(*[st.sampled_from(["---", "--- "])] * 2))
    end = newline if body else draw(st.sampled_from(["", newline]))
    return mark + newline.join([fences[0], *lines, fences[1]]) + end + body


@given(title=WORDS, labels=LISTS, body=TEXT)
def test_what_is_written_reads_back(title: str, labels: list[str], body: str) -> None:
    text = render([("title", title), ("labels", labels), ("other", "x")], body)
    document = read(text)
    assert document.scalar("title") == title
    assert document.sequence("labels") == tuple(labels)
    assert document.body == body
    assert read(text.encode().decode()).text == text


@given(title=WORDS)
def test_what_is_written_shows_no_control_and_no_bidi_character(title: str) -> None:
    head = render([("title", title)], "")
    assert all(c.isprintable() or c in "\n\u200c\u200d\u3000" for c in head)


@settings(max_examples=300)
@given(text=documents(), title=WORDS)
def test_h88_a_scalar_changes_nothing_around_it(text: str, title: str) -> None:
    before = read(text)
    after = read(with_scalar(before, "title", title))
    assert after.scalar("title") == title
    assert after.sequence("labels") == before.sequence("labels")
    assert after.body == before.body
    assert _others(after.text, "title") == _others(text, "title")
    assert after.text.startswith(text[: before.fields["title"].after_colon])


@settings(max_examples=300)
@given(text=documents(), labels=LISTS)
def test_h88_a_list_changes_nothing_around_it(text: str, labels: list[str]) -> None:
    before = read(text)
    after = read(with_sequence(before, "labels", labels))
    assert after.sequence("labels") == tuple(labels)
    assert after.scalar("title") == before.scalar("title")
    assert after.body == before.body
    outside = [line for line in _others(text, "labels") if not line.lstrip().startswith("- ")]
    kept = _others(after.text, "labels")
    assert [line for line in kept if not line.lstrip().startswith("- ")] == outside


@settings(max_examples=200)
@given(text=documents(), body=TEXT)
def test_h88_a_body_changes_nothing_above_it(text: str, body: str) -> None:
    before = read(text)
    after = read(with_body(before, body))
    assert after.body == body
    assert after.text.startswith(text[: before.rest])


@settings(max_examples=200)
@given(text=documents(), key=st.sampled_from(["pr_url", "resolved"]), value=TEXT)
def test_h88_a_new_key_goes_below_the_others(text: str, key: str, value: str) -> None:
    assume(value)
    before = read(text)
    changed = with_scalar(before, key, value)
    assert read(changed).scalar(key) == value
    at = before.closing.start
    assert changed.startswith(text[:at])
    assert changed.endswith(text[at:])


@settings(max_examples=300)
@given(text=documents(), title=WORDS)
def test_a_change_there_and_back_gives_every_byte_back(text: str, title: str) -> None:
    text = with_scalar(read(text), "title", 'the "first" one')
    there = with_scalar(read(text), "title", title)
    assert with_scalar(read(there), "title", 'the "first" one') == text


@given(st.text(st.sampled_from("ab: \n-[]{}\"'#,\\|>&*!%@?=\t\r\x85~"), max_size=60))
def test_anything_at_all_is_read_or_refused_with_a_line(block: str) -> None:
    lines = []
    try:
        document = read("---\n" + block + "\n---\n")
    except Broken as broken:
        lines.append(broken.line)
    else:
        for look in (document.scalar, document.sequence):
            for key in document.fields:
                with suppress_into(lines):
                    look(key)
    assert all(1 <= line <= block.count("\n") + 3 for line in lines)


@contextlib.contextmanager
def suppress_into(lines: list[int]) -> Iterator[None]:
    try:
        yield
    except Broken as broken:
        lines.append(broken.line)


@pytest.mark.parametrize(
    ("block", "line", "word"),
    [
        ("title: a: b", 2, "quotes"),
        ("title: -", 2, "begins with"),
        ("title: =", 2, "begins with"),
        ("title: [a]", 2, "begins with"),
        ("title: *a", 2, "begins with"),
        ("title: |\n  text", 3, "several lines"),
        ("title: a\n  b", 3, "several lines"),
        ('title: "a', 2, "leaves it open"),
        ('x: "a', 2, "leaves it open"),
        ("x: [a", 2, "leaves it open"),
        ("title: 'a' b", 2, "after its closing quote"),
        ('title: "\\q"', 2, "escape"),
        ('title: "\\ud800"', 2, "no character"),
        ("title: a\ntitle: b", 3, "twice"),
        ("just words", 2, "not `key: value`"),
        ("\tx: y", 2, "tab"),
        ("title: a\tb", 2, "tab"),
        ("  x: y", 2, "belongs to no"),
        ("- x", 2, "belongs to no"),
        ('"x": y', 2, "key"),
        ("title: \x1b[31m", 2, "U+001B"),
        ("x: a\rb", 2, "U+000D"),
        ("x: \u2028", 2, "U+2028"),
        ("labels: a", 2, "write [a, b]"),
        ("labels: [a, [b]]", 2, "empty item"),
        ("labels: [a, , b]", 2, "empty item"),
        ("labels: [a: b]", 2, "colon"),
        ("labels: [a] b", 2, "closing bracket"),
        ("labels:\n- a\n- b: c", 4, "colon"),
        ("labels:\n- a\n - b", 4, "no `- item`"),
        ("labels:\n-", 3, "empty"),
        ("labels:\n- - a", 3, "begins with"),
        ("labels: []\n- a", 3, "has a value already"),
        ("labels:\n  a: b", 3, "no `- item`"),
    ],
)
def test_h105_what_is_not_understood_is_refused_with_its_line(
    block: str, line: int, word: str
) -> None:
    def look() -> None:
        document = read(f"---\n{block}\n---\n")
        document.scalar("title")
        document.sequence("labels")

    with pytest.raises(Broken) as broken:
        look()
    assert broken.value.line == line
    assert word in broken.value.reason


@pytest.mark.parametrize(
    "text", ["", "x", "--- x\n---\n", " ---\n---\n", "---", "---\nx: y\n", "---\r", "---\n---\r"]
)
def test_h105_front_matter_that_is_missing_or_open_is_refused(text: str) -> None:
    with pytest.raises(Broken) as broken:
        read(text)
    assert broken.value.line == 1


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("title: plain words", "plain words"),
        ("title:    spaced    ", "spaced"),
        ("title: a # comment", "a"),
        ("title: a#b", "a#b"),
        ("title: http://x.org/a?b=c", "http://x.org/a?b=c"),
        ("title: # nothing", ""),
        ("title:", ""),
        ("title: ~", ""),
        ("title: null", ""),
        ("title: 'null'", "null"),
        ("title: 007", "007"),
        ("title: 'it''s'", "it's"),
        ('title: "\\t\\x41\\u00e9\\U0001F600\\"\\\\\\/"', '\tAé😀"\\/'),
        ("title: -1", "-1"),
        ("title: it's", "it's"),
    ],
)
def test_scalars_mean_what_they_mean_in_yaml(line: str, value: str) -> None:
    assert read(f"---\n{line}\n---\n").scalar("title") == value


def test_the_lines_of_a_list_keep_their_comments_and_order() -> None:
    text = (
        "---\nlabels: # mine\n  - a # first\n  # between\n"
        "  - 'b c'   # second\n\n  - d\nx: y\n---\n"
    )
    assert with_sequence(read(text), "labels", ["a", "d", "new one"]) == (
        '---\nlabels: # mine\n  - a # first\n  # between\n\n  - d\n  - "new one"\nx: y\n---\n'
    )
    assert with_sequence(read(text), "labels", ["b c"]) == (
        "---\nlabels: # mine\n  # between\n  - 'b c'   # second\n\nx: y\n---\n"
    )
    assert with_sequence(read(text), "labels", []) == (
        "---\nlabels: # mine\n  # between\n\nx: y\n---\n"
    )


def test_a_huge_block_is_refused_fast() -> None:
    for filler in ("\n", "a\n", "x: [\n", "- " * 50 + "\n", '"' * 99 + "\n", " " * 5000 + "x\n"):
        with pytest.raises(Broken):
            read("---\n" + filler * (1_000_000 // len(filler)) + "---\n").scalar("x")
    for value in ("a " * 100_000 + "b", "'" + "''" * 100_000 + "'", '"' + '\\"' * 99_999 + '"'):
        assert len(read(f"---\ntitle: {value}\n---\n").scalar("title")) >= 99_999


def _others(text: str, key: str) -> list[str]:
    """All lines, with their ends, but the one that `key` stands on."""
    return [line for line in text.split("\n") if line.split(":")[0].strip() != key]
