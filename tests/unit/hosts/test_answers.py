"""What GitHub's refusals mean; without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orch.config.secret import Secret
from orch.hosts import failures
from orch.hosts.github.answers import is_limit, refusal, retry_at
from orch.hosts.github.credentials import Token
from orch.hosts.service import next_page
from orch.hosts.wire import Reply

NOW = 1_000_000.0
WHO = Token("GITHUB_TOKEN", Secret("t0ken-canary"))


def reply(
    status: int, message: str = "", headers: dict[str, str] | None = None, **body: Any
) -> Reply:
    return Reply(status, headers or {}, json.dumps({"message": message, **body}).encode())


PERMISSION = "Resource not accessible by personal access token"


@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        (reply(429, "anything"), True),
        (reply(403, "You have exceeded a secondary rate limit."), True),
        (reply(403, "API rate limit exceeded for user ID 1."), True),
        (reply(403, "You have triggered an abuse detection mechanism."), True),
        (reply(403, "Wait", {"retry-after": "7"}), True),
        (Reply(403, {"x-ratelimit-remaining": "0"}, b"<html>"), True),
        (reply(403, PERMISSION), False),
        (reply(403, PERMISSION, {"x-ratelimit-remaining": "4000"}), False),
        (reply(403, PERMISSION, {"x-ratelimit-remaining": "0"}), False),
        (Reply(403, {}, b"<html>Forbidden</html>"), False),
        (reply(401, "API rate limit"), False),
        (reply(404, "rate limit"), False),
    ],
)
def test_h96_missing_rights_are_no_limit(answer: Reply, limit: bool) -> None:
    assert is_limit(answer) is limit
    error = refusal(answer, "GET /x", "github.com", WHO, NOW)
    assert isinstance(error, failures.Limited) is limit


def test_when_to_come_again() -> None:
    spent = {"x-ratelimit-limit": "5", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000900"}
    assert retry_at(reply(403, "", {"retry-after": "7", **spent}), NOW) == (False, NOW + 7)
    assert retry_at(reply(403, "", spent), NOW) == (True, 1_000_901.0)
    date = {"retry-after": "Mon, 12 Jan 1970 13:47:40 GMT"}
    assert retry_at(reply(429, "", date), NOW) == (False, 1_000_060.0)
    assert retry_at(reply(429, "", {"retry-after": "soon"}), NOW) == (False, None)
    assert retry_at(reply(403), NOW) == (False, None)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, failures.NoCredential, "host_sign_in"),
        (403, failures.Forbidden, "host_forbidden"),
        (404, failures.Missing, "host_not_found"),
        (410, failures.Missing, "host_gone"),
        (405, failures.Refused, "host_refused"),
        (409, failures.Refused, "host_refused"),
        (422, failures.Invalid, "host_invalid"),
        (500, failures.Unanswered, "host_unreachable"),
        (301, failures.Unreadable, "host_answer"),
    ],
)
def test_each_status_is_one_error_with_a_way_on(status: int, kind: type, code: str) -> None:
    error = refusal(reply(status, "No."), "GET /repos/o/r", "github.com", WHO, NOW)
    assert type(error) is kind
    assert error.code == code
    assert error.hint
    assert "t0ken-canary" not in repr(error.as_dict())


def test_the_servers_reasons_are_told() -> None:
    errors = [{"resource": "Issue", "field": "title", "code": "missing_field"}, "Body is too long"]
    error = refusal(reply(422, "Validation Failed", errors=errors), "POST /x", "h", WHO, NOW)
    assert error.message == (
        "h does not take POST /x: Validation Failed; Issue title missing field; Body is too long."
    )
    assert error.data["reasons"] == ["missing_field", ""]


def test_words_of_the_server_cannot_move_a_terminal() -> None:
    error = refusal(reply(404, "a\x1b[2Jb\n" + "c" * 999), "GET /x", "h", WHO, NOW)
    assert error.message.isprintable()
    assert len(error.message) < 500


def test_missing_rights_name_what_would_mend_them() -> None:
    def hint(**headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return refusal(reply(403, "No", named), "GET /x", "h", WHO, NOW).hint

    assert "scope repo (it has: gist)" in hint(
        x_accepted_oauth_scopes="repo", x_oauth_scopes="gist"
    )
    assert "permission issues=write" in hint(x_accepted_github_permissions="issues=write")
    assert "https://x/sso" in hint(x_github_sso="required; url=https://x/sso")
    assert hint() == "export GITHUB_TOKEN=…"


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("", ""),
        (
            '<https://a/x?page=2>; rel="next", <https://a/x?page=9>; rel="last"',
            "https://a/x?page=2",
        ),
        ('<https://a/x?page=1>; rel="prev"', ""),
        ("<https://a/x?a=1>; rel=next", "https://a/x?a=1"),
        ('<https://a/x?q="next">; rel="last"', ""),
    ],
)
def test_the_next_page_is_the_one_that_is_called_so(link: str, url: str) -> None:
    assert next_page(link) == url
