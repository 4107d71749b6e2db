"""Where services are, how one signs in, what their refusals mean, and which project a remote is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orch.hosts.dialect import Dialect, complaint
from orch.hosts.failures import (
    Forbidden,
    Invalid,
    Missing,
    NoCredential,
    Refused,
    Unanswered,
    Unreadable,
)
from orch.hosts.gitea.client import GITEA
from orch.hosts.gitlab.client import GITLAB, inert
from orch.hosts.linear.client import LINEAR
from orch.hosts.moments import before, seconds, stamp, utc
from orch.hosts.remotes import project_of
from orch.hosts.wire import Reply
from orch.model.errors import ConfigError


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, json.dumps(body).encode())


def fault(code: str, message: str = "No") -> Any:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


@pytest.mark.parametrize(
    ("dialect", "url", "origin", "path", "name"),
    [
        (GITLAB, "", "https://gitlab.com", "/api/v4", "gitlab.com"),
        (GITLAB, "https://git.x.org:8443/", "https://git.x.org:8443", "/api/v4", "git.x.org:8443"),
        (GITLAB, "https://x.org/git/api/v4", "https://x.org", "/git/api/v4", "x.org"),
        (GITEA, "http://127.0.0.1:3000", "http://127.0.0.1:3000", "/api/v1", "127.0.0.1:3000"),
        (LINEAR, "", "https://api.linear.app", "/graphql", "linear.app"),
    ],
)
def test_an_address_is_taken_with_and_without_the_path_of_its_api(
    dialect: Dialect, url: str, origin: str, path: str, name: str
) -> None:
    place = dialect.place(url)
    assert (place.origin, place.path, place.name) == (origin, path, name)


@pytest.mark.parametrize(
    "url",
    [
        "http://gitlab.example.org",
        "ftp://x",
        "https://u:p@x.org",
        "https://x.org/?a=b",
        "x",
        "https://[x",
    ],
)
def test_an_address_that_would_give_the_token_away_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        GITLAB.place(url)
    assert refused.value.code == "bad_url"
    assert ":p@" not in refused.value.message


@pytest.mark.parametrize(
    ("dialect", "token", "header"),
    [
        (GITLAB, "glpat-x", "Bearer glpat-x"),
        (GITEA, "x", "token x"),
        (GITEA, "Bearer x", "Bearer x"),
        (LINEAR, "lin_api_x", "lin_api_x"),
        (LINEAR, "lin_oauth_x", "Bearer lin_oauth_x"),
    ],
)
def test_each_service_has_its_word_before_the_token(
    dialect: Dialect, token: str, header: str
) -> None:
    assert dialect.authorization(token) == header


def test_h96_a_limit_is_told_from_a_missing_right() -> None:
    assert GITLAB.is_limit(reply(429))
    assert GITLAB.is_limit(reply(403, retry_after="3"))
    assert not GITLAB.is_limit(reply(403, {"message": "rate limit of your plan: forbidden"}))
    assert LINEAR.is_limit(reply(400, fault("RATELIMITED")))
    assert not LINEAR.is_limit(reply(400, fault("INPUT_ERROR", "RATELIMITED")))
    assert not LINEAR.is_limit(reply(200, {"data": {"issue": {"title": '"errors" RATELIMITED'}}}))


def test_when_to_come_again_is_what_the_service_says() -> None:
    spent = {"ratelimit-limit": "600", "ratelimit-remaining": "0", "ratelimit-reset": "1060"}
    assert GITLAB.retry_at(Reply(429, spent, b""), 1000.0) == 1061.0
    assert GITLAB.retry_at(reply(429, retry_after="30"), 1000.0) == 1030.0
    assert GITLAB.retry_at(reply(429), 1000.0) is None
    left = {name: "1763697600000" if "reset" in name else "5" for name in LINEAR.limits}
    known = LINEAR.allowance(Reply(200, left, b""))
    assert known is not None
    assert (known.limit, known.reset_at) == (5, 1_763_697_600.0)
    assert GITEA.allowance(Reply(200, left, b"")) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, NoCredential), (403, Forbidden), (404, Missing), (410, Missing), (405, Refused),
     (409, Refused), (422, Invalid), (502, Unanswered), (302, Unreadable)],
)  # fmt: skip
def test_a_refusal_is_one_of_ours(status: int, kind: type[Exception]) -> None:
    said = GITLAB.refusal(reply(status, {"message": "Nope"}), "GET /x", "gitlab.com")
    assert type(said) is kind
    assert said.message.endswith(".")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, fault("INPUT_ERROR", "Entity not found: Issue"), Missing),
        (400, fault("AUTHENTICATION_ERROR"), NoCredential),
        (400, fault("FORBIDDEN"), Forbidden),
        (200, fault("INTERNAL_SERVER_ERROR"), Unanswered),
        (400, fault("GRAPHQL_VALIDATION_FAILED"), Invalid),
    ],
)
def test_what_graphql_refuses_is_one_of_ours_too(
    status: int, body: Any, kind: type[Exception]
) -> None:
    assert type(LINEAR.fault(reply(status, body), "query X", "linear.app")) is kind


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "404 Project Not Found"}, "404 Project Not Found"),
        ({"message": {"title": ["can't be blank", "is odd"]}}, "title can't be blank, is odd"),
        ({"message": ["a\nb", "c"]}, "a b, c"),
        (
            {"error": "insufficient_scope", "error_description": "needs \x1b[31mapi"},
            "needs [31mapi",
        ),
        (fault("X", "Broken."), "Broken"),
        ([], ""),
        ("text", ""),
    ],
)
def test_their_words_are_one_line(body: Any, said: str) -> None:
    assert complaint(reply(400, body)) == said


@pytest.mark.parametrize(
    ("url", "project"),
    [
        ("git@gitlab.com:group/sub/thing.git", "group/sub/thing"),
        ("https://oauth2:glpat@gitlab.com/group/thing", "group/thing"),
        ("ssh://git@altssh.gitlab.com:443/group/thing.git/", "group/thing"),
        ("https://gitlab.com.evil.org/group/thing", ""),
        ("git@github.com:group/thing.git", ""),
        ("http://gitlab.com/group/thing", ""),
        ("https://gitlab.com/thing", ""),
        ("https://gitlab.com/group/../thing", ""),
        ("/srv/git/group/thing.git", ""),
        ("", ""),
    ],
)
def test_a_remote_is_a_project_of_its_own_server_only(url: str, project: str) -> None:
    assert project_of(url, GITLAB.place()) == project


def test_a_server_below_a_path_has_its_projects_there() -> None:
    place = GITEA.place("https://x.org/git")
    assert project_of("https://x.org/git/octo/thing.git", place, deepest=2) == "octo/thing"
    assert project_of("https://x.org/octo/thing.git", place, deepest=2) == ""
    assert project_of("git@x.org:octo/thing.git", place, deepest=2) == "octo/thing"
    assert project_of("git@x.org:a/b/c.git", place, deepest=2) == ""


def test_times_have_one_form() -> None:
    assert utc("2025-11-21T05:00:00+01:00") == "2025-11-21T04:00:00Z"
    assert utc("2025-11-21T04:00:00.120Z") == "2025-11-21T04:00:00.120Z"
    assert utc("0001-01-01T00:00:00Z") == utc(None) == utc("soon") == ""
    assert stamp(1_763_697_600.9) == "2025-11-21T04:00:00Z"
    assert seconds("2025-11-21T04:00:00Z") == 1_763_697_600.0
    assert before("2025-11-21T04:02:00Z", 120) == "2025-11-21T04:00:00Z"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("/close", "\\/close"),
        ("a\n/merge now", "a\n\\/merge now"),
        ("a\r/label ~x", "a\n\\/label ~x"),
        ("/\rclose", "/\nclose"),
        ("/cl\rose", "\\/cl\nose"),
        ("\r\n/close\r\n", "\r\n\\/close\r\n"),
        ("/usr/bin/x\n  /close\nsee /close", "/usr/bin/x\n  /close\nsee /close"),
        ("", ""),
    ],
)
def test_lines_that_command_do_not(text: str, sent: str) -> None:
    assert inert(text) == sent
