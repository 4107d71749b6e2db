"""What a comment asks for (H42, H43): every rule of mentions and commands, and any text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings, strategies as st

from orch.model import marks
from orch.model.talk import COMMANDS, LONGEST, Asked, Mention, Nothing, spoken

NAMES = ("orch", "helper-bot")


def asked(body: str) -> str:
    found = spoken(body, names=NAMES)
    if isinstance(found, Asked):
        return f"{found.name} {found.argument}".strip()
    return "mention" if isinstance(found, Mention) else ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_known(name: str) -> None:
    assert asked(f"/{name}") == name


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("/retry", "retry"),
        ("/RETRY  ", "retry"),
        ("Thanks!\n\n/reroute codex\n", "reroute codex"),
        ("Thanks!\r\n/reroute  codex \r\nBob", "reroute codex"),
        ("   /close", "close"),
        ("/block until `x` is out", "block until `x` is out"),
        ("/nonsense\n/retry\n/close", "retry"),
        ("/close\n-- \nBob, by mail", "close"),
        ("/retry\n---\nBob", "retry"),
        ("please /retry", ""),
        ("- /retry\n- /close", ""),
        ("1. /retry", ""),
        ("# /retry", ""),
        ("| /retry |\n|---|\n| /close |", ""),
        ("/retry/now", ""),
        ("/usr/bin is missing", ""),
        ("//retry", ""),
        ("/retry: it failed", ""),
    ],
)
def test_a_command_begins_a_line_of_the_text_and_the_first_valid_one_wins(
    body: str, wanted: str
) -> None:
    assert asked(body) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("<details>\n<summary>log</summary>\n\n/close\n\n</details>", ""),
        ("<DETAILS open>\n\n@orch look\n\n</details>", ""),
        ("<details>\n\nlog\n\n</details>\n\n/retry", "retry"),
        ("<details>\n\n<details>\n\na\n\n</details>\n\n/close\n\n</details>\n\n/retry", "retry"),
        ("<details>\n\n/close", ""),
        ("</details>\n\n/retry", "retry"),
        ("see <details>\n/close\n</details>\n\n/retry", "retry"),
        ("see <details>\n/close\n\n/close\n\n</details>", ""),
        ("> <details>\n> their log\n\n/retry", "retry"),
        ("the tag `<details>` folds\n/retry", "retry"),
    ],
)
def test_what_is_folded_away_is_not_heard(body: str, wanted: str) -> None:
    assert asked(body) == wanted


@pytest.mark.parametrize("words", ["/retry", "@orch look at this"])
@pytest.mark.parametrize(
    "around",
    [
        "```\n{}\n```",
        "~~~ sh\n{}\n~~~",
        "```\n{}",
        "> ```\n> {}\n> ```",
        "- so:\n\n  ```\n  {}\n  ```",
        "   ```\n   {}\n   ```",
        "````\n```\n{}\n```\n````",
        "    {}",
        "\t{}",
        "> {}",
        "> somebody said\n{}",
        "> > {}",
        "- > {}",
        "`{}`",
        "`so\n{}\nsaid`",
        "``a ` {}``",
        "<!-- {} -->",
        "<!--\n{}\n-->",
        "<pre>\n{}\n</pre>",
        "[//]: # ({})",
        "[a]: http://x '{}'",
    ],
)
def test_nothing_in_code_quotes_or_hidden_text_is_heard(words: str, around: str) -> None:
    """H43."""
    assert asked(around.format(words)) == ""
    assert asked(around.format(words).replace("\n", "\r\n")) == ""


@pytest.mark.parametrize(
    "body",
    [
        "@orch what about this?",
        "Hello @Orch, please",
        "@helper-bot: go on",
        "**@orch** now",
        "- one\n- @orch two",
        "@orch.",
        "Right? @orch",
        "@orch " + "why " * 100,
    ],
)
def test_a_mention_at_a_word_boundary(body: str) -> None:
    assert asked(body) == "mention"


@pytest.mark.parametrize(
    "body",
    [
        "mail me@orch.example",
        "@orchestra plays",
        "@orch-conductor",
        "@orch/team",
        "x/@orch",
        "@@orch",
        "@orch.dev is a host",
        '"@orch do it" was what he wrote',
        "he said 'ask @orch' again",
        "he said “@orch do it”",
        "he said «@orch do it»",
        "as before (see @orch above)",
        "as before (see (the words of @orch) above)",
        "results from task #12, which @orch has done",
        "@orch is starting on task 12",
        "@ orch",
        "@",
        "",
    ],
)
def test_no_mention(body: str) -> None:
    """H42."""
    assert asked(body) == ""


@pytest.mark.parametrize(
    "body",
    [
        f"/retry\n{marks.mark('x.1')}",
        "<!-- orch:owner-command -->\n/retry",
        "/retry\n\nvia Orchestrator",
        "[2026-11-21T10:00:00Z] @orch began",
    ],
)
def test_our_own_voice_is_never_input(body: str) -> None:
    """H42."""
    assert asked(body) == ""


def test_a_mention_gives_what_a_reader_sees() -> None:
    found = spoken("@orch do\u200b this <!-- and that -->\n\n> quoted", names=NAMES)
    assert found == Mention("@orch do this  \n\n> quoted")


@pytest.mark.parametrize(
    ("body", "unknown", "near"),
    [("/rertry", "rertry", "retry"), ("/zzz now", "zzz", ""), ("/shutup\n\nthanks", "", "")],
)
def test_an_unknown_command_alone_is_told_with_the_nearest(
    body: str, unknown: str, near: str
) -> None:
    found = spoken(body, names=NAMES)
    assert isinstance(found, Nothing)
    assert (found.unknown, found.near) == (unknown, near)


def test_what_is_too_long_is_not_read() -> None:
    assert asked("/retry\n" + "x" * LONGEST) == ""


PIECES = st.sampled_from(
    [
        "/retry",
        "@orch",
        "`",
        "```",
        "~~~",
        "> ",
        "- ",
        "\n",
        "\r\n",
        "    ",
        "(",
        ")",
        '"',
        "'",
        "<!--",
        "-->",
        "<a ",
        "|",
        "[",
        "](",
        "\\",
        "“",
        "\u200b",
        "\U000e0041",
        "x",
        " ",
        "# ",
        "---\n",
        "\0",
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES | st.text(max_size=4), max_size=40).map("".join))
def test_any_text_has_an_answer(body: str) -> None:
    found = spoken(body, names=NAMES)
    if isinstance(found, Asked):
        assert f"/{found.name}" in body.lower().replace("\u200b", "") or "\\" in body


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "((a)",
        '"',
        "' ",
        "“",
        "`",
        "` ``",
        "<!--",
        "<a ",
        "<a b='",
        "[",
        "[a]: b\n",
        "> ",
        "- ",
        "- a\n",
        "/retry x\n",
        "@orch(",
        "|a",
        "*a_ ",
        "\\`",
        "\u200d",
        "\x1b[",
        "\x1b]",
        "<?",
        "a\n\n",
        "<div>\n\n",
        "[a]: b '\n",
    ],
)
def test_sixty_thousand_characters_take_no_time_to_speak_of(piece: str) -> None:
    began = time.process_time()
    spoken(piece * (60_000 // len(piece)), names=NAMES)
    assert time.process_time() - began < 4
