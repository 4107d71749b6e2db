"""JQL is made of parts and stays within its brackets; a token goes to no place that has no Jira."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from orch.config.secret import Secret
from orch.hosts.failures import Forbidden, Invalid, Missing, NoCredential, Refused, Unreadable
from orch.hosts.jira import jql
from orch.hosts.jira.calls import credential
from orch.hosts.jira.dialect import GATEWAY, dialect, is_stranger
from orch.hosts.wire import Reply
from orch.model.errors import ConfigError
from tests.standins.jira import jql as theirs

JIRA = dialect("board")
TEXTS = st.text(st.characters(exclude_categories=()))


@given(TEXTS)
def test_a_quoted_value_is_read_as_it_was(value: str) -> None:
    """RELIABILITY, threat 22: by a parser that knows nothing of ours."""
    (token,) = theirs.tokens(jql.quote(value))
    assert token == theirs.Token("text", value)


@given(TEXTS, TEXTS)
def test_a_value_never_becomes_part_of_the_query(field: str, value: str) -> None:
    asked = jql.every(f"project = {jql.quote(field)}", jql.among("status", [value]))
    kinds = [(one.kind, one.value) for one in theirs.tokens(asked)]
    assert kinds == [
        ("word", "project"), ("op", "="), ("text", field), ("word", "AND"), ("word", "status"),
        ("word", "in"), ("op", "("), ("text", value), ("op", ")"),
    ]  # fmt: skip


PIECES = st.sampled_from(
    [
        '"',
        "'",
        "\\",
        "(",
        ")",
        " ",
        "a",
        "=",
        "OR",
        "project",
        "X",
        "ORDER BY",
        "order  by",
        "-",
        "é",
    ]
)


@settings(max_examples=500)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_a_condition_stays_within_its_brackets(query: str) -> None:
    try:
        made = jql.condition(query)
    except ConfigError:
        return
    if not made:
        return
    assert (made[0], made[-1]) == ("(", ")")
    try:
        tokens = theirs.tokens(made)
    except theirs.BadQuery:  # Jira itself refuses it
        return
    depths, depth = [], 0
    for token in tokens:
        depth += (token == ("op", "(")) - (token == ("op", ")"))
        depths.append(depth)
    assert all(depth > 0 for depth in depths[:-1])
    assert depths[-1] == 0


@pytest.mark.parametrize(
    ("query", "made"),
    [
        ("", ""),
        ("labels = ui", "(labels = ui)"),
        ("labels = ui ORDER BY created DESC", "(labels = ui)"),
        ("order by created", ""),
        ('summary ~ "order by (" AND a = b', '(summary ~ "order by (" AND a = b)'),
        ("border by = 1", "(border by = 1)"),
        ('a = "it\'s \\"x\\")"', '(a = "it\'s \\"x\\")")'),
    ],
)
def test_a_persons_query(query: str, made: str) -> None:
    assert jql.condition(query) == made


@pytest.mark.parametrize(
    "query",
    [" ", "a = 1\nOR b", "a\0", "a\r", "a = 1) OR (project = X", "(a = 1", 'a = "b', "a = 'b",
     'a = "b\\', 'a = x\\") OR (b = y'],
)  # fmt: skip
def test_a_query_that_cannot_be(query: str) -> None:
    with pytest.raises(ConfigError) as refused:
        jql.condition(query)
    assert refused.value.code == "bad_query"


def test_keys_are_capitals_a_dash_and_digits() -> None:
    assert [jql.number(one) for one in ("AB2-17", "ab-1", "A-", "A-1x", "1A-1", "A_B-1", "A-١")] == [
        17, -1, -1, -1, -1, -1, -1,
    ]  # fmt: skip
    assert jql.PROJECT.fullmatch("A")
    assert not any(jql.PROJECT.fullmatch(one) for one in ("a", "", "1A", "A-", "A B", 'A"', "A\n"))


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://example.atlassian.net", "https://example.atlassian.net"),
        ("https://Example.atlassian.net/", "https://example.atlassian.net"),
        ("https://jira.corp.example:8443/jira/", "https://jira.corp.example:8443/jira"),
        ("https://10.0.0.7/jira", "https://10.0.0.7/jira"),
        ("https://[2001:db8::7]", None),
        ("http://127.0.0.1:2990/jira", "http://127.0.0.1:2990/jira"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://api.atlassian.com/ex/jira/11-22", "https://api.atlassian.com/ex/jira/11-22"),
    ],
)
def test_where_a_jira_is(url: str, base: str | None) -> None:
    if base is not None:
        place = JIRA.place(url)
        assert place.origin + place.path == place.web == base
        assert place.web.startswith(GATEWAY) == ("/ex/jira/" in url)


BAD = [
    "", "example.atlassian.net", "ftp://x.example", "http://jira.example.org", "http://10.0.0.7",
    "https://user:secret@x.example", "https://x.example/?a=b", "https://x.example/#a", "https://",
    "https://x.example:99999", "https://x.example/../admin", "https://a b.example",
    # RELIABILITY, threat 23: ways to write a metadata service, and numbers that read otherwise
    "https://169.254.169.254", "https://169.254.169.254/latest", "https://[fe80::1]",
    "https://[::ffff:169.254.169.254]", "https://[::ffff:a9fe:a9fe]", "https://2852039166",
    "https://0xa9fea9fe", "https://0xa9.0xfe.0xa9.0xfe", "https://0251.0376.0251.0376",
    "https://169.254.43518", "https://169.16689662", "https://0.0.0.0", "https://[::]",
    "https://224.0.0.1", "https://255.255.255.255", "https://240.0.0.1", "https://127.1",
    "https://0x7f.1", "https://017700000001", "https://169.254.169.254.", "https://1.2.3.4.5",
    "https://256.1.1.1", "https://01.2.3.4", "https://x.0x1", "http://[::ffff:127.0.0.1]",
    "http://127.0.0.1.example.org", "http://localhost.example.org", "https://x.example\\@y.example",
    "https://xn--\u202e.example", "https://①②⑦.⓪.⓪.①",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD)
def test_where_no_token_goes(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        JIRA.place(url)
    assert refused.value.code == "bad_url"
    assert "secret" not in refused.value.message


def reply(status: int, body: bytes = b"{}", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, body)


def test_only_429_is_a_limit() -> None:
    """H96: a 403 is about rights, whatever it says."""
    assert JIRA.is_limit(reply(429))
    assert not JIRA.is_limit(reply(403, b'{"errorMessages":["rate limit"]}', retry_after="3"))


def test_when_to_come_again() -> None:
    assert JIRA.retry_at(reply(429, retry_after="7"), 100.0) == 107.0
    assert JIRA.retry_at(reply(429, retry_after="Thu, 01 Jan 1970 00:02:00 GMT"), 100.0) == 120.0
    assert JIRA.retry_at(reply(429, x_ratelimit_reset="1970-01-01T00:03Z"), 100.0) == 180.0
    assert JIRA.retry_at(reply(429, retry_after="soon"), 100.0) is None


def test_what_is_left() -> None:
    """Where it says until when; who says nothing counts nothing."""
    told = {"x_ratelimit_limit": "60", "x_ratelimit_remaining": "5"}
    there = JIRA.allowance(reply(200, **told, x_ratelimit_reset="1970-01-01T00:03Z"))
    assert there is not None
    assert (there.limit, there.left, there.reset_at) == (60, 5, 180.0)
    assert JIRA.allowance(reply(200, **told)) is None
    assert JIRA.allowance(reply(200)) is None
    assert JIRA.allowance(reply(200, x_ratelimit_limit="many", x_ratelimit_remaining="1")) is None


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, Invalid, "host_invalid"), (401, NoCredential, "host_sign_in"),
        (403, Forbidden, "host_forbidden"), (404, Missing, "host_not_found"),
        (409, Refused, "host_refused"), (302, Unreadable, "host_answer"),
    ],
)  # fmt: skip
def test_what_a_refusal_is(status: int, kind: type[Exception], code: str) -> None:
    said = b'{"errorMessages":["It is\\u001b[31m so."],"errors":{"summary":"is needed"}}'
    error = JIRA.refusal(reply(status, said), "GET /x", "jira.example")
    assert isinstance(error, kind)
    assert error.code == code
    assert error.hint
    assert "\x1b" not in error.message
    if status != 302:
        assert "so; summary: is needed" in error.message


def test_an_answer_to_nobody_is_none_for_us() -> None:
    assert is_stranger(reply(200, x_seraph_loginreason="AUTHENTICATED_FAILED"))
    assert is_stranger(reply(200, x_seraph_loginreason="AUTHENTICATION_DENIED"))
    assert not is_stranger(reply(200, x_seraph_loginreason="OK"))


def test_who_we_are() -> None:
    token = Secret("t")
    assert credential(Secret("a@b"), token) == Secret("Basic YUBiOnQ=")
    assert credential(None, token) == Secret("Bearer t")
    assert credential(Secret("a@b"), None) is None
    assert JIRA.authorization("Basic YUBiOnQ=") == "Basic YUBiOnQ="


def test_one_place_quotes() -> None:
    """RELIABILITY, threat 22: nothing else in the source puts a value into JQL by hand."""
    root = Path(__file__).parents[3] / "src" / "orch"
    made_by_hand = re.compile(r"""f["'][^"']*( = | in \(| >= | AND )[^"']*\{""")
    for room in ("trackers", "hosts"):
        for file in (root / room / "jira").glob("*.py"):
            found = made_by_hand.search(file.read_text("utf-8"))
            assert file.name == "jql.py" or not found, (file.name, found)
    assert made_by_hand.search((root / "hosts" / "jira" / "jql.py").read_text("utf-8"))
