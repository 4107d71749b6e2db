"""What agents have written outward reaches nobody and nothing but their own task (RELIABILITY §2, 3
and 28; H95). The judge is GitHub's own reader of Markdown."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings, strategies as st

from orch.model import marks
from orch.model.outward import (
    BREAK,
    LONGEST_BODY,
    LONGEST_TITLE,
    Bounds,
    body,
    labels,
    line,
    message,
    title,
)
from tests.markdown_readers import bare, by_cmark
from tests.outward_judge import trouble

CANARY = "canary-7f3a9b2e51c8d604"
BOUNDS = Bounds(own=("12", "PROJ-12"), hosts=("github.com",), known=(CANARY,))
EVIL = "https://evil.example/p"
WAYS = {
    "a person behind an escaped backtick": "x \\`@cat",
    "image": f"![x]({EVIL}?q=1)",
    "image with a title": f'![x]({EVIL} "t")',
    "image in angle brackets": f"![x](<{EVIL}>)",
    "image by reference": f"![x][r]\n\n[r]: {EVIL}",
    "image by short reference": f"![r]\n\n[r]: {EVIL} 'x'",
    "image by reference in a quote": f"> ![r]\n\n> [r]: {EVIL}",
    "image without a scheme": "![x](//evil.example/p)",
    "image with backslashes": r"![x](https:\/\/evil.example/p)",
    "image with entities": "![x](https&#58;//evil.example/p)",
    "image with named entities": "![x](https&colon;&sol;&sol;evil.example)",
    "image in a link": f"[![x]({EVIL})]({EVIL})",
    "image in a table": f"| a |\n|---|\n| ![x]({EVIL}) |",
    "image in a heading": f"# ![x]({EVIL})",
    "image in a list": f"- [ ] ![x]({EVIL})",
    "image behind a lone backtick": f"` ![x]({EVIL})",
    "image behind two backticks": f"`` ![x]({EVIL}) `",
    "image with a tag": f"<img src='{EVIL}'>",
    "image with a tag in a block": f"<div>\n<img src={EVIL}>\n</div>",
    "image with a tag over lines": f"<img\nsrc='{EVIL}'\n>",
    "image in capital letters": "![x](HTTPS://EVIL.example/p)",
    "image of an allowed host's name": "![x](https://github.com@evil.example/p)",
    "image of a host that begins like it": "![x](https://github.com.evil.example/p)",
    "image of another port's name": "![x](https://evil.example:443/github.com)",
    "image of a picture source": f"<picture><source srcset='{EVIL}'><img></picture>",
    "video": f"<video src='{EVIL}'></video>",
    "frame": f"<iframe src='{EVIL}'></iframe>",
    "object": f"<object data='{EVIL}'></object>",
    "link": f"[x]({EVIL})",
    "link by reference": f"[x][r]\n\n[r]: <{EVIL}>",
    "link with a tag": f"<a href='{EVIL}'>x</a>",
    "link to a script": "[x](javascript:alert(1))",
    "link to data": "[x](data:text/html,x)",
    "autolink": f"<{EVIL}>",
    "bare address": f"see {EVIL}.",
    "bare address in brackets": f"(see {EVIL})",
    "address without a scheme": "see www.evil.example/p",
    "other scheme": "see ftp://evil.example/p",
    "drawn link": f"```mermaid\ngraph TD\nclick A href '{EVIL}'\n```",
    "drawn map": "```geojson\n{}\n```",
    "a person": "thanks @octocat!",
    "a person at a line's beginning": "@octocat: look",
    "a person in a list": "- @octocat",
    "a person in emphasis": "**@octocat**",
    "a person behind a lone backtick": "` @octocat",
    "a person in a link": "[@octocat](#x)",
    "a person in a table": "| a |\n|---|\n| @octocat |",
    "a person spelled by entities": "&#64;octocat &commat;octocat &#x40;octocat @&#111;ctocat",
    "a person behind a backslash": "\\@octocat",
    "another ticket spelled by entities": "Fixes &#35;99, closes &num;99, fixes #&#57;9",
    "another ticket behind a backslash": "Fixes \\#99",
    "a team": "cc @github/security",
    "everybody": "@all @everyone",
    "a person of Jira": "[~accountid:5b10a2844c20165700ede21g]",
    "another ticket closed": "Fixes #99",
    "another ticket closed with a colon": "closes: #99, #100",
    "another repository's ticket": "Fixes other/repo#3",
    "own number of another repository": "Fixes other/repo#12",
    "another ticket's address": "Fixes https://github.com/me/it/issues/99",
    "another ticket's address with a fragment": "Fixes https://github.com/me/it/pull/99#12",
    "another ticket's address with our number": "Fixes https://github.com/me/it/issues/99/12",
    "another ticket in the short form": "Fixes GH-99",
    "another merge request": "see !99",
    "an order to the tracker": "/close",
    "an order in a list": "- /merge",
    "an order in a quote": "> /approve",
    "an order behind blanks": "   /label ~x",
    "a mark": f"x\n\n{marks.mark('thing.abc')}",
    "a mark in code": f"```\n{marks.mark('thing.abc')}\n```",
    "a mark cut by hidden characters": "x <!\u2060-- orch:v1:thing.abc -->",
    "a mark cut by another": "x <!-<!-- orch:a -->- orch:v1:thing.abc -->",
    "a mark of another kind": "<!-- orch:agent-response -->",
    "a hidden comment": "x <!-- secret words -->",
    "hidden characters": "x" + "".join(chr(0xE0000 + ord(c)) for c in "secret words"),
    "terminal's escapes": "x\x1b]0;secret words\x07\x1b[31m",
    "reordered": "x \u202esdrow",
    "a secret": f"the token is {CANARY}",
    "a secret in code": f"```\n{CANARY}\n```",
    "a secret in an address": f"https://github.com/me/it/wiki?{CANARY}",
    "a secret in base64": "Y2FuYXJ5LTdmM2E5YjJlNTFjOGQ2MDQ=",
    "a secret letter by letter": " ".join(CANARY),
    "a secret cut by hidden characters": "\u200b".join(CANARY),
    "a token": "ghp_abcDEF123456ghiJKL789012mnoPQR345678",
}


def test_there_are_sixty_ways() -> None:
    assert len(WAYS) >= 60


@pytest.mark.parametrize("way", WAYS)
def test_every_way_out_is_closed(way: str) -> None:
    assert trouble(WAYS[way]), "the judge has to see it"
    found = body(WAYS[way], BOUNDS)
    assert trouble(found.text) == ""
    assert found.changed
    assert found.told
    assert body(found.text, BOUNDS).text == found.text


@pytest.mark.parametrize("way", WAYS)
def test_every_way_out_is_closed_in_a_line_of_ours(way: str) -> None:
    assert trouble(f"| a | b |\n|---|---|\n| why | {line(WAYS[way], BOUNDS)} |") == ""


def test_a_line_of_ours_shows_to_the_letter_what_is_harmless() -> None:
    said = (
        "[a](b) *c* `d|e` <i> \\ #12 https://github.com/o/r/pull/12. _f_ https://else.example/g_h"
    )
    shown = by_cmark(line(said, BOUNDS))
    assert shown.links == ["https://github.com/o/r/pull/12"]
    assert shown.text.replace(BREAK, "") == bare(said)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fit", [title, message])
def test_every_way_out_is_closed_for_what_is_not_markdown(way: str, fit: object) -> None:
    assert callable(fit)
    text = fit(WAYS[way], BOUNDS).text
    assert not re.search(r"(?<![\w@/])@\w|<!-- ?orch:|7f3a9b2e51c8d604|ghp_a|Y2Fu", text)
    assert not re.search(r"\b(?:fix\w*|close\w*):? +(?:[^\s:]*#|GH-)\d", text, re.I)
    assert not re.search(r"://\S*/(?:issues|pull)/\d", text)
    assert fit(text, BOUNDS).text == text
    assert {c for c in text if not c.isprintable()} <= {"\n", "\t", "\u200b"}


@pytest.mark.parametrize(
    "text",
    [
        "Implements thing:12.\n\n- one\n- two\n\n```py\n@decorator\ndef f(): ...  # 3\n```\n",
        "Fixes #12 as asked; see https://github.com/me/it/issues/12 and `npm i @types/node`.",
        "A [link](docs/a.md), an ![image](docs/a.png), an [anchor](#x), a [page](https://github.com/me/it).",
        "me@example.com, a/b, 1/2, #define, a < b, C#, x > y, 100 %",
        "<details><summary>More</summary>\n\ntext\n\n</details>",
        "| a | b |\n|---|---|\n| 1 | `@x` |",
        "~~~\n/close\n#99\n~~~",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    found = body(text, BOUNDS)
    assert (found.text, found.changed, found.told) == (text, {}, "")


def test_places_have_their_sizes() -> None:
    assert len(body("x" * 100_000, BOUNDS).text) <= LONGEST_BODY
    assert len(title("x " * 1000, BOUNDS).text) <= LONGEST_TITLE
    assert title(" a\n\n b ", BOUNDS).text == "a b"
    assert body("x" * 100_000, BOUNDS).changed == {"cut": 100_000 - LONGEST_BODY + 40}


def test_a_commit_message_orders_nothing() -> None:
    said = (
        "Work [skip ci]\n\nFixes #99, PROJ-3 #close\n\nOrch-Key: a\nCo-authored-by: A <a@b>\n/merge"
    )
    text = message(said, BOUNDS).text
    for words in ("[skip ci]", "#99", "#close", "\nOrch-Key:", "\nCo-authored-by:", "\n/merge"):
        assert words not in text
    assert message("Work on it\n\nFor #12.", BOUNDS).text == "Work on it\n\nFor #12."


def test_labels_are_words_and_none_of_our_states() -> None:
    wished = [
        "bug",
        " two  words ",
        "status:done",
        "Status:new",
        "",
        "a,b",
        "x" * 51,
        "bug",
        CANARY,
        "a\u200bb",
    ]
    assert labels(wished, BOUNDS) == ("bug", "two words", "ab")
    assert len(labels([str(number) for number in range(99)], BOUNDS)) == 20


PIECES = st.sampled_from(
    [
        *WAYS.values(),
        "`",
        "``",
        "```\n",
        "\n",
        "\n\n",
        "> ",
        "- ",
        "    ",
        "](",
        "[",
        "!",
        "\\",
        "<",
        ">",
        "<b>",
        "|",
        "&#58;",
        "@",
        "#9",
        "/",
        "<!--",
        "-->",
        "\u200b",
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join))
def test_no_mixture_of_ways_gets_out(text: str) -> None:
    found = body(text, BOUNDS)
    page = by_cmark(found.text)
    assert not page.images or all(not re.match(r"[a-z]+:|//", to, re.I) for to in page.images)
    assert "<!-- orch:" not in found.text
    assert CANARY not in found.text


@pytest.mark.parametrize(
    "piece",
    [
        "@a ",
        "#1 ",
        "a/b#1 ",
        "![x](https://e.x/a) ",
        "<a ",
        "`",
        "](",
        "[",
        "/x\n",
        "a/",
        "<!-- orch:",
        "www.",
        "a://",
        "[~",
        "<b open ",
    ],
)
def test_long_texts_take_no_time_to_speak_of(piece: str) -> None:
    began = time.process_time()
    body(piece * (60_000 // len(piece)), BOUNDS)
    assert time.process_time() - began < 6
